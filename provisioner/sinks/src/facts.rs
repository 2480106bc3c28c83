//! What a type of sink reports without asking anybody: of itself, and of a sink that a manifest declares. None of it has
//! a default, so that a new type answers every question.

#![warn(missing_docs)]

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use latchkey::place::Place;

use super::bounds::Bounds;
use super::host::Queues;
use super::listing::SourceForm;
use super::login::Login;
use super::push::PushDeclaration;
use super::rights::{LeastRights, PushedEntry};
use super::sink::{DeclaredSink, Sink};
use crate::reading::{Reading, Severity, Text};

/// What is known of a type of sink.
pub trait TypeFacts: Sync {
    /// Its name in manifests and in places.
    fn name(&self) -> &'static str;

    /// How a person names where entries of the type are; `None` where they cannot be listed.
    fn source(&self) -> Option<&'static SourceForm>;

    /// Reports a name that no entry of the type can have, for a sink whose settings could not be read.
    fn check_name(&self, name: &Text<'_>, reading: &mut Reading<'_>);

    /// Reports pushes to sinks of the type that are puzzling beside each other.
    fn check_together(&self, pushes: &[&PushDeclaration], reading: &mut Reading<'_>);

    /// A place in few words: paths from `folder` on, and `machine` only where it is another.
    fn label(&self, place: &Place, folder: &Path, machine: &str) -> String;

    /// What a write to the place causes beyond the entry itself, such as a restart: in the same words for all entries
    /// that cause it together.
    fn effect(&self, place: &Place) -> Option<String>;

    /// What becomes of a value that a write to the place replaces, as a clause about it: who adopts an entry must know
    /// whether anybody can have it back.
    fn replaced(&self, place: &Place) -> &'static str;

    /// What a write to the place restarts, such as an app, in the same words for all entries that restart it together.
    fn restarts(&self, place: &Place) -> Option<String>;

    /// Whether deployments may still use what the entry at a place contained although the entry is gone.
    fn absence_hides_deployments(&self, place: &Place) -> bool;

    /// Whether no two entries ever have one receipt, so that two places which show the same one are one entry.
    fn receipts_are_unique(&self) -> bool;

    /// The sink that reaches every place of the type that this machine has, declared or not; `None` where a declaration
    /// says how to reach it.
    fn undeclared(&self, machine: &str, files: &RunFiles<'_>) -> Option<Arc<dyn Sink>>;
}

/// Why the scheduled job does not reach a sink with an endpoint.
pub(crate) const ENDPOINT: &str = "its `endpoint` is set, and the job goes to the vendor's own only";

/// The file of a declared sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeclaredFile<'a> {
    /// Where it is, as declared.
    pub path: &'a Path,
    /// The permissions that it is to have, where that is set.
    pub mode: Option<u32>,
}

/// The files of a run: which it may open, and those of its declared sinks.
#[derive(Debug, Clone, Copy)]
pub struct RunFiles<'a> {
    /// Which it may open.
    pub bounds: &'a Bounds,
    /// Those of declared sinks.
    pub declared: &'a [DeclaredFile<'a>],
}

/// What is known of a declared sink from its settings alone.
pub trait SinkFacts: fmt::Debug {
    /// All logins that it names, each with its field in words.
    fn logins(&self) -> Vec<(&'static str, &Login)>;

    /// The file that it writes.
    fn file(&self) -> Option<DeclaredFile<'_>>;

    /// What its owner should know before a secret goes there, one sentence each. Looks at files, and may run git.
    fn warnings(&self) -> Vec<String>;

    /// Reports a name that no entry of the sink can have.
    fn check_name(&self, name: &Text<'_>, reading: &mut Reading<'_>);

    /// Where a push lands, as far as the settings tell.
    fn spot(&self, push: &PushDeclaration) -> Spot;

    /// The parts of the place that a push lands in, in their order, as far as the settings tell without a login, an
    /// environment or a file; `None` for a value that they do not.
    fn parts(&self, push: &PushDeclaration) -> Vec<(&'static str, Option<String>)>;

    /// Why the scheduled job cannot reach it, a clause about the sink for its user: the job has no files, keyring,
    /// environment or profiles of this machine, and goes to no address that a manifest names. `None` where it can.
    fn unpublishable(&self) -> Option<String>;

    /// What another sink of the manifest must not, or need not, be at the same time.
    fn twin(&self) -> Option<Twin>;

    /// What a login needs for these entries.
    fn rights(&self, entries: &[PushedEntry<'_>]) -> LeastRights;

    /// The sink itself. Contacts nothing. `None` for settings that no manifest's reading lets through.
    fn connect(&self, machine: &str, queues: &Queues) -> Option<Arc<dyn DeclaredSink>>;
}

/// Where a push lands as far as its manifest tells: two pushes to one spot overwrite each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// What the entry belongs to.
    pub owner: String,
    /// The entry's name, as the vendor compares names.
    pub name: String,
    /// Set where entries of one owner and name may yet be two.
    pub apart: Option<Apart>,
}

/// What may keep two pushes to one secret of AWS apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Apart {
    /// The account, where the sink sets one: two that differ do not meet.
    pub account: Option<String>,
    /// The key in the secret; the whole secret when `None`.
    pub json_key: Option<String>,
}

impl Apart {
    /// What is wrong with two pushes to one secret, and what to do; `None` where they do not meet.
    pub fn clash(&self, other: &Self, same_sink: bool) -> Option<(&'static str, &'static str)> {
        if matches!((&self.account, &other.account), (Some(one), Some(other)) if one != other) {
            return None;
        }
        match (&self.json_key, &other.json_key) {
            (Some(one), Some(other)) if one != other => None,
            (Some(_), None) | (None, Some(_)) => Some((
                "one push writes the whole secret, another a `json_key` in it",
                "set `json_key` in every push to it, or in none",
            )),
            _ if same_sink => Some((
                "two pushes write to the same place",
                "they would overwrite each other; give one of them another name",
            )),
            _ => Some((
                "two pushes write to the same place",
                "give one of them another name, or set `account` in both sinks if these are two accounts",
            )),
        }
    }
}

/// Two sinks that are one thing at the vendor's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Twin {
    /// The same for both.
    pub key: String,
    /// What they are both, in a word.
    pub what: &'static str,
    /// How bad that is.
    pub severity: Severity,
    /// The fault's code.
    pub code: &'static str,
    /// What to do about it.
    pub hint: &'static str,
}
