//! The declarative tool: reads a manifest, plans, and delivers tokens to their places.

pub mod apply;
pub mod commands;
pub mod dynamodb;
pub mod embedded;
pub mod manifest;
pub mod observe;
pub mod output;
pub mod plan;
pub mod safeguard;
pub mod service;
