//! Grants, and the service as a whole.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use latchkey::entry::EntryPattern;
use latchkey::name::{ManifestName, NamePattern, RoleName, TokenName, UserName};
use latchkey::role::Permission;

use super::{Allow, ClockFlag, Form, OUTPUT, SAFETY};

#[derive(Debug, Subcommand)]
pub(in crate::commands) enum ManifestCommand {
    /// Set what a manifest is allowed to grant, replacing the former grant
    #[command(after_help = "Examples:
  provision manifest grant acme-platform --from tokens.toml
  provision manifest grant acme-platform --permission documents:read,documents:write --new-user 'acme-*'
  provision manifest grant acme-platform -p documents:read --role auditor --user ana
  provision manifest grant acme-platform --from tokens.toml --entry 'vercel:team=acme,project=web,*'")]
    Grant(Box<ManifestGrant>),
    /// List manifests with their tokens, last apply, publication and last turn of the scheduled job
    #[command(after_help = "Examples:
  provision manifest list")]
    List {
        #[command(flatten)]
        form: Form,
    },
    /// Show the grant, the last apply, the publication and the current run of a manifest
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
            Self::List { form } | Self::Show { form, .. } => form,
        }
    }
}

#[derive(Debug, Args)]
pub(in crate::commands) struct ManifestGrant {
    /// Name of the manifest
    pub(in crate::commands) name: ManifestName,
    /// Permission that its roles and tokens may have, `resource:action` (repeatable, or with commas)
    #[arg(long = "permission", short = 'p', alias = "permissions", value_name = "PERMISSION", value_delimiter = ',')]
    pub(in crate::commands) permissions: Vec<Permission>,
    /// Role that it may use without declaring it (repeatable, or with commas)
    #[arg(long = "role", alias = "roles", value_name = "ROLE", value_delimiter = ',')]
    pub(in crate::commands) roles: Vec<RoleName>,
    /// User that it may use without declaring them (repeatable, or with commas)
    #[arg(long = "user", short = 'u', alias = "users", value_name = "USER", value_delimiter = ',')]
    pub(in crate::commands) users: Vec<UserName>,
    /// User that it may create: a name, or the beginning of names followed by `*` (repeatable, or with commas)
    #[arg(long = "new-user", alias = "new-users", value_name = "NAME|PREFIX*", value_delimiter = ',')]
    pub(in crate::commands) new_users: Vec<NamePattern>,
    /// Role that it may create: a name, or the beginning of names followed by `*` (repeatable, or with commas)
    #[arg(long = "new-role", alias = "new-roles", value_name = "NAME|PREFIX*", value_delimiter = ',')]
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
