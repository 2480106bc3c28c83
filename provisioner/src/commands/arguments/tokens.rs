//! Tokens created and managed by hand.

use clap::{Args, Subcommand};
use ipnet::IpNet;
use jiff::civil::Date;
use latchkey::name::{RoleName, TokenName};

use super::{ClockFlag, Form, Logout, SAFETY};

#[derive(Debug, Args)]
pub(in crate::commands) struct Whose {
    /// User who owns the token; `me` is you
    #[arg(long, short = 'u', default_value = "me")]
    pub(in crate::commands) user: String,
}

#[derive(Debug, Subcommand)]
pub(in crate::commands) enum Token {
    /// Create a token and print its secret, this once and alone on stdout
    #[command(after_help = "Examples:
  provision token set laptop --description \"Ana's laptop\"
  provision token set production-api --user ci@example.com --role reader --expires-at 2027-03-31")]
    Set(TokenSet),
    /// List active, deleted and expired tokens
    #[command(after_help = "Examples:
  provision token list
  provision token list --user ci@example.com --format json")]
    List {
        #[command(flatten)]
        whose: Whose,
        /// Number of deleted and expired tokens to show
        #[arg(long, default_value_t = 20)]
        ended: i32,
        #[command(flatten)]
        form: Form,
    },
    /// Show one token with its versions, places and history
    #[command(after_help = "Examples:
  provision token show laptop")]
    Show {
        /// Name of the token
        name: TokenName,
        #[command(flatten)]
        whose: Whose,
        #[command(flatten)]
        form: Form,
    },
    /// Delete a token; all its secrets are revoked at once, for good
    #[command(after_help = "Examples:
  provision token delete laptop
  provision token delete production-api --user ci@example.com --yes")]
    Delete {
        /// Name of the token
        name: TokenName,
        #[command(flatten)]
        whose: Whose,
        /// Delete without asking for confirmation
        #[arg(long, short = 'y', help_heading = SAFETY)]
        yes: bool,
        #[command(flatten)]
        form: Form,
    },
    /// Remove the token that you are logged in with from this machine; `provision logout` by another name
    #[command(
        hide = true,
        after_help = "Examples:
  provision token remove --server old.server.com:8080"
    )]
    Remove(Logout),
    /// Show or replace the roles of a token, with the permissions that they allow
    #[command(after_help = "Examples:
  provision token roles laptop
  provision token roles laptop --set reader,writer")]
    Roles {
        /// Name of the token
        name: TokenName,
        #[command(flatten)]
        whose: Whose,
        /// Replace the roles with these, among those of the user
        #[arg(long, value_name = "ROLE", num_args = 0.., value_delimiter = ',')]
        set: Option<Vec<RoleName>>,
        #[command(flatten)]
        form: Form,
    },
    /// Show how often a token was used, by day
    #[command(after_help = "Examples:
  provision token usage laptop
  provision token usage laptop --from 2027-01-01 --to 2027-01-31")]
    Usage {
        /// Name of the token
        name: TokenName,
        #[command(flatten)]
        whose: Whose,
        /// First day, UTC [default: 30 days before the last day]
        #[arg(long, value_name = "DAY")]
        from: Option<Date>,
        /// Last day, UTC [default: today]
        #[arg(long, value_name = "DAY")]
        to: Option<Date>,
        #[command(flatten)]
        form: Form,
    },
    /// Verify a secret read from stdin and show its owner and permissions
    #[command(after_help = "Exit codes: 0 valid, 1 not valid, 2 could not tell

Examples:
  printenv API_TOKEN | provision token verify")]
    Verify {
        #[command(flatten)]
        form: Form,
    },
}

impl Token {
    /// The output format that was asked for.
    pub(super) fn form(&self) -> &Form {
        match self {
            Self::Set(set) => &set.form,
            Self::Remove(logout) => &logout.form,
            Self::List { form, .. }
            | Self::Show { form, .. }
            | Self::Delete { form, .. }
            | Self::Roles { form, .. }
            | Self::Usage { form, .. }
            | Self::Verify { form } => form,
        }
    }
}

#[derive(Debug, Args)]
pub(in crate::commands) struct TokenSet {
    /// Name of the token: what uses it, and where
    pub(in crate::commands) name: TokenName,
    /// Expiry: a date (end of that day, UTC) or an instant [default: 31 days from now]
    #[arg(long, short = 'e')]
    pub(in crate::commands) expires_at: Option<String>,
    /// Description: what the token is for
    #[arg(long, short = 'd')]
    pub(in crate::commands) description: Option<String>,
    #[command(flatten)]
    pub(in crate::commands) whose: Whose,
    /// Role to grant (repeatable) [default: all of the user's roles]
    #[arg(long = "role", value_name = "ROLE")]
    pub(in crate::commands) roles: Vec<RoleName>,
    /// Grant no role
    #[arg(long, conflicts_with = "roles")]
    pub(in crate::commands) no_roles: bool,
    /// Allowed network, for example `10.0.0.0/8` (repeatable) [default: any]
    #[arg(long = "allow-ip", value_name = "CIDR")]
    pub(in crate::commands) allowed_ips: Vec<IpNet>,
    /// Label to attach (repeatable)
    #[arg(long = "label", value_name = "KEY=VALUE")]
    pub(in crate::commands) labels: Vec<String>,
    #[command(flatten)]
    pub(in crate::commands) clock: ClockFlag,
    #[command(flatten)]
    pub(in crate::commands) form: Form,
}
