//! Tokens made and looked at by hand.

use clap::{Args, Subcommand};
use ipnet::IpNet;
use jiff::civil::Date;
use latchkey::name::{RoleName, TokenName};

use super::Form;

#[derive(Debug, Args)]
pub(in crate::commands) struct Whose {
    /// The user; `me` is you
    #[arg(long, short = 'u', default_value = "me")]
    pub(in crate::commands) user: String,
}

#[derive(Debug, Subcommand)]
pub(in crate::commands) enum Token {
    /// Make a token; its secret is printed once, alone on stdout
    Set(TokenSet),
    /// List active, deleted and expired tokens
    List {
        #[command(flatten)]
        whose: Whose,
        /// How many ended tokens to show
        #[arg(long, default_value_t = 20)]
        ended: i32,
        #[command(flatten)]
        form: Form,
    },
    /// Show one token with its versions, places and history
    Show {
        /// The token's name
        name: TokenName,
        #[command(flatten)]
        whose: Whose,
        #[command(flatten)]
        form: Form,
    },
    /// End a token at once and for good
    Delete {
        /// The token's name
        name: TokenName,
        #[command(flatten)]
        whose: Whose,
        /// Do not ask
        #[arg(long, short = 'y')]
        yes: bool,
        #[command(flatten)]
        form: Form,
    },
    /// Show or set a token's roles and what they permit
    Roles {
        /// The token's name
        name: TokenName,
        #[command(flatten)]
        whose: Whose,
        /// Set the roles to these; the user must hold them
        #[arg(long, value_name = "ROLE", num_args = 0.., value_delimiter = ',')]
        set: Option<Vec<RoleName>>,
        #[command(flatten)]
        form: Form,
    },
    /// Show how often a token was used, by day
    Usage {
        /// The token's name
        name: TokenName,
        #[command(flatten)]
        whose: Whose,
        /// The first day, UTC; 30 days ago when not given
        #[arg(long, value_name = "DAY")]
        from: Option<Date>,
        /// The last day, UTC; today when not given
        #[arg(long, value_name = "DAY")]
        to: Option<Date>,
        #[command(flatten)]
        form: Form,
    },
    /// Read a secret from stdin and say who it is: exit 0 valid, 1 not valid, 2 could not tell
    Verify {
        #[command(flatten)]
        form: Form,
    },
}

#[derive(Debug, Args)]
pub(in crate::commands) struct TokenSet {
    /// The token's name: say what uses it and where
    pub(in crate::commands) name: TokenName,
    /// When it expires: a date (the end of that day, UTC) or an instant; 31 days from now when not given
    #[arg(long, short = 'e')]
    pub(in crate::commands) expires_at: Option<String>,
    /// What it is for
    #[arg(long, short = 'd')]
    pub(in crate::commands) description: Option<String>,
    #[command(flatten)]
    pub(in crate::commands) whose: Whose,
    /// A role that the user holds; all of them when not given
    #[arg(long = "role", value_name = "ROLE")]
    pub(in crate::commands) roles: Vec<RoleName>,
    /// Give it no role
    #[arg(long, conflicts_with = "roles")]
    pub(in crate::commands) no_roles: bool,
    /// A network it may be used from, for instance `10.0.0.0/8`
    #[arg(long = "allow-ip", value_name = "CIDR")]
    pub(in crate::commands) allowed_ips: Vec<IpNet>,
    #[arg(long = "label", value_name = "KEY=VALUE")]
    pub(in crate::commands) labels: Vec<String>,
    #[command(flatten)]
    pub(in crate::commands) form: Form,
}
