//! Real engines for tests, and what makes them as strict as the services they stand for.
//!
//! `tests/engines.sh` installs them; what each gets wrong is corrected in front of it, not worked around in the tests.

mod faults;
mod http;
mod moto;
mod rotations;
mod rules;
mod strict;

pub use faults::Fault;
pub use http::Answer;
pub use moto::Moto;
pub use strict::{Person, StrictSecretsManager};
