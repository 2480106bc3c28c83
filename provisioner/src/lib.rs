//! The declarative tool: reads a manifest, plans, and delivers tokens to their places.

pub mod deadline;
pub mod files;
pub mod manifest;
pub mod sinks;
