//! Roles.

use clap::Subcommand;
use latchkey::name::RoleName;
use latchkey::role::Permission;

use super::{Form, SAFETY};

#[derive(Debug, Subcommand)]
pub(in crate::commands) enum Role {
    /// Create a role or replace its permissions
    #[command(after_help = "Examples:
  provision role set reader --permission documents:read
  provision role set writer -p documents:read,documents:write")]
    Set {
        /// Name of the role
        name: RoleName,
        /// Permission that the role allows, `resource:action` (repeatable, or with commas)
        #[arg(
            long = "permission",
            short = 'p',
            alias = "permissions",
            value_name = "PERMISSION",
            value_delimiter = ',',
            required_unless_present = "no_permissions"
        )]
        permissions: Vec<Permission>,
        /// Allow nothing
        #[arg(long, conflicts_with = "permissions")]
        no_permissions: bool,
        /// Do not ask for confirmation when the role loses a permission
        #[arg(long, short = 'y', help_heading = SAFETY)]
        yes: bool,
        #[command(flatten)]
        form: Form,
    },
    /// Add permissions to a role
    #[command(after_help = "Examples:
  provision role add writer documents:list invoices:read")]
    Add {
        /// Name of the role
        name: RoleName,
        /// Permissions to add, `resource:action`
        #[arg(value_name = "PERMISSION", value_delimiter = ',', required = true)]
        permissions: Vec<Permission>,
        #[command(flatten)]
        form: Form,
    },
    /// Remove permissions from a role, and so from all tokens that have it
    #[command(after_help = "Examples:
  provision role remove writer documents:write")]
    Remove {
        /// Name of the role
        name: RoleName,
        /// Permissions to remove, as `role show` lists them
        #[arg(value_name = "PERMISSION", value_delimiter = ',', required = true)]
        permissions: Vec<Permission>,
        /// Do not ask for confirmation
        #[arg(long, short = 'y', help_heading = SAFETY)]
        yes: bool,
        #[command(flatten)]
        form: Form,
    },
    /// List roles with their permissions and numbers of users
    #[command(after_help = "Examples:
  provision role list")]
    List {
        #[command(flatten)]
        form: Form,
    },
    /// Show a role with its permissions, users and number of tokens
    #[command(after_help = "Examples:
  provision role show reader")]
    Show {
        /// Name of the role
        name: RoleName,
        #[command(flatten)]
        form: Form,
    },
    /// Release a role from the manifest that declares it
    #[command(after_help = "Examples:
  provision role release reader")]
    Release {
        /// Name of the role
        name: RoleName,
        #[command(flatten)]
        form: Form,
    },
    /// Delete a role that no user has
    #[command(after_help = "Examples:
  provision role delete reader
  provision role delete reader --yes")]
    Delete {
        /// Name of the role
        name: RoleName,
        /// Do not ask for confirmation
        #[arg(long, short = 'y', help_heading = SAFETY)]
        yes: bool,
        #[command(flatten)]
        form: Form,
    },
}

impl Role {
    /// The output format that was asked for.
    pub(super) fn form(&self) -> &Form {
        match self {
            Self::Set { form, .. }
            | Self::Add { form, .. }
            | Self::Remove { form, .. }
            | Self::List { form }
            | Self::Show { form, .. }
            | Self::Release { form, .. }
            | Self::Delete { form, .. } => form,
        }
    }
}
