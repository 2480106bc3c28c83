//! Users.

use clap::{Args, Subcommand};
use latchkey::name::{RoleName, UserName};

use super::{Form, SAFETY};

#[derive(Debug, Subcommand)]
pub(in crate::commands) enum User {
    /// Create a user or change one
    #[command(after_help = "Examples:
  provision user set ana --role reader
  provision user set pipeline --kind service --role ci-job --max-tokens 3
  provision user set ana --email ana@example.com")]
    Set(UserSet),
    /// List users with their roles and numbers of tokens
    #[command(after_help = "Examples:
  provision user list")]
    List {
        #[command(flatten)]
        form: Form,
    },
    /// Show a user with their roles and what these allow, tokens, limit and manifest
    #[command(after_help = "Examples:
  provision user show ana
  provision user show ana --format json")]
    Show {
        /// Name of the user
        name: UserName,
        #[command(flatten)]
        form: Form,
    },
    /// Suspend a user: none of their tokens is valid until `user restore`
    #[command(after_help = "Examples:
  provision user suspend ana")]
    Suspend {
        /// Name of the user
        name: UserName,
        #[command(flatten)]
        form: Form,
    },
    /// Lift the suspension of a user
    #[command(after_help = "Examples:
  provision user restore ana")]
    Restore {
        /// Name of the user
        name: UserName,
        #[command(flatten)]
        form: Form,
    },
    /// Release a user from the manifest that declares them
    #[command(after_help = "Examples:
  provision user release pipeline")]
    Release {
        /// Name of the user
        name: UserName,
        #[command(flatten)]
        form: Form,
    },
    /// Delete a user without active tokens
    #[command(after_help = "Examples:
  provision user delete ana
  provision user delete ana --yes")]
    Delete {
        /// Name of the user
        name: UserName,
        /// Do not ask for confirmation
        #[arg(long, short = 'y', help_heading = SAFETY)]
        yes: bool,
        #[command(flatten)]
        form: Form,
    },
}

impl User {
    /// The output format that was asked for.
    pub(super) fn form(&self) -> &Form {
        match self {
            Self::Set(set) => &set.form,
            Self::List { form }
            | Self::Show { form, .. }
            | Self::Suspend { form, .. }
            | Self::Restore { form, .. }
            | Self::Release { form, .. }
            | Self::Delete { form, .. } => form,
        }
    }
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(in crate::commands) struct UserSet {
    /// Name of the user
    pub(in crate::commands) name: UserName,
    /// Account type; cannot be changed later [default: person]
    #[arg(long, value_parser = ["person", "service"])]
    pub(in crate::commands) kind: Option<String>,
    /// Replace all roles of the user by this one (repeatable, or with commas)
    #[arg(long = "role", alias = "roles", value_name = "ROLE", value_delimiter = ',')]
    pub(in crate::commands) roles: Option<Vec<RoleName>>,
    /// Remove all roles of the user
    #[arg(long, conflicts_with_all = ["roles", "add_role", "remove_role"])]
    pub(in crate::commands) no_roles: bool,
    /// Add a role to the user (repeatable, or with commas)
    #[arg(long, value_name = "ROLE", value_delimiter = ',', conflicts_with = "roles")]
    pub(in crate::commands) add_role: Vec<RoleName>,
    /// Remove a role from the user and from all of their tokens (repeatable, or with commas)
    #[arg(long, value_name = "ROLE", value_delimiter = ',', conflicts_with = "roles")]
    pub(in crate::commands) remove_role: Vec<RoleName>,
    /// Limit of active tokens: a number, or `default`
    #[arg(long, value_name = "N|default")]
    pub(in crate::commands) max_tokens: Option<String>,
    /// Email address for notices about the user's tokens: an address, or `none`
    #[arg(long, value_name = "ADDRESS|none")]
    pub(in crate::commands) email: Option<String>,
    // `user suspend` and `user restore` by their former names.
    #[arg(long, conflicts_with = "restore", hide = true)]
    pub(in crate::commands) suspend: bool,
    #[arg(long, hide = true)]
    pub(in crate::commands) restore: bool,
    /// Do not ask for confirmation when the user loses a role
    #[arg(long, short = 'y', help_heading = SAFETY)]
    pub(in crate::commands) yes: bool,
    #[command(flatten)]
    pub(in crate::commands) form: Form,
}
