//! What changes tokens.

use clap::Args;
use ipnet::IpNet;
use latchkey::lifetime::Seconds;
use latchkey::name::{RoleName, TokenName};

use super::network::network;
use super::tokens::{Which, Whose};
use super::{ClockFlag, Form, SAFETY};

#[derive(Debug, Args)]
pub(in crate::commands) struct TokenCreate {
    /// Name of the token: what uses it, and where
    pub(in crate::commands) name: TokenName,
    /// Expiry: a duration such as `90d`, a date (end of that day, UTC) or an instant [default: 31d]
    #[arg(long, short = 'e', value_name = "WHEN")]
    pub(in crate::commands) expires_at: Option<String>,
    /// Description: what the token is for
    #[arg(long, short = 'd')]
    pub(in crate::commands) description: Option<String>,
    #[command(flatten)]
    pub(in crate::commands) whose: Whose,
    /// Role to grant (repeatable or with commas) [default: all of the user's roles]
    #[arg(long = "role", value_name = "ROLE", value_delimiter = ',')]
    pub(in crate::commands) roles: Vec<RoleName>,
    /// Grant no role
    #[arg(long, conflicts_with = "roles")]
    pub(in crate::commands) no_roles: bool,
    /// Allowed network, for example `10.0.0.0/8` (repeatable or with commas) [default: any]
    #[arg(long = "allow-ip", value_name = "CIDR", value_parser = network, value_delimiter = ',')]
    pub(in crate::commands) allowed_ips: Vec<IpNet>,
    /// Label to attach (repeatable or with commas)
    #[arg(long = "label", value_name = "KEY=VALUE", value_delimiter = ',')]
    pub(in crate::commands) labels: Vec<String>,
    #[command(flatten)]
    pub(in crate::commands) clock: ClockFlag,
    #[command(flatten)]
    pub(in crate::commands) form: Form,
}

#[derive(Debug, Args)]
pub(in crate::commands) struct TokenUpdate {
    #[command(flatten)]
    pub(in crate::commands) which: Which,
    /// New name; whatever uses the token is not affected
    #[arg(long, value_name = "NAME")]
    pub(in crate::commands) rename: Option<TokenName>,
    /// New description; an empty one removes it
    #[arg(long, short = 'd')]
    pub(in crate::commands) description: Option<String>,
    /// Label to attach or change (repeatable or with commas)
    #[arg(long = "label", value_name = "KEY=VALUE", value_delimiter = ',')]
    pub(in crate::commands) labels: Vec<String>,
    /// Label to remove (repeatable or with commas)
    #[arg(long = "remove-label", value_name = "KEY", value_delimiter = ',')]
    pub(in crate::commands) remove_labels: Vec<String>,
    /// New expiry: a duration from now, a date (end of that day, UTC) or an instant
    #[arg(long, short = 'e', value_name = "WHEN")]
    pub(in crate::commands) expires_at: Option<String>,
    /// How often the token is rotated, for one that a manifest declares
    #[arg(long, value_name = "DURATION")]
    pub(in crate::commands) rotate_every: Option<Seconds>,
    /// How long an older version stays valid after a rotation, for a token that a manifest declares
    #[arg(long, value_name = "DURATION")]
    pub(in crate::commands) overlap: Option<Seconds>,
    /// Network that the token is allowed from, instead of the present ones (repeatable or with commas)
    #[arg(long = "allow-ip", value_name = "CIDR", value_parser = network, value_delimiter = ',')]
    pub(in crate::commands) allowed_ips: Vec<IpNet>,
    /// Allow the token from everywhere
    #[arg(long, conflicts_with = "allowed_ips")]
    pub(in crate::commands) allow_any_ip: bool,
    #[command(flatten)]
    pub(in crate::commands) clock: ClockFlag,
    #[command(flatten)]
    pub(in crate::commands) form: Form,
}

#[derive(Debug, Args)]
pub(in crate::commands) struct TokenRotate {
    #[command(flatten)]
    pub(in crate::commands) which: Which,
    /// How long the older secret stays valid
    #[arg(long, value_name = "DURATION", default_value = "24h")]
    pub(in crate::commands) overlap: Seconds,
    /// Revoke every older secret at once, as it has leaked
    #[arg(long, conflicts_with = "overlap", help_heading = SAFETY)]
    pub(in crate::commands) compromised: bool,
    #[command(flatten)]
    pub(in crate::commands) clock: ClockFlag,
    #[command(flatten)]
    pub(in crate::commands) form: Form,
}

#[derive(Debug, Args)]
pub(in crate::commands) struct TokenDelete {
    #[command(flatten)]
    pub(in crate::commands) which: Which,
    /// Delete without asking for confirmation
    #[arg(long, short = 'y', help_heading = SAFETY)]
    pub(in crate::commands) yes: bool,
    #[command(flatten)]
    pub(in crate::commands) form: Form,
}

#[derive(Debug, Args)]
pub(in crate::commands) struct TokenRoles {
    #[command(flatten)]
    pub(in crate::commands) which: Which,
    /// Replace the roles with these, among those of the user (repeatable or with commas)
    #[arg(long, value_name = "ROLE", value_delimiter = ',')]
    pub(in crate::commands) set: Vec<RoleName>,
    /// Remove all roles: the token then allows nothing
    #[arg(long, conflicts_with = "set")]
    pub(in crate::commands) none: bool,
    #[command(flatten)]
    pub(in crate::commands) form: Form,
}
