//! The harness of the end-to-end tests.

pub mod engines;
pub mod provision;
