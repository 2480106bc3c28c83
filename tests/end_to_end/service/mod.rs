//! The token service's promises, on a real engine: `LATCHKEY_TEST_ENGINE` chooses which.

#![expect(
    clippy::unwrap_used,
    clippy::similar_names,
    clippy::large_futures,
    reason = "a test reports what it did not expect, in short words"
)]

mod addresses;
mod audit;
mod capacity;
mod clock;
mod concurrency;
mod copy;
mod create;
mod delete;
mod due;
mod edit;
mod embedded;
mod find;
mod grant;
mod list;
mod manifests;
mod model;
mod moving;
pub(crate) mod notices;
mod publication;
mod roles;
mod settings;
mod telling;
mod usage;
mod users;
mod verify;
mod versions;
