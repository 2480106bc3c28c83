//! The deployment's settings, and notices: who is told of what, and whether that works.

use std::path::PathBuf;

use clap::Subcommand;

use super::{Allow, Form, SAFETY};

#[derive(Debug, Subcommand)]
pub(in crate::commands) enum Settings {
    /// Change a setting, or set a receiver of notices about every token and turn notices on
    #[command(after_help = "Settings:
  prefix          what new secrets start with; what they started with before stays accepted
  older_prefixes  prefixes of older secrets that are still accepted, with commas
  max_tokens      limit of active tokens of a user who has none of their own
  expiry_default  life of a token that is created without an expiry: `31d`
  expiry_max      longest life of a token: `365d`
  name_max        longest name of a token, in characters
  notify.NAME     receiver of notices about every token, an inline table of TOML

Examples:
  provision settings set max_tokens 20
  provision settings set prefix acme
  provision settings set notify.ops '{ type = \"slack\", url = { env = \"SLACK_WEBHOOK_URL\" } }'
  provision settings set notify.team - < team.toml
  provision settings set notify.bus '{ type = \"eventbridge\", bus = \"ops\", on = [\"leaked\"] }'")]
    Set {
        /// Setting, as `settings show` lists it
        key: String,
        /// Value; of `notify.NAME` a TOML inline table, or `-` to read it, or the lines of one, from stdin
        value: String,
        /// Do not ask for confirmation when secrets stop being valid
        #[arg(long, short = 'y', help_heading = SAFETY)]
        yes: bool,
        #[command(flatten)]
        allow: Allow,
        #[command(flatten)]
        form: Form,
    },
    /// Show the settings of the deployment
    #[command(after_help = "Examples:
  provision settings show
  provision settings show --format json")]
    Show {
        #[command(flatten)]
        form: Form,
    },
    /// Reset a setting to its default, or remove a receiver of notices
    #[command(after_help = "Examples:
  provision settings unset max_tokens
  provision settings unset notify.ops
  provision settings unset notify")]
    Unset {
        /// Setting; `notify` removes all receivers and turns notices off
        key: String,
        /// Do not ask for confirmation when secrets stop being valid
        #[arg(long, short = 'y', help_heading = SAFETY)]
        yes: bool,
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
