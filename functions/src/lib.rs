//! Latchkey's token service: its rules, its table and the service on them.
//!
//! Arrows run one way: `lambda` -> `api` -> `service` -> `table` -> the rules. The rules (`secret`, `name`, `role`,
//! `lifetime`, `place`, `token`, `protocol`, `user`, `policy`) are pure: no I/O, no clock, no randomness but what is
//! passed in.

#![warn(missing_docs, clippy::missing_errors_doc, clippy::missing_panics_doc)]

pub mod api;
pub mod clock;
pub mod entropy;
#[cfg(feature = "lambda")]
pub mod lambda;
pub mod lifetime;
pub mod name;
pub mod place;
pub mod policy;
pub mod protocol;
pub mod role;
pub mod secret;
pub mod service;
pub mod table;
pub mod token;
pub mod user;
