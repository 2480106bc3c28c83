//! Notices: who is told of what, and whether that works.

use std::path::PathBuf;

use clap::Subcommand;

use super::{Allow, Form};

#[derive(Debug, Subcommand)]
pub(in crate::commands) enum Settings {
    /// Set a receiver of notices about every token, and turn notices on
    #[command(after_help = "Examples:
  provision settings set notify.ops '{ type = \"slack\", url = { env = \"SLACK_WEBHOOK_URL\" } }'
  provision settings set notify.team - < team.toml
  provision settings set notify.bus '{ type = \"eventbridge\", bus = \"ops\", on = [\"leaked\"] }'")]
    Set {
        /// Setting: `notify.NAME`
        key: String,
        /// TOML inline table, or `-` to read it, or the lines of one, from stdin
        value: String,
        #[command(flatten)]
        allow: Allow,
        #[command(flatten)]
        form: Form,
    },
    /// Show the receivers of notices and whether notices are on
    #[command(after_help = "Examples:
  provision settings show
  provision settings show --format json")]
    Show {
        #[command(flatten)]
        form: Form,
    },
    /// Remove a receiver of notices, or all of them and turn notices off
    #[command(after_help = "Examples:
  provision settings unset notify.ops
  provision settings unset notify")]
    Unset {
        /// Setting: `notify.NAME`, or `notify` for all of them
        key: String,
        #[command(flatten)]
        form: Form,
    },
}

impl Settings {
    /// The output format that was asked for.
    pub(super) fn form(&self) -> &Form {
        match self {
            Self::Set { form, .. } | Self::Show { form } | Self::Unset { form, .. } => form,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(in crate::commands) enum Notify {
    /// Send a test notice to one receiver
    #[command(after_help = "Examples:
  provision notify test ops
  provision notify test ops -f tokens.toml")]
    Test {
        /// Name of the receiver, in the service's settings or in the manifest of `--file`
        name: String,
        /// Manifest that declares the receiver [default: the service's settings]
        #[arg(long, short = 'f', value_name = "FILE")]
        file: Option<PathBuf>,
        #[command(flatten)]
        allow: Allow,
        #[command(flatten)]
        form: Form,
    },
}

impl Notify {
    /// The output format that was asked for.
    pub(super) fn form(&self) -> &Form {
        let Self::Test { form, .. } = self;
        form
    }
}
