//! The token service's promises, on a real engine: `LATCHKEY_TEST_ENGINE` chooses which.

mod create;
