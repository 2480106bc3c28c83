//! What is asked of tokens.

use clap::{Args, ValueEnum};
use latchkey::token::TokenState;

use super::tokens::{Which, Whose};
use super::{Form, OUTPUT, SELECTION};

/// A state of tokens, as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::commands) enum State {
    Active,
    Deleted,
    Expired,
}

impl From<State> for TokenState {
    fn from(state: State) -> Self {
        match state {
            State::Active => Self::Active,
            State::Deleted => Self::Deleted,
            State::Expired => Self::Expired,
        }
    }
}

#[derive(Debug, Args)]
pub(in crate::commands) struct TokenList {
    #[command(flatten)]
    pub(in crate::commands) whose: Whose,
    /// List the tokens of all users; needs the permission `admin:tokens`
    #[arg(long, conflicts_with_all = ["user", "ended"], help_heading = SELECTION)]
    pub(in crate::commands) all_users: bool,
    /// State to list (repeatable or with commas) [default: all; with `--all-users`: active]
    #[arg(long, value_enum, value_name = "STATE", value_delimiter = ',', help_heading = SELECTION)]
    pub(in crate::commands) state: Vec<State>,
    /// List only what expires within a duration, or until a date (the end of that day, UTC)
    #[arg(long, value_name = "WHEN", help_heading = SELECTION)]
    pub(in crate::commands) expiring: Option<String>,
    /// List only what was not used for a duration, or since a date
    #[arg(long, value_name = "WHEN", help_heading = SELECTION)]
    pub(in crate::commands) unused: Option<String>,
    /// List only what has this label (repeatable or with commas)
    #[arg(long = "label", value_name = "KEY[=VALUE]", value_delimiter = ',', help_heading = SELECTION)]
    pub(in crate::commands) labels: Vec<String>,
    /// Number of deleted and expired tokens to show
    #[arg(long, value_name = "NUMBER", default_value_t = 20, value_parser = clap::value_parser!(i32).range(0..=10_000), help_heading = OUTPUT)]
    pub(in crate::commands) ended: i32,
    #[command(flatten)]
    pub(in crate::commands) form: Form,
}

#[derive(Debug, Args)]
pub(in crate::commands) struct TokenShow {
    #[command(flatten)]
    pub(in crate::commands) which: Which,
    #[command(flatten)]
    pub(in crate::commands) form: Form,
}

/// The days that are asked about.
#[derive(Debug, Args)]
pub(in crate::commands) struct Days {
    /// First day, UTC: a date, or how long ago [default: 30 days before the last day]
    #[arg(long, value_name = "DAY")]
    pub(in crate::commands) from: Option<String>,
    /// Last day, UTC: a date, or how long ago [default: today]
    #[arg(long, value_name = "DAY")]
    pub(in crate::commands) to: Option<String>,
}

#[derive(Debug, Args)]
pub(in crate::commands) struct TokenUsage {
    #[command(flatten)]
    pub(in crate::commands) which: Which,
    #[command(flatten)]
    pub(in crate::commands) days: Days,
    #[command(flatten)]
    pub(in crate::commands) form: Form,
}

#[derive(Debug, Args)]
pub(in crate::commands) struct TokenEvents {
    #[command(flatten)]
    pub(in crate::commands) which: Which,
    #[command(flatten)]
    pub(in crate::commands) days: Days,
    /// Number of events to show
    #[arg(long, value_name = "NUMBER", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000), help_heading = OUTPUT)]
    pub(in crate::commands) limit: u32,
    #[command(flatten)]
    pub(in crate::commands) form: Form,
}
