//! What requests and replies contain. The names of the API; the records of the service turn into them and back.
//!
//! No reply contains a digest: versions are told apart by their public fingerprints.

mod check;
mod history;
mod manifest;
mod problem;
mod publication;
mod record;
mod role;
mod settings;
mod token;
mod version;

pub use check::*;
pub use history::*;
pub use manifest::*;
pub use problem::*;
pub use publication::*;
pub use record::*;
pub use role::*;
pub use settings::*;
pub use token::*;
pub use version::*;
