//! What the service answers, where its own records have too much or too little.

use jiff::Timestamp;
use latchkey::service::{Event, UsageDay};
use latchkey::token::{Token, TokenKey};

/// A manifest's tokens.
#[derive(Debug)]
pub struct Managed {
    /// All of them, those that expired but were not moved included.
    pub tokens: Vec<Token>,
    /// The most active tokens of a user without a number of its own.
    pub max_tokens: u32,
}

/// Changes and uses of a token.
#[derive(Debug)]
pub struct History {
    /// This month's last changes, newest first.
    pub events: Vec<Event>,
    /// This month's uses by day.
    pub usage: Vec<UsageDay>,
}

/// Why a lease is taken.
#[derive(Debug, Clone, Copy)]
pub enum Take<'a> {
    /// To apply the manifest.
    Own {
        /// Even if another run has it.
        steal: bool,
    },
    /// To move this token of it to another manifest.
    ToMove(&'a TokenKey),
}

/// Somebody else's lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseHolder {
    /// On whose behalf it was taken.
    pub by: String,
    /// Until when, by the service's time, where that is known.
    pub until: Option<Timestamp>,
}
