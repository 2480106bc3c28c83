#![cfg_attr(feature = "dynamodb", doc = include_str!("../README.md"))]
#![cfg_attr(not(feature = "dynamodb"), doc = "The rules of Latchkey, a self-hosted token service.\n")]
//! ## Modules
//!
//! Arrows run one way: `lambda` -> `api` -> `service` -> `table` -> the rules, and `Latchkey` is built on `service`.
//! The rules ([`secret`], [`name`], [`role`], [`lifetime`], [`place`], [`entry`], [`token`], [`protocol`], [`moving`],
//! [`user`], [`policy`], [`bounds`], [`event`], [`notice`]) are pure: no I/O, no clock, no randomness but what is passed in.

#![warn(missing_docs, clippy::missing_errors_doc, clippy::missing_panics_doc)]

#[cfg(feature = "api")]
pub mod api;
pub mod bounds;
#[cfg(feature = "service")]
mod check;
pub mod clock;
pub mod entropy;
pub mod entry;
pub mod event;
#[cfg(feature = "lambda")]
pub mod lambda;
pub mod lifetime;
pub mod moving;
pub mod mutex;
pub mod name;
pub mod notice;
#[cfg(feature = "api")]
pub mod page;
pub mod place;
pub mod policy;
pub mod protocol;
pub mod role;
pub mod secret;
#[cfg(feature = "service")]
pub mod service;
#[cfg(feature = "service")]
pub mod table;
pub mod token;
pub mod user;

#[cfg(feature = "service")]
pub use check::{AllowsError, CheckError, CloseError, Latchkey, OpenError};
#[cfg(feature = "service")]
pub use service::{Invalid, Valid, Verdict};
