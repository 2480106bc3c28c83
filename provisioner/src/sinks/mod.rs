//! Sinks: the places that hold secrets, behind one small trait with capabilities as data.
//!
//! A sink only looks, reads, writes and removes. It decides nothing: what a find means and what is to be done is the
//! plan's business, and it never writes what it was not told to.
//!
//! Everything about one type stands in its folder: settings, what is known without asking anybody, client, entries,
//! errors. Which type one is, only [`kind`] asks.

pub mod aws_secrets_manager;
pub mod azure_key_vault;
mod bearer;
pub mod dotenv;
mod error;
mod facts;
pub mod heroku;
pub mod host;
pub mod keyring;
mod kind;
pub mod login;
mod push;
pub mod registry;
mod rights;
mod sink;
pub mod vercel;

pub use error::SinkError;
pub use facts::{Apart, SinkFacts, Spot, Twin, TypeFacts};
pub use kind::{Kind, SinkDeclaration, SinkSettings, label};
pub use push::PushDeclaration;
pub use rights::{LeastRights, PushedEntry, Statement};
pub use sink::{Capabilities, DeclaredSink, Marker, Receipt, Removal, Seen, SeenEntry, Sink, SinkSet, Write};
