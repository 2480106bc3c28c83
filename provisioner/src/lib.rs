//! The declarative tool: reads a manifest, plans, creates and rotates tokens, and delivers their secrets.

mod accounts;
pub mod apply;
pub mod commands;
pub mod dynamodb;
pub mod embedded;
mod import;
pub mod job;
pub mod manifest;
pub mod notify;
pub mod observe;
pub mod output;
pub mod plan;
pub mod publication;
pub mod safeguard;
mod server;
pub mod service;
