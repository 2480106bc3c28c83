//! Moving in: what declares and takes over entries that are there already, and what begins from nothing.

use std::path::PathBuf;

use clap::Args;
use latchkey::name::UserName;

use super::{Allow, OUTPUT, SAFETY};

#[derive(Debug, Args)]
pub(in crate::commands) struct Import {
    /// Where entries are: a `.env` file, `heroku:APP`, `vercel:PROJECT`, `aws:PREFIX` or `azure:VAULT`
    #[arg(required = true, value_name = "SOURCE")]
    pub(in crate::commands) sources: Vec<String>,
    /// Name of the manifest [default: from the folder's name]
    #[arg(long)]
    pub(in crate::commands) name: Option<String>,
    /// User who owns the tokens, a service
    #[arg(long, value_name = "USER", default_value = "app")]
    pub(in crate::commands) user: UserName,
    /// Write only sinks and tokens, to add to a manifest that is there
    #[arg(long, conflicts_with = "name", help_heading = OUTPUT)]
    pub(in crate::commands) pushes: bool,
    /// Write to this file, which must not exist yet [default: stdout]
    #[arg(long, short = 'o', value_name = "FILE", help_heading = OUTPUT)]
    pub(in crate::commands) out: Option<PathBuf>,
    /// Leave `.gitignore` as it is
    #[arg(long, help_heading = OUTPUT)]
    pub(in crate::commands) no_gitignore: bool,
    #[command(flatten)]
    pub(in crate::commands) allow: Allow,
}

#[derive(Debug, Args)]
pub(in crate::commands) struct Quickstart {
    /// Name of the manifest [default: from the folder's name]
    pub(in crate::commands) name: Option<String>,
    /// Leave `.gitignore` as it is
    #[arg(long)]
    pub(in crate::commands) no_gitignore: bool,
}

/// Whose entries a run takes over, beside those whose push has `adopt = true`.
#[derive(Debug, Default, Args)]
pub(in crate::commands) struct AdoptFlags {
    /// Replace values that Latchkey did not write in the entries of this token, `NAME` or `USER/NAME` (repeatable)
    #[arg(long, value_name = "NAME", value_delimiter = ',', help_heading = SAFETY)]
    pub(in crate::commands) adopt: Vec<String>,
    /// Replace values that Latchkey did not write in the entries of all tokens
    #[arg(long, conflicts_with = "adopt", help_heading = SAFETY)]
    pub(in crate::commands) adopt_all: bool,
}
