//! The table below the service: both engines answer alike, and what the embedded one has answered survives.

mod equal;
mod former;
mod kills;
mod power;
mod trouble;
