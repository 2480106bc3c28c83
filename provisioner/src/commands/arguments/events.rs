//! Audit events.

use clap::Args;
use latchkey::name::{ManifestName, TokenName, UserName};
use latchkey::secret::TokenId;

use super::{Form, SELECTION};

#[derive(Debug, Args)]
pub(in crate::commands) struct Events {
    /// Events of this user and their tokens only
    #[arg(long, short = 'u', value_name = "USER", help_heading = SELECTION)]
    pub(in crate::commands) user: Option<UserName>,
    /// Events of tokens of this name only
    #[arg(long, value_name = "NAME", help_heading = SELECTION)]
    pub(in crate::commands) token: Option<TokenName>,
    /// Events of the token with this id only, an ended one too
    #[arg(long, value_name = "ID", conflicts_with = "token", help_heading = SELECTION)]
    pub(in crate::commands) id: Option<TokenId>,
    /// Events of this manifest and of the tokens that it declares only
    #[arg(long, value_name = "MANIFEST", conflicts_with = "user", help_heading = SELECTION)]
    pub(in crate::commands) manifest: Option<ManifestName>,
    /// Events from this date or duration ago on: `7d`, `2026-11-01`
    #[arg(long, value_name = "AGO|DATE", default_value = "30d", help_heading = SELECTION)]
    pub(in crate::commands) since: String,
    /// Events of this type only: `token.create`, or `token` for all of tokens
    #[arg(long = "type", value_name = "TYPE", help_heading = SELECTION)]
    pub(in crate::commands) kind: Option<String>,
    /// Show at most so many events, the newest
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(in crate::commands) limit: u32,
    #[command(flatten)]
    pub(in crate::commands) form: Form,
}
