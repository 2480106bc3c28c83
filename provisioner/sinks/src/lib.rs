//! Sinks: the places that a Latchkey token is delivered to, behind one small trait, and the suite that holds every sink
//! to the same promises.
//!
//! A sink only looks, reads, writes and removes. It decides nothing: what a look finds means something to the plan, and
//! a sink never writes what it was not told to. It knows no service, no plan and no manifest beyond its own settings.
//!
//! Everything about one type is in its folder: its settings, what is known without asking anybody, its client, its
//! entries, its errors. Which type a sink is, only [`Kind`] and [`SinkSettings`] ask, by matches that name every type.
//!
//! # What a sink owes
//!
//! - **A place tells it from all others**: account, project, machine, file, name. The id of a place is the same in every
//!   run, and no two entries share one.
//! - [`prepare`](Sink::prepare) finds what a write would be refused for, before anything is staged, and changes nothing.
//! - [`look`](Sink::look) shows what a consumer reads by default: not older versions, not what waits for a release. A
//!   place that cannot be reached is an error, never [`Seen::Absent`], and one that a login may not look at before it
//!   exists is [`Seen::NotShown`]. A value that contains a secret beside anything else is never taken for none. A
//!   [`Receipt`] has at most 200 bytes, contains no value, and changes when somebody changes the entry.
//! - [`read`](Sink::read) gives back the version that is asked for, even before consumers read it. It may be wrong: the
//!   service confirms.
//! - [`write`](Sink::write) puts value and marker in one request, starts nothing after its deadline, retries included,
//!   and refuses with [`SinkError::Changed`] if the place contains anything but what was seen. A second write of the same
//!   value is success and changes nothing.
//! - [`remove`](Sink::remove) removes only what was seen. An entry that is not there is success.
//! - [`entries`](DeclaredSink::entries) names what is there, and no value gets out of it.
//! - Answers are in the order of what was asked; one that fails does not fail the others.
//! - Values of others stay as the bytes they are.
//! - No error, receipt or log contains a value, nor what a vendor echoes of one.
//!
//! The feature `conformance` has these promises as tests, one a promise; see `conformance`.
//!
//! # A type of its own in this package
//!
//! A folder with `Settings` and its `facts.rs`, which answers [`TypeFacts`] and [`SinkFacts`]; the compiler asks for the
//! rest, in [`Kind`] and [`SinkSettings`]. A sink elsewhere implements [`Sink`] and [`DeclaredSink`].

pub mod aws;
pub mod aws_secrets_manager;
pub mod azure_key_vault;
mod bearer;
mod bounds;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod deadline;
pub mod dotenv;
mod error;
mod facts;
pub mod files;
mod forgotten;
pub mod git;
pub mod heroku;
pub mod host;
pub mod keyring;
mod kind;
mod listing;
pub mod login;
pub mod machine;
pub mod plural;
mod push;
pub mod reading;
mod registry;
mod rights;
mod sink;
pub mod transport;
mod value;
pub mod vercel;
pub mod waiting;

pub use bounds::{Bounds, is_named_after};
pub use error::SinkError;
pub use facts::{Apart, DeclaredFile, SinkFacts, Spot, Twin, TypeFacts};
pub use forgotten::ForgottenBranches;
pub use kind::{Kind, SinkDeclaration, SinkSettings, label, replaced};
pub use listing::{ListedEntry, SourceForm};
pub use push::PushDeclaration;
pub use registry::ManifestSinks;
pub use rights::{LeastRights, PushedEntry, Statement};
pub use sink::{
    Capabilities, DeclaredSink, Delivered, Marker, Receipt, Removal, Seen, SeenEntry, Sink, SinkSet, Write,
};
