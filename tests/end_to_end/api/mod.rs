//! The HTTP API's promises, in this process.

mod anybody;
mod boxes;
mod checking;
mod clients;
mod faults;
mod fuzz;
mod gain;
mod introspection;
mod matrix;
mod moving;
mod permissions;
mod publication;
mod requests;
mod scene;
mod schemathesis;
mod told;
mod withdrawing;
