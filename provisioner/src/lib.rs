//! The declarative tool: reads a manifest, plans, creates and rotates tokens, and delivers their secrets.

pub mod apply;
pub mod commands;
pub mod deadline;
pub mod dynamodb;
pub mod embedded;
pub mod files;
pub mod machine;
pub mod manifest;
pub mod observe;
pub mod output;
pub mod plan;
mod plural;
pub mod reading;
pub mod safeguard;
pub mod service;
pub mod sinks;
pub mod transport;
