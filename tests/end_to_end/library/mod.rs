//! The library `latchkey` as a service of somebody else uses it.

mod check;
mod features;
mod sample;
