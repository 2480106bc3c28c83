//! The functions on AWS Lambda: one client, one loop, and what turns events into requests and replies.
//!
//! Everything that a first request needs is made before the first poll, while the processor is free: the client, its
//! TLS connection, the deployment's settings and the roles. None of it may keep a function from starting.

mod authorizer;
mod client;
mod environment;
mod events;
mod extension;
mod function;
mod log;
mod page;
mod run;
mod scheduled;
mod usage;
mod warnings;

pub use page::page;
pub use run::{authorize, serve};
pub use scheduled::{Done, Failed, Handler, Invocation, work};
