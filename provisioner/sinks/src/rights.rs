//! The least rights that a sink needs.

#![warn(missing_docs)]

use std::collections::BTreeSet;

use latchkey::place::Place;
use serde_json::Value;

use super::push::PushDeclaration;

/// What a sink's login must be allowed to do, and nothing more.
#[derive(Debug, Clone, PartialEq)]
pub enum LeastRights {
    /// As statements of an IAM policy; none where nothing is pushed.
    Statements(Vec<Statement>),
    /// In words, where the vendor has no policy to write.
    Words(&'static str),
}

/// A statement of an IAM policy that allows something.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// What it is for, in a word.
    pub sid: &'static str,
    /// What it allows, as IAM spells it.
    pub actions: &'static [&'static str],
    /// ARNs, or patterns of them.
    pub resources: BTreeSet<String>,
    /// Its `Condition`, where it has one.
    pub condition: Option<Value>,
}

/// An entry that is pushed to.
#[derive(Debug, Clone, Copy)]
pub struct PushedEntry<'a> {
    /// The push, as declared.
    pub push: &'a PushDeclaration,
    /// Where it lands, if that could be told.
    pub place: Option<&'a Place>,
}
