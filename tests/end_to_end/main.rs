//! The end-to-end tests: one binary, a module a room.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod api;
mod chaos;
mod command;
mod deployment;
mod functions;
mod load;
mod readme;
mod remote;
mod secrets_manager;
mod service;
mod sinks;
