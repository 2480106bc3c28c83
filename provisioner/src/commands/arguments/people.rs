//! Users, roles, grants, and the service as a whole.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use latchkey::name::{ManifestName, RoleName, TokenName, UserName};
use latchkey::role::Permission;

use super::Form;

#[derive(Debug, Subcommand)]
pub(in crate::commands) enum User {
    /// Make a user or change one
    Set(UserSet),
    List {
        #[command(flatten)]
        form: Form,
    },
    /// Delete a user without active tokens
    Delete {
        /// The user's name
        name: UserName,
        #[command(flatten)]
        form: Form,
    },
}

#[derive(Debug, Args)]
pub(in crate::commands) struct UserSet {
    /// The user's name
    pub(in crate::commands) name: UserName,
    /// What kind of user, fixed once it exists
    #[arg(long, value_parser = ["person", "service"])]
    pub(in crate::commands) kind: Option<String>,
    /// The roles that it holds from now on
    #[arg(long, value_name = "ROLE", num_args = 0.., value_delimiter = ',')]
    pub(in crate::commands) roles: Option<Vec<RoleName>>,
    /// A role that it gets
    #[arg(long, value_name = "ROLE", conflicts_with = "roles")]
    pub(in crate::commands) add_role: Vec<RoleName>,
    /// A role that it loses, and all its tokens with it
    #[arg(long, value_name = "ROLE", conflicts_with = "roles")]
    pub(in crate::commands) remove_role: Vec<RoleName>,
    /// The most active tokens: a number, or `default`
    #[arg(long, value_name = "N|default")]
    pub(in crate::commands) max_tokens: Option<String>,
    /// Make all its tokens invalid at once, until it is restored
    #[arg(long, conflicts_with = "restore")]
    pub(in crate::commands) suspend: bool,
    /// Undo a suspension
    #[arg(long)]
    pub(in crate::commands) restore: bool,
    #[command(flatten)]
    pub(in crate::commands) form: Form,
}

#[derive(Debug, Subcommand)]
pub(in crate::commands) enum Role {
    /// Define a role or change what it permits
    Set {
        /// The role's name
        name: RoleName,
        /// What it permits, `resource:action`
        #[arg(long = "permission", short = 'p', value_name = "PERMISSION", num_args = 0.., value_delimiter = ',', required = true)]
        permissions: Vec<Permission>,
        #[command(flatten)]
        form: Form,
    },
    List {
        #[command(flatten)]
        form: Form,
    },
    /// Delete a role that nobody holds
    Delete {
        /// The role's name
        name: RoleName,
        #[command(flatten)]
        form: Form,
    },
}

#[derive(Debug, Subcommand)]
pub(in crate::commands) enum ManifestCommand {
    /// Say what a manifest may hand out when it is applied with a token; what is not named is taken back
    Grant {
        /// The manifest's name
        name: ManifestName,
        /// A permission that its roles and tokens may have, `resource:action`
        #[arg(long = "permission", short = 'p', value_name = "PERMISSION", num_args = 0.., value_delimiter = ',')]
        permissions: Vec<Permission>,
        /// A role that it may name without declaring it
        #[arg(long = "role", value_name = "ROLE", num_args = 0.., value_delimiter = ',')]
        roles: Vec<RoleName>,
        /// A user that it may name without declaring it
        #[arg(long = "user", short = 'u', value_name = "USER", num_args = 0.., value_delimiter = ',')]
        users: Vec<UserName>,
        #[command(flatten)]
        form: Form,
    },
    /// Show what is known of a manifest
    Show {
        /// The manifest's name
        name: ManifestName,
        #[command(flatten)]
        form: Form,
    },
}

#[derive(Debug, Args)]
pub(in crate::commands) struct Bootstrap {
    /// The admin's user; `me` is you
    #[arg(long, short = 'u', default_value = "me")]
    pub(in crate::commands) user: String,
    /// The token's name
    #[arg(long, default_value = "first-admin")]
    pub(in crate::commands) token: TokenName,
    /// When it expires: a date (the end of that day, UTC) or an instant; 31 days from now when not given
    #[arg(long, short = 'e')]
    pub(in crate::commands) expires_at: Option<String>,
    /// Make another one although there is one, and end that one
    #[arg(long)]
    pub(in crate::commands) replace: bool,
    /// Write the secret to a new file with mode 0600 instead of stdout
    #[arg(long, short = 'o', value_name = "FILE")]
    pub(in crate::commands) out: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::commands) form: Form,
}

#[derive(Debug, Args)]
pub(in crate::commands) struct Copy {
    /// What to copy: `embedded:FILE` or `table:NAME`
    pub(in crate::commands) from: String,
    /// Where to: a table that is empty, or that this copy was begun into
    pub(in crate::commands) to: String,
    #[command(flatten)]
    pub(in crate::commands) form: Form,
}

#[derive(Debug, Args)]
pub(in crate::commands) struct Serve {
    /// The port on this machine; 0 takes a free one
    #[arg(long, default_value_t = 8787)]
    pub(in crate::commands) port: u16,
}
