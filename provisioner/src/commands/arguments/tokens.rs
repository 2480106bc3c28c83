//! Tokens created and managed by hand.

use std::ffi::OsString;

use clap::{Args, Subcommand};
use latchkey::name::TokenName;
use latchkey::secret::TokenId;

use super::token_changes::{TokenCreate, TokenDelete, TokenRoles, TokenRotate, TokenUpdate};
use super::token_lookups::{TokenEvents, TokenList, TokenShow, TokenUsage};
use super::{Form, Logout};

#[derive(Debug, Args)]
pub(in crate::commands) struct Whose {
    /// User who owns the token; `me` is you [default: me]
    #[arg(long, short = 'u')]
    pub(in crate::commands) user: Option<String>,
}

impl Whose {
    /// The user that is meant where nothing else says so.
    pub(in crate::commands) fn or_me(&self) -> &str {
        self.user.as_deref().unwrap_or("me")
    }
}

/// One token, by its name or by its id.
#[derive(Debug, Args)]
pub(in crate::commands) struct Which {
    /// Name of the token
    #[arg(required_unless_present = "id")]
    pub(in crate::commands) name: Option<TokenName>,
    /// Id of the token, instead of its name or beside it: reaches deleted, expired and replaced tokens
    #[arg(long, value_name = "ID", value_parser = token_id)]
    pub(in crate::commands) id: Option<TokenId>,
    #[command(flatten)]
    pub(in crate::commands) whose: Whose,
}

fn token_id(text: &str) -> Result<TokenId, &'static str> {
    text.parse().map_err(|_| "an id has 16 characters of `0-9` and `a-z`, see `provision token list`")
}

#[derive(Debug, Subcommand)]
pub(in crate::commands) enum Token {
    /// Create a token and print its secret, this once and alone on stdout
    #[command(
        visible_alias = "set",
        aliases = ["new", "add"],
        after_help = "Examples:
  provision token create laptop --description \"Ana's laptop\" --expires-at 90d
  provision token create production-api --user ci@example.com --role reader -e 2027-03-31"
    )]
    Create(TokenCreate),
    /// List active, deleted and expired tokens
    #[command(after_help = "Cost:
  The tokens of one user are a query or two. With `--all-users` each user is a query of the table, for
  each state; by URL at most 25 users and 100 tokens come with a request. Other filters cost nothing.

Examples:
  provision token list
  provision token list --user ci@example.com --state deleted,expired
  provision token list --all-users --expiring 14d
  provision token list --all-users --unused 60d --format json")]
    List(TokenList),
    /// Show one token with its versions, places and history
    #[command(after_help = "Examples:
  provision token show laptop
  provision token show --id 0g4zq1x8m5c2v7tn")]
    Show(TokenShow),
    /// Change a token's description, labels, expiry, durations, networks or name, but not its secret
    #[command(after_help = "Examples:
  provision token update laptop --description \"Ana's old laptop\" --expires-at 30d
  provision token update laptop --label team=docs --remove-label temporary
  provision token update laptop --allow-ip 192.0.2.0/24,198.51.100.7/32
  provision token update laptop --rename ana-laptop")]
    Update(TokenUpdate),
    /// Replace the secret of a token created by hand, and print the new one, this once and alone on stdout
    #[command(
        after_help = "The older secret stays valid for `--overlap`, so that whatever uses it can be given the new one.

Examples:
  provision token rotate laptop
  provision token rotate laptop --overlap 7d
  provision token rotate laptop --compromised"
    )]
    Rotate(TokenRotate),
    /// Delete a token; all its secrets are revoked at once, for good
    #[command(
        visible_alias = "revoke",
        alias = "rm",
        after_help = "Examples:
  provision token delete laptop
  provision token revoke production-api --user ci@example.com --yes
  provision token delete --id 0g4zq1x8m5c2v7tn"
    )]
    Delete(TokenDelete),
    /// Remove the token that you are logged in with from this machine; `provision logout` by another name
    #[command(
        hide = true,
        after_help = "Examples:
  provision token remove --server old.server.com:8080"
    )]
    Remove {
        /// Not taken: a token is deleted by `provision token delete`.
        #[arg(hide = true)]
        name: Option<OsString>,
        #[command(flatten)]
        logout: Logout,
    },
    /// Show or replace the roles of a token, with the permissions that they allow
    #[command(after_help = "Examples:
  provision token roles laptop
  provision token roles laptop --set reader,writer
  provision token roles laptop --none")]
    Roles(TokenRoles),
    /// Show how often a token was used, by day
    #[command(after_help = "Examples:
  provision token usage laptop
  provision token usage laptop --from 90d
  provision token usage laptop --from 2027-01-01 --to 2027-01-31")]
    Usage(TokenUsage),
    /// Show what was done to a token: its audit events, newest first
    #[command(
        after_help = "Each month from the first day to the last is a query of its own, or more where many events are in it.

Examples:
  provision token events laptop
  provision token events --id 0g4zq1x8m5c2v7tn --from 180d"
    )]
    Events(TokenEvents),
    /// Verify a secret read from stdin and show its owner and permissions
    #[command(after_help = "Exit codes: 0 valid, 1 not valid, 2 could not tell

Examples:
  printenv API_TOKEN | provision token verify")]
    Verify {
        #[command(flatten)]
        form: Form,
    },
    /// Tell what a string read from stdin is, offline: a secret, a cut or masked one, an id, another service's
    #[command(after_help = "Nothing is contacted, and nothing that could be secret is printed.

Exit codes: 0 a whole secret or an id of Latchkey, 1 anything else, 2 could not read it

Examples:
  printenv API_TOKEN | provision token inspect")]
    Inspect(Piped),
    /// Find the token that a secret read from stdin belongs to, also a cut or masked one, or an id
    #[command(
        after_help = "Shows whose it is, what state it is in, where it is stored, its last use and what ends it. The secret stays
on this machine: only the id in it, which is public, is looked up.

Exit codes: 0 found and active, 1 ended or unknown, 2 could not tell

Examples:
  pbpaste | provision token find
  grep -o 'lk_[^ ]*' leaked.log | head -n 1 | provision token find"
    )]
    Find(Piped),
}

/// What is read from stdin. A word is taken too, so that it is refused without being repeated.
#[derive(Debug, Args)]
pub(in crate::commands) struct Piped {
    /// Not taken: other users of the machine could see it.
    #[arg(hide = true, allow_hyphen_values = true)]
    pub(in crate::commands) given: Vec<OsString>,
    #[command(flatten)]
    pub(in crate::commands) form: Form,
}

impl Token {
    /// The output format that was asked for.
    pub(super) fn form(&self) -> &Form {
        match self {
            Self::Create(create) => &create.form,
            Self::List(list) => &list.form,
            Self::Show(show) => &show.form,
            Self::Update(update) => &update.form,
            Self::Rotate(rotate) => &rotate.form,
            Self::Delete(delete) => &delete.form,
            Self::Remove { logout, .. } => &logout.form,
            Self::Roles(roles) => &roles.form,
            Self::Usage(usage) => &usage.form,
            Self::Events(events) => &events.form,
            Self::Inspect(piped) | Self::Find(piped) => &piped.form,
            Self::Verify { form } => form,
        }
    }
}
