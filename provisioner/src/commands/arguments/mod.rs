//! Arguments as they are typed.

mod events;
mod everywhere;
mod logins;
mod moving;
mod network;
mod notices;
mod people;
mod publish;
mod roles;
mod runs;
mod serve;
mod token_changes;
mod token_lookups;
mod tokens;
mod users;

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};

pub(super) use events::Events;
pub(super) use everywhere::{Everywhere, colour, grammar, parse};
pub(super) use logins::{Login, Logout, Switch};
pub(super) use moving::{AdoptFlags, Import, Quickstart};
pub(super) use notices::{Notify, Settings};
pub(super) use people::{Bootstrap, Copy, ManifestCommand, ManifestGrant};
pub(super) use publish::Publish;
pub(super) use roles::Role;
pub(super) use runs::{Allow, Apply, Check, ClockFlag, Doctor, Plan, PlanFlags, Rotate, RunFlags, Status};
pub(super) use serve::Serve;
pub(super) use token_changes::{TokenCreate, TokenDelete, TokenRoles, TokenRotate, TokenUpdate};
pub(super) use token_lookups::{Days, State, TokenEvents, TokenList, TokenShow, TokenUsage};
pub(super) use tokens::{Piped, Token, Which};
pub(super) use users::{User, UserSet};

use crate::output::Format;

// The headings of options in help pages. What has none is under clap's own, `Options`.
const SELECTION: &str = "Selection";
const SAFETY: &str = "Safety";
const TRUST: &str = "Trust";
const OUTPUT: &str = "Output";
const GLOBAL: &str = "Global";

/// Create, deliver, rotate and verify API tokens declared in a `tokens.toml`
#[derive(Debug, Parser)]
#[command(
    name = "provision",
    version = env!("LATCHKEY_VERSION"),
    max_term_width = 100,
    after_help = "Examples:
  provision init
  provision apply
  provision token create laptop --description \"Ana's laptop\"

More:
  provision help environment  all environment variables
  provision help exit-codes   what each exit code means"
)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) everywhere: Everywhere,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Write a commented starter `tokens.toml`
    #[command(after_help = "Examples:
  provision init
  provision init billing.toml --name acme-billing")]
    Init(Init),
    /// Begin in an empty folder: a service, a token, and a token that checks it
    #[command(after_help = "Examples:
  provision quickstart
  provision quickstart acme-billing")]
    Quickstart(Quickstart),
    /// Write a manifest for tokens that are in use already, from the names of entries; no value is read
    #[command(after_help = "Options of sources:
  vercel:PROJECT?team=TEAM     the team's id or slug
  aws:PREFIX?region=REGION     also `account` and `profile`
  heroku:APP?login=VARIABLE    where the login is, for Vercel and Azure too; needs `--allow-env`

Examples:
  provision import .env
  provision import .env heroku:acme-web 'vercel:web?team=acme' aws:prod/ --out tokens.toml
  provision import heroku:acme-worker --pushes >> tokens.toml")]
    Import(Import),
    /// Check a manifest for errors without contacting anything
    #[command(after_help = "Examples:
  provision check
  provision check billing.toml --format json")]
    Check(Check),
    /// Show what `apply` would change and why, or, with `--at`, everything that falls due
    #[command(after_help = "Examples:
  provision plan
  provision plan --out plan.json
  provision plan --no-sinks
  provision plan --at 2027-03-31")]
    Plan(Plan),
    /// Create, update and rotate tokens so that everything matches the manifest
    #[command(after_help = "Examples:
  provision apply
  provision apply --plan plan.json
  provision apply billing.toml --prune --allow-deletes 3")]
    Apply(Apply),
    /// Rotate the tokens that are due, or the named ones now; replace leaked secrets
    #[command(after_help = "Examples:
  provision rotate
  provision rotate production-api
  provision rotate --every 1h
  provision rotate --published --service table:latchkey
  provision rotate --compromised production-api")]
    Rotate(Rotate),
    /// Publish a manifest, so that the scheduled job rotates its tokens
    #[command(after_help = "Examples:
  provision publish
  provision publish billing.toml --revision 42
  provision publish --withdraw")]
    Publish(Publish),
    /// Show every token with its versions and what each sink contains
    #[command(after_help = "Examples:
  provision status
  provision status --format json")]
    Status(Status),
    /// Check manifest, service, credentials and permissions without writing anything
    #[command(after_help = "Examples:
  provision doctor
  provision doctor --policy > policy.json")]
    Doctor(Doctor),
    /// Print the JSON Schema of manifests, for editors
    #[command(after_help = "Examples:
  provision schema > tokens.schema.json")]
    Schema,
    /// Create, list, verify and delete tokens by hand
    #[command(after_help = "Examples:
  provision token create laptop
  provision token list")]
    Token {
        /// What to do.
        #[command(subcommand)]
        command: Token,
    },
    /// Create, change, list and delete users
    #[command(after_help = "Examples:
  provision user set ana --role reader
  provision user list")]
    User {
        /// What to do.
        #[command(subcommand)]
        command: User,
    },
    /// Create, change, list and delete roles
    #[command(after_help = "Examples:
  provision role set reader --permission documents:read
  provision role list")]
    Role {
        /// What to do.
        #[command(subcommand)]
        command: Role,
    },
    /// List and show manifests, and manage what they are allowed to grant
    #[command(after_help = "Examples:
  provision manifest grant acme-platform --permission documents:read
  provision manifest show acme-platform")]
    Manifest {
        /// What to do.
        #[command(subcommand)]
        command: ManifestCommand,
    },
    /// Show audit events: who changed what, and when
    #[command(after_help = "Examples:
  provision events --since 7d
  provision events --user ana --type token.delete
  provision events --manifest acme-platform --format json")]
    Events(Events),
    /// Show and change the settings of the deployment: prefix, limits, lives, and who is told of notices
    #[command(after_help = "Examples:
  provision settings set notify.ops '{ type = \"slack\", url = { env = \"SLACK_WEBHOOK_URL\" } }'
  provision settings set max_tokens 20
  provision settings show")]
    Settings {
        /// What to do.
        #[command(subcommand)]
        command: Settings,
    },
    /// Test receivers of notices
    #[command(after_help = "Examples:
  provision notify test ops")]
    Notify {
        /// What to do.
        #[command(subcommand)]
        command: Notify,
    },
    /// Log in to a server: store a token for it in the system's keyring
    #[command(after_help = "Examples:
  provision login --server tokens.example.com
  printenv API_TOKEN | provision login --server tokens.example.com:8443 --with-token")]
    Login(Login),
    /// Log out of a server: remove its token from this machine, and revoke it if wanted
    #[command(after_help = "Examples:
  provision logout
  provision logout --server old.server.com:8080 --revoke")]
    Logout(Logout),
    /// Show the server, user, token, roles and expiry in use, and where the login comes from
    #[command(after_help = "Examples:
  provision whoami
  provision whoami --format json")]
    Whoami(Form),
    /// List the servers and accounts that you are logged in to
    #[command(after_help = "Examples:
  provision accounts")]
    Accounts(Form),
    /// Use another account of a server
    #[command(after_help = "Examples:
  provision switch
  provision switch ana --server tokens.example.com")]
    Switch(Switch),
    /// Create the first admin token, or replace a lost one
    #[command(after_help = "Examples:
  provision bootstrap --service table:latchkey --out admin.secret
  provision bootstrap --service table:latchkey --replace")]
    Bootstrap(Bootstrap),
    /// Copy a whole service, for example to AWS or into a backup
    #[command(after_help = "Examples:
  provision copy embedded:latchkey.db table:latchkey
  provision copy table:latchkey embedded:backup.db")]
    Copy(Copy),
    /// Serve the HTTP API on this machine
    #[command(after_help = "Limits:
  Connections  half of what the limit of open files leaves, at most 512; when all are in use, the one
               that has waited longest without a complete request is closed
  Headers      16 KiB (431), within 15 seconds; a connection may be idle for as long
  Body         64 KiB (413), within 10 seconds (408), read once the token is verified;
               8 KiB for introspection

Examples:
  provision serve --port 8080
  provision serve --listen 0.0.0.0:8443 --tls-cert chain.pem --tls-key key.pem
  provision serve --listen 10.0.0.5:8787 --behind 10.0.0.0/24 --base-path /tokens
  provision serve --rotate tokens.toml --every 30m")]
    Serve(Serve),
    /// Generate shell completions
    #[command(after_help = "Examples:
  provision completions bash > ~/.local/share/bash-completion/completions/provision")]
    Completions {
        /// Shell to generate completions for
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write one page per command
    #[command(after_help = "Examples:
  provision man | man -l -
  provision man --out ~/.local/share/man/man1")]
    Man {
        /// Write `provision.1`, `provision-apply.1` and so on to this folder instead
        #[arg(long, short = 'o', value_name = "FOLDER", help_heading = OUTPUT)]
        out: Option<PathBuf>,
    },
}

/// The output format of results for people or programs.
#[derive(Debug, Args)]
pub(super) struct Form {
    /// Output format
    #[arg(
        long = "format",
        short = 't',
        alias = "format-type",
        value_name = "FORMAT",
        default_value = "text",
        help_heading = OUTPUT,
        value_parser = PossibleValuesParser::new(["text", "json"])
            .map(|word| if word == "json" { Format::Json } else { Format::Text })
    )]
    pub(super) format: Format,
}

/// The output format of results that may also go into a pull request.
#[derive(Debug, Args)]
pub(super) struct ReportForm {
    /// Output format
    #[arg(long = "format", short = 't', alias = "format-type", value_enum, default_value_t, help_heading = OUTPUT)]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(super) struct Init {
    /// File to write
    #[arg(default_value = "tokens.toml")]
    pub(super) file: PathBuf,
    /// Name of the manifest [default: from the folder's name]
    #[arg(long)]
    pub(super) name: Option<String>,
    /// Leave `.gitignore` as it is
    #[arg(long)]
    pub(super) no_gitignore: bool,
}

impl Arguments {
    /// The output format that was asked for.
    pub(super) fn format(&self) -> Format {
        let form = match &self.command {
            Command::Init(_)
            | Command::Quickstart(_)
            | Command::Import(_)
            | Command::Schema
            | Command::Serve(_)
            | Command::Completions { .. }
            | Command::Man { .. } => {
                return Format::Text;
            }
            Command::Check(Check { form, .. })
            | Command::Plan(Plan { form, .. })
            | Command::Apply(Apply { form, .. })
            | Command::Rotate(Rotate { form, .. })
            | Command::Status(Status { form, .. })
            | Command::Doctor(Doctor { form, .. }) => return form.format,
            Command::Publish(publish) => &publish.form,
            Command::Login(login) => &login.form,
            Command::Logout(logout) => &logout.form,
            Command::Whoami(form) | Command::Accounts(form) => form,
            Command::Switch(switch) => &switch.form,
            Command::Bootstrap(bootstrap) => &bootstrap.form,
            Command::Copy(copy) => &copy.form,
            Command::Manifest { command } => command.form(),
            Command::Events(events) => &events.form,
            Command::Settings { command } => command.form(),
            Command::Notify { command } => command.form(),
            Command::Token { command } => command.form(),
            Command::User { command } => command.form(),
            Command::Role { command } => command.form(),
        };
        form.format
    }
}
