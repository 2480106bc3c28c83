//! What a manifest publishes for the scheduled job.

use std::path::PathBuf;

use clap::Args;

use super::{Allow, Form, SAFETY};

#[derive(Debug, Args)]
pub(in crate::commands) struct Publish {
    /// Manifest [default: the nearest `tokens.toml`, here or in a folder above]
    pub(in crate::commands) file: Option<PathBuf>,
    /// Increasing number, such as CI's run number; older ones are refused
    #[arg(long, value_name = "N", help_heading = SAFETY)]
    pub(in crate::commands) revision: Option<u64>,
    /// Publish a revision that is older than the last one published or applied
    #[arg(long, requires = "revision", help_heading = SAFETY)]
    pub(in crate::commands) force_revision: bool,
    /// Withdraw what was published: the scheduled job no longer rotates the tokens of the manifest
    #[arg(long, conflicts_with = "revision")]
    pub(in crate::commands) withdraw: bool,
    #[command(flatten)]
    pub(in crate::commands) allow: Allow,
    #[command(flatten)]
    pub(in crate::commands) form: Form,
}
