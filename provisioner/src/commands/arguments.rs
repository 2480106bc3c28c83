//! Arguments as they are typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use ipnet::IpNet;
use jiff::civil::Date;
use latchkey::name::{ManifestName, RoleName, TokenName, UserName};
use latchkey::role::Permission;

use crate::manifest::Allowances;
use crate::output::Format;

/// Create, deliver, rotate and check API tokens, declared in a `tokens.toml`
#[derive(Debug, Parser)]
#[command(name = "provision", version, max_term_width = 100)]
pub(super) struct Arguments {
    /// The service: `embedded:FILE`, `table:NAME` or a server's URL; the nearest `tokens.toml` says it otherwise
    #[arg(long, global = true, value_name = "ADDRESS", env = "LATCHKEY_SERVICE")]
    pub(super) service: Option<String>,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Write a commented starter `tokens.toml`
    Init(Init),
    /// Check a manifest without contacting anything
    Check(Check),
    /// Show what `apply` would change, and why
    Plan(Plan),
    /// Make the service and all places what the manifest declares
    Apply(Apply),
    /// Rotate what is due, or the named tokens now
    Rotate(Rotate),
    /// Show every token, its versions and its places
    Status(Status),
    /// Print the JSON Schema of manifests, for editors
    Schema,
    /// Make, list and check tokens by hand
    Token {
        /// What to do.
        #[command(subcommand)]
        command: Token,
    },
    /// Make and change users
    User {
        /// What to do.
        #[command(subcommand)]
        command: User,
    },
    /// Make and change roles
    Role {
        /// What to do.
        #[command(subcommand)]
        command: Role,
    },
    /// Say what a manifest may hand out, and show what is known of one
    Manifest {
        /// What to do.
        #[command(subcommand)]
        command: ManifestCommand,
    },
    /// Make the first admin of a service on its own table, or a new one when it was lost
    Bootstrap(Bootstrap),
    /// Copy a whole service, for instance to AWS or into a backup
    Copy(Copy),
    /// Serve the HTTP API on this machine
    Serve(Serve),
}

#[derive(Debug, Args)]
pub(super) struct Form {
    /// The form of the result
    #[arg(long = "format", short = 't', alias = "format-type", value_enum, default_value_t)]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(super) struct Init {
    /// The file to write
    #[arg(default_value = "tokens.toml")]
    pub(super) file: PathBuf,
    /// The manifest's name; the folder's when not given
    #[arg(long)]
    pub(super) name: Option<String>,
}

/// What a manifest may do beyond its own folder: it is untrusted input.
#[derive(Debug, Default, Args)]
#[expect(clippy::struct_field_names, reason = "the fields are the flags")]
pub(super) struct Allow {
    /// Let the manifest name this host as an endpoint
    #[arg(long, value_name = "HOST")]
    pub(super) allow_host: Vec<String>,
    /// Let the manifest name paths outside its folder
    #[arg(long)]
    pub(super) allow_outside: bool,
    /// Let a login of the manifest stand in this environment variable
    #[arg(long, value_name = "NAME")]
    pub(super) allow_env: Vec<String>,
    /// Let the manifest run commands that print logins
    #[arg(long)]
    pub(super) allow_commands: bool,
}

impl Allow {
    /// What the manifest may do.
    pub(super) fn allowances(&self) -> Allowances {
        Allowances {
            hosts: self.allow_host.clone(),
            outside: self.allow_outside,
            variables: self.allow_env.clone(),
            commands: self.allow_commands,
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct Check {
    /// The manifest
    #[arg(default_value = "tokens.toml")]
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) allow: Allow,
    #[command(flatten)]
    pub(super) form: Form,
}

/// What a run may do.
#[derive(Debug, Args)]
pub(super) struct May {
    /// End tokens and remove entries that are no longer declared
    #[arg(long)]
    pub(super) prune: bool,
    /// How many tokens the run may end
    #[arg(long, value_name = "N", requires = "prune")]
    pub(super) allow_deletes: Option<usize>,
    /// End tokens that were used in the last 7 days too
    #[arg(long, requires = "prune")]
    pub(super) prune_used: bool,
    /// Retire versions that are still used
    #[arg(long)]
    pub(super) force_retire: bool,
    /// Drop a recorded place, by the id that `plan` shows, without looking at it
    #[arg(long, value_name = "PLACE")]
    pub(super) forget: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct Plan {
    /// The manifest
    #[arg(default_value = "tokens.toml")]
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) may: May,
    /// Exit 2 when there are changes
    #[arg(long)]
    pub(super) detailed_exitcode: bool,
    /// Contact nothing: check the file and show what it declares
    #[arg(long)]
    pub(super) offline: bool,
    #[command(flatten)]
    pub(super) allow: Allow,
    #[command(flatten)]
    pub(super) form: Form,
}

#[derive(Debug, Args)]
pub(super) struct Apply {
    /// The manifest
    #[arg(default_value = "tokens.toml")]
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) may: May,
    /// Refuse unless the plan still has this id
    #[arg(long, value_name = "ID")]
    pub(super) plan_id: Option<String>,
    #[command(flatten)]
    pub(super) how: How,
    #[command(flatten)]
    pub(super) allow: Allow,
    #[command(flatten)]
    pub(super) form: Form,
}

/// How a run goes about it.
#[derive(Debug, Args)]
pub(super) struct How {
    /// How many seconds to wait for another run of the same manifest
    #[arg(long, value_name = "SECONDS", default_value_t = 90)]
    pub(super) wait: u64,
    /// Take the lease from a run that is dead or elsewhere; not needed on an embedded table
    #[arg(long)]
    pub(super) steal: bool,
    /// A number that rises with the manifest's history, for instance CI's run number; older ones are refused
    #[arg(long, value_name = "N")]
    pub(super) revision: Option<u64>,
    /// Apply a revision older than the last one
    #[arg(long, requires = "revision")]
    pub(super) force_revision: bool,
}

#[derive(Debug, Args)]
pub(super) struct Rotate {
    /// The manifest, then the tokens to rotate now; those that are due when none is named
    #[arg(value_name = "FILE|NAME")]
    pub(super) words: Vec<String>,
    /// Rotate every token now
    #[arg(long)]
    pub(super) all: bool,
    /// Retire versions that are still used
    #[arg(long)]
    pub(super) force_retire: bool,
    /// Drop a recorded place, by the id that `plan` shows, without looking at it
    #[arg(long, value_name = "PLACE")]
    pub(super) forget: Vec<String>,
    #[command(flatten)]
    pub(super) how: How,
    #[command(flatten)]
    pub(super) allow: Allow,
    #[command(flatten)]
    pub(super) form: Form,
}

#[derive(Debug, Args)]
pub(super) struct Status {
    /// The manifest
    #[arg(default_value = "tokens.toml")]
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) allow: Allow,
    #[command(flatten)]
    pub(super) form: Form,
}

/// Whose token.
#[derive(Debug, Args)]
pub(super) struct Whose {
    /// The user; `me` is you
    #[arg(long, short = 'u', default_value = "me")]
    pub(super) user: String,
}

#[derive(Debug, Subcommand)]
pub(super) enum Token {
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
pub(super) struct TokenSet {
    /// The token's name: say what uses it and where
    pub(super) name: TokenName,
    /// When it expires: a date (the end of that day, UTC) or an instant; 31 days from now when not given
    #[arg(long, short = 'e')]
    pub(super) expires_at: Option<String>,
    /// What it is for
    #[arg(long, short = 'd')]
    pub(super) description: Option<String>,
    #[command(flatten)]
    pub(super) whose: Whose,
    /// A role that the user holds; all of them when not given
    #[arg(long = "role", value_name = "ROLE")]
    pub(super) roles: Vec<RoleName>,
    /// Give it no role
    #[arg(long, conflicts_with = "roles")]
    pub(super) no_roles: bool,
    /// A network it may be used from, for instance `10.0.0.0/8`
    #[arg(long = "allow-ip", value_name = "CIDR")]
    pub(super) allowed_ips: Vec<IpNet>,
    /// A label
    #[arg(long = "label", value_name = "KEY=VALUE")]
    pub(super) labels: Vec<String>,
    #[command(flatten)]
    pub(super) form: Form,
}

#[derive(Debug, Subcommand)]
pub(super) enum User {
    /// Make a user or change one
    Set(UserSet),
    /// List users
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
pub(super) struct UserSet {
    /// The user's name
    pub(super) name: UserName,
    /// What kind of user, fixed once it exists
    #[arg(long, value_parser = ["person", "service"])]
    pub(super) kind: Option<String>,
    /// The roles that it holds from now on
    #[arg(long, value_name = "ROLE", num_args = 0.., value_delimiter = ',')]
    pub(super) roles: Option<Vec<RoleName>>,
    /// A role that it gets
    #[arg(long, value_name = "ROLE", conflicts_with = "roles")]
    pub(super) add_role: Vec<RoleName>,
    /// A role that it loses, and all its tokens with it
    #[arg(long, value_name = "ROLE", conflicts_with = "roles")]
    pub(super) remove_role: Vec<RoleName>,
    /// The most active tokens: a number, or `default`
    #[arg(long, value_name = "N|default")]
    pub(super) max_tokens: Option<String>,
    /// Make all its tokens invalid at once, until it is restored
    #[arg(long, conflicts_with = "restore")]
    pub(super) suspend: bool,
    /// Undo a suspension
    #[arg(long)]
    pub(super) restore: bool,
    #[command(flatten)]
    pub(super) form: Form,
}

#[derive(Debug, Subcommand)]
pub(super) enum Role {
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
    /// List roles
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
pub(super) enum ManifestCommand {
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
pub(super) struct Bootstrap {
    /// The admin's user; `me` is you
    #[arg(long, short = 'u', default_value = "me")]
    pub(super) user: String,
    /// The token's name
    #[arg(long, default_value = "first-admin")]
    pub(super) token: TokenName,
    /// When it expires: a date (the end of that day, UTC) or an instant; 31 days from now when not given
    #[arg(long, short = 'e')]
    pub(super) expires_at: Option<String>,
    /// Make another one although there is one, and end that one
    #[arg(long)]
    pub(super) replace: bool,
    /// Write the secret to a new file with mode 0600 instead of stdout
    #[arg(long, short = 'o', value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
    #[command(flatten)]
    pub(super) form: Form,
}

#[derive(Debug, Args)]
pub(super) struct Copy {
    /// What to copy: `embedded:FILE` or `table:NAME`
    pub(super) from: String,
    /// Where to: a table that is empty, or that this copy was begun into
    pub(super) to: String,
    #[command(flatten)]
    pub(super) form: Form,
}

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// The port on this machine; 0 takes a free one
    #[arg(long, default_value_t = 8787)]
    pub(super) port: u16,
}

impl Arguments {
    /// The form of the result that was asked for.
    pub(super) fn format(&self) -> Format {
        let form = match &self.command {
            Command::Init(_) | Command::Schema | Command::Serve(_) => return Format::Text,
            Command::Bootstrap(bootstrap) => &bootstrap.form,
            Command::Copy(copy) => &copy.form,
            Command::Manifest { command } => match command {
                ManifestCommand::Grant { form, .. } | ManifestCommand::Show { form, .. } => form,
            },
            Command::Check(check) => &check.form,
            Command::Plan(plan) => &plan.form,
            Command::Apply(apply) => &apply.form,
            Command::Rotate(rotate) => &rotate.form,
            Command::Status(status) => &status.form,
            Command::Token { command } => match command {
                Token::Set(set) => &set.form,
                Token::List { form, .. }
                | Token::Show { form, .. }
                | Token::Delete { form, .. }
                | Token::Roles { form, .. }
                | Token::Usage { form, .. }
                | Token::Verify { form } => form,
            },
            Command::User { command } => match command {
                User::Set(set) => &set.form,
                User::List { form } | User::Delete { form, .. } => form,
            },
            Command::Role { command } => match command {
                Role::Set { form, .. } | Role::List { form } | Role::Delete { form, .. } => form,
            },
        };
        form.format
    }
}
