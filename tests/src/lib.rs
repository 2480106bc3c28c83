//! The harness of the end-to-end tests.

pub mod api;
pub mod attack;
pub mod chaos;
pub mod client;
pub mod clock;
pub mod counted;
pub mod deployment;
pub mod engine;
pub mod engines;
pub mod fleet;
pub mod lambda;
pub mod meter;
pub mod picture;
pub mod programs;
pub mod provision;
pub mod readers;
pub mod receiver;
pub mod release;
pub mod remote;
pub mod runs;
pub mod sinks;
pub mod terminal;
pub mod workload;
pub mod world;
