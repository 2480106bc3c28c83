//! Latchkey's token service: its rules, its table and the service on them.
//!
//! Arrows run one way: `lambda` -> `api` -> `service` -> `table` -> the rules. The rules (`secret`, `name`, `role`,
//! `lifetime`, `place`, `version`, `token`, `user`, `policy`) are pure: no I/O, no clock, no randomness but what is
//! passed in.

pub mod api;
pub mod clock;
pub mod entropy;
#[cfg(feature = "lambda")]
pub mod lambda;
pub mod lifetime;
pub mod name;
pub mod place;
pub mod policy;
pub mod role;
pub mod secret;
pub mod service;
pub mod table;
pub mod token;
pub mod user;
pub mod version;
