//! Arguments as they are typed.

mod people;
mod runs;
mod tokens;

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};

pub(super) use people::{Bootstrap, Copy, ManifestCommand, Role, Serve, User, UserSet};
pub(super) use runs::{Allow, Apply, Check, Doctor, Plan, PlanFlags, Rotate, RunFlags, Status};
pub(super) use tokens::{Token, TokenSet};

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

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Write a commented starter `tokens.toml`
    Init(Init),
    /// Check a manifest without contacting anything
    Check(Check),
    /// Show what `apply` would change, and why; or, with `--at`, all that will be due
    Plan(Plan),
    /// Make the service and all places what the manifest declares
    Apply(Apply),
    /// Rotate what is due, or the named tokens now; end what has leaked
    Rotate(Rotate),
    /// Show every token, its versions and its places
    Status(Status),
    /// Check manifest, service, logins and rights without writing anything, and print the least rights
    Doctor(Doctor),
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
    /// Print what a shell needs to complete this command's words
    Completions {
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write one a command
    Man {
        /// Write `provision.1`, `provision-apply.1` and so on into this folder instead
        #[arg(long, short = 'o', value_name = "FOLDER")]
        out: Option<PathBuf>,
    },
}

/// The form of a result for people or programs.
#[derive(Debug, Args)]
pub(super) struct Form {
    /// The form of the result
    #[arg(
        long = "format",
        short = 't',
        alias = "format-type",
        value_name = "FORMAT",
        default_value = "text",
        value_parser = PossibleValuesParser::new(["text", "json"])
            .map(|word| if word == "json" { Format::Json } else { Format::Text })
    )]
    pub(super) format: Format,
}

/// The form of a result that may also go into a pull request.
#[derive(Debug, Args)]
pub(super) struct ReportForm {
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

impl Arguments {
    /// The form of the result that was asked for.
    pub(super) fn format(&self) -> Format {
        let form = match &self.command {
            Command::Init(_)
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
            Command::Bootstrap(bootstrap) => &bootstrap.form,
            Command::Copy(copy) => &copy.form,
            Command::Manifest { command } => match command {
                ManifestCommand::Grant { form, .. } | ManifestCommand::Show { form, .. } => form,
            },
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
