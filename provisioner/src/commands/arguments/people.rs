//! Users, roles, grants, and the service as a whole.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use latchkey::entry::EntryPattern;
use latchkey::lifetime::Seconds;
use latchkey::name::{ManifestName, NamePattern, RoleName, TokenName, UserName};
use latchkey::role::Permission;

use super::{Allow, ClockFlag, Form, OUTPUT, SAFETY};
use crate::commands::schedule::interval;

#[derive(Debug, Subcommand)]
pub(in crate::commands) enum User {
    /// Create a user or change one
    #[command(after_help = "Examples:
  provision user set ana --roles reader
  provision user set pipeline --kind service --roles ci-job --max-tokens 3
  provision user set ana --email ana@example.com
  provision user set ana --suspend")]
    Set(UserSet),
    /// List users with their roles and numbers of tokens
    #[command(after_help = "Examples:
  provision user list")]
    List {
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
  provision user delete ana")]
    Delete {
        /// Name of the user
        name: UserName,
        #[command(flatten)]
        form: Form,
    },
}

impl User {
    /// The output format that was asked for.
    pub(super) fn form(&self) -> &Form {
        match self {
            Self::Set(set) => &set.form,
            Self::List { form } | Self::Release { form, .. } | Self::Delete { form, .. } => form,
        }
    }
}

#[derive(Debug, Args)]
pub(in crate::commands) struct UserSet {
    /// Name of the user
    pub(in crate::commands) name: UserName,
    /// Account type; cannot be changed later [default: person]
    #[arg(long, value_parser = ["person", "service"])]
    pub(in crate::commands) kind: Option<String>,
    /// Replace all roles of the user with these
    #[arg(long, value_name = "ROLE", num_args = 0.., value_delimiter = ',')]
    pub(in crate::commands) roles: Option<Vec<RoleName>>,
    /// Add a role to the user (repeatable)
    #[arg(long, value_name = "ROLE", conflicts_with = "roles")]
    pub(in crate::commands) add_role: Vec<RoleName>,
    /// Remove a role from the user and from all of their tokens (repeatable)
    #[arg(long, value_name = "ROLE", conflicts_with = "roles")]
    pub(in crate::commands) remove_role: Vec<RoleName>,
    /// Limit of active tokens: a number, or `default`
    #[arg(long, value_name = "N|default")]
    pub(in crate::commands) max_tokens: Option<String>,
    /// Email address for notices about the user's tokens: an address, or `none`
    #[arg(long, value_name = "ADDRESS|none")]
    pub(in crate::commands) email: Option<String>,
    /// Suspend the user: all of their tokens are invalid until `--restore`
    #[arg(long, conflicts_with = "restore")]
    pub(in crate::commands) suspend: bool,
    /// Lift the suspension of the user
    #[arg(long)]
    pub(in crate::commands) restore: bool,
    #[command(flatten)]
    pub(in crate::commands) form: Form,
}

#[derive(Debug, Subcommand)]
pub(in crate::commands) enum Role {
    /// Create a role or change its permissions
    #[command(after_help = "Examples:
  provision role set reader --permission documents:read
  provision role set writer -p documents:read,documents:write")]
    Set {
        /// Name of the role
        name: RoleName,
        /// Permission that the role allows, `resource:action` (repeatable)
        #[arg(long = "permission", short = 'p', value_name = "PERMISSION", num_args = 0.., value_delimiter = ',', required = true)]
        permissions: Vec<Permission>,
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
  provision role delete reader")]
    Delete {
        /// Name of the role
        name: RoleName,
        #[command(flatten)]
        form: Form,
    },
}

impl Role {
    /// The output format that was asked for.
    pub(super) fn form(&self) -> &Form {
        match self {
            Self::Set { form, .. } | Self::List { form } | Self::Release { form, .. } | Self::Delete { form, .. } => {
                form
            }
        }
    }
}

#[derive(Debug, Subcommand)]
pub(in crate::commands) enum ManifestCommand {
    /// Set what a manifest is allowed to grant, replacing the former grant
    #[command(after_help = "Examples:
  provision manifest grant acme-platform --from tokens.toml
  provision manifest grant acme-platform --permission documents:read,documents:write --new-user 'acme-*'
  provision manifest grant acme-platform -p documents:read --role auditor --user ana
  provision manifest grant acme-platform --from tokens.toml --entry 'vercel:team=acme,project=web,*'")]
    Grant(Box<ManifestGrant>),
    /// Show the grant, the last revision, the publication and the current run of a manifest
    #[command(after_help = "Examples:
  provision manifest show acme-platform")]
    Show {
        /// Name of the manifest
        name: ManifestName,
        #[command(flatten)]
        form: Form,
    },
}

impl ManifestCommand {
    /// The output format that was asked for.
    pub(super) fn form(&self) -> &Form {
        match self {
            Self::Grant(grant) => &grant.form,
            Self::Show { form, .. } => form,
        }
    }
}

#[derive(Debug, Args)]
pub(in crate::commands) struct ManifestGrant {
    /// Name of the manifest
    pub(in crate::commands) name: ManifestName,
    /// Permission that its roles and tokens may have, `resource:action` (repeatable)
    #[arg(long = "permission", short = 'p', value_name = "PERMISSION", num_args = 0.., value_delimiter = ',')]
    pub(in crate::commands) permissions: Vec<Permission>,
    /// Role that it may use without declaring it (repeatable)
    #[arg(long = "role", value_name = "ROLE", num_args = 0.., value_delimiter = ',')]
    pub(in crate::commands) roles: Vec<RoleName>,
    /// User that it may use without declaring them (repeatable)
    #[arg(long = "user", short = 'u', value_name = "USER", num_args = 0.., value_delimiter = ',')]
    pub(in crate::commands) users: Vec<UserName>,
    /// User that it may create: a name, or the beginning of names followed by `*` (repeatable)
    #[arg(long = "new-user", value_name = "NAME|PREFIX*", num_args = 0.., value_delimiter = ',')]
    pub(in crate::commands) new_users: Vec<NamePattern>,
    /// Role that it may create: a name, or the beginning of names followed by `*` (repeatable)
    #[arg(long = "new-role", value_name = "NAME|PREFIX*", num_args = 0.., value_delimiter = ',')]
    pub(in crate::commands) new_roles: Vec<NamePattern>,
    /// Limit of users that it may create [default: 100]
    #[arg(long, value_name = "N")]
    pub(in crate::commands) max_users: Option<u32>,
    /// Limit of roles that it may create [default: 100]
    #[arg(long, value_name = "N")]
    pub(in crate::commands) max_roles: Option<u32>,
    /// Entry that the scheduled job may write, or the beginning of entries followed by `*` (repeatable)
    #[arg(long = "entry", value_name = "ENTRY|PREFIX*")]
    pub(in crate::commands) entries: Vec<EntryPattern>,
    /// Also allow everything that this manifest declares
    #[arg(long, value_name = "FILE")]
    pub(in crate::commands) from: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::commands) allow: Allow,
    #[command(flatten)]
    pub(in crate::commands) form: Form,
}

#[derive(Debug, Args)]
pub(in crate::commands) struct Bootstrap {
    /// User that becomes the admin; `me` is you
    #[arg(long, short = 'u', default_value = "me")]
    pub(in crate::commands) user: String,
    /// Name of the token
    #[arg(long, default_value = "first-admin")]
    pub(in crate::commands) token: TokenName,
    /// Expiry: a duration such as `90d`, a date (end of that day, UTC) or an instant [default: 31d]
    #[arg(long, short = 'e')]
    pub(in crate::commands) expires_at: Option<String>,
    /// Create another token although there is one, and revoke that one
    #[arg(long, help_heading = SAFETY)]
    pub(in crate::commands) replace: bool,
    /// Write the secret to a new file with mode 0600 instead of stdout
    #[arg(long, short = 'o', value_name = "FILE", help_heading = OUTPUT)]
    pub(in crate::commands) out: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::commands) clock: ClockFlag,
    #[command(flatten)]
    pub(in crate::commands) form: Form,
}

#[derive(Debug, Args)]
pub(in crate::commands) struct Copy {
    /// Source: `embedded:FILE` or `table:NAME`
    pub(in crate::commands) from: String,
    /// Destination: an empty table, or one that this copy was started into
    pub(in crate::commands) to: String,
    #[command(flatten)]
    pub(in crate::commands) form: Form,
}

#[derive(Debug, Args)]
pub(in crate::commands) struct Serve {
    /// Port on this machine; 0 picks a free one
    #[arg(long, default_value_t = 8787)]
    pub(in crate::commands) port: u16,
    /// Also rotate what is due of this manifest
    #[arg(long, value_name = "FILE")]
    pub(in crate::commands) rotate: Option<PathBuf>,
    /// Interval of `--rotate`
    #[arg(long, value_name = "DURATION", value_parser = interval, default_value = "1h", requires = "rotate")]
    pub(in crate::commands) every: Seconds,
    #[command(flatten)]
    pub(in crate::commands) allow: Allow,
    #[command(flatten)]
    pub(in crate::commands) clock: ClockFlag,
}
