//! The end-to-end tests: one binary, a module a room.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a panic is how a test fails, and what is left out is printed"
)]

mod api;
mod chaos;
mod command;
mod deployment;
mod documents;
mod functions;
mod job;
mod library;
mod load;
mod notify;
mod page;
mod remote;
mod secrets_manager;
mod service;
mod sinks;
mod table;
mod tidy;
