//! Runs of a manifest: what is checked, planned, applied, rotated and shown.

use std::path::PathBuf;

use clap::Args;
use latchkey::lifetime::Seconds;

use super::ReportForm;
use crate::reading::Allowances;

/// What a manifest may do beyond its own folder: it is untrusted input.
#[derive(Debug, Default, Args)]
#[expect(clippy::struct_field_names, reason = "the fields are the flags")]
pub(in crate::commands) struct Allow {
    /// Let the manifest name this host as an endpoint
    #[arg(long, value_name = "HOST")]
    pub(in crate::commands) allow_host: Vec<String>,
    /// Let the manifest name paths outside its folder
    #[arg(long)]
    pub(in crate::commands) allow_outside: bool,
    /// Let a login of the manifest stand in this environment variable
    #[arg(long, value_name = "NAME")]
    pub(in crate::commands) allow_env: Vec<String>,
    /// Let the manifest run commands that print logins
    #[arg(long)]
    pub(in crate::commands) allow_commands: bool,
}

impl Allow {
    /// What the manifest may do.
    pub(in crate::commands) fn allowances(&self) -> Allowances {
        Allowances {
            hosts: self.allow_host.clone(),
            outside: self.allow_outside,
            variables: self.allow_env.clone(),
            commands: self.allow_commands,
        }
    }
}

#[derive(Debug, Args)]
pub(in crate::commands) struct Check {
    #[arg(default_value = "tokens.toml")]
    pub(in crate::commands) file: PathBuf,
    #[command(flatten)]
    pub(in crate::commands) allow: Allow,
    #[command(flatten)]
    pub(in crate::commands) form: ReportForm,
}

/// What a run is about.
#[derive(Debug, Default, Args)]
pub(in crate::commands) struct SelectionFlags {
    /// Only this token, `NAME` or `USER/NAME`; others are left exactly as they are. May be repeated
    #[arg(long, value_name = "NAME")]
    pub(in crate::commands) only: Vec<String>,
    /// Only pushes to this sink; what would need a new version everywhere is held up. May be repeated
    #[arg(long, value_name = "SINK", conflicts_with = "prune")]
    pub(in crate::commands) sink: Vec<String>,
}

/// What a run may do.
#[derive(Debug, Args)]
pub(in crate::commands) struct PlanFlags {
    /// End tokens and remove entries that are no longer declared
    #[arg(long)]
    pub(in crate::commands) prune: bool,
    /// How many tokens this run may end
    #[arg(long, value_name = "N", requires = "prune")]
    pub(in crate::commands) allow_deletes: Option<usize>,
    /// End tokens although they were used lately
    #[arg(long, requires = "prune")]
    pub(in crate::commands) prune_used: bool,
    /// What counts as lately, for instance `30d`
    #[arg(long, value_name = "DURATION", default_value = "7d", requires = "prune", conflicts_with = "prune_used")]
    pub(in crate::commands) prune_used_within: Seconds,
    /// How many tokens this run may rotate besides those that are due or named
    #[arg(long, value_name = "N")]
    pub(in crate::commands) allow_rotations: Option<usize>,
    /// Retire versions that are still used
    #[arg(long)]
    pub(in crate::commands) force_retire: bool,
    /// Drop a recorded place, by the id that `plan` shows, without looking at it
    #[arg(long, value_name = "PLACE")]
    pub(in crate::commands) forget: Vec<String>,
    #[command(flatten)]
    pub(in crate::commands) select: SelectionFlags,
}

#[derive(Debug, Args)]
pub(in crate::commands) struct Plan {
    #[arg(default_value = "tokens.toml")]
    pub(in crate::commands) file: PathBuf,
    #[command(flatten)]
    pub(in crate::commands) may: PlanFlags,
    /// Exit 2 when there are changes
    #[arg(long)]
    pub(in crate::commands) detailed_exitcode: bool,
    /// Contact nothing: check the file and show what it declares
    #[arg(long)]
    pub(in crate::commands) offline: bool,
    /// Write the plan to this file too, for `apply --plan`; it holds no secret
    #[arg(long, short = 'o', value_name = "FILE", conflicts_with = "offline")]
    pub(in crate::commands) out: Option<PathBuf>,
    /// Show all that will be due until then instead: a date (the end of that day, UTC) or an instant
    #[arg(long, value_name = "WHEN", conflicts_with_all = ["offline", "out", "sink", "prune", "detailed_exitcode"])]
    pub(in crate::commands) at: Option<String>,
    #[command(flatten)]
    pub(in crate::commands) allow: Allow,
    #[command(flatten)]
    pub(in crate::commands) form: ReportForm,
}

#[derive(Debug, Args)]
pub(in crate::commands) struct Apply {
    #[arg(default_value = "tokens.toml")]
    pub(in crate::commands) file: PathBuf,
    #[command(flatten)]
    pub(in crate::commands) may: PlanFlags,
    /// Carry out this plan, as `plan --out` wrote it, with the options that it was made with; refuse when today's is
    /// another
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = [
            "prune", "allow_deletes", "prune_used", "prune_used_within", "allow_rotations", "force_retire", "forget",
            "only", "sink"
        ]
    )]
    pub(in crate::commands) plan: Option<PathBuf>,
    /// Refuse unless the plan still has this id
    #[arg(long, value_name = "ID")]
    pub(in crate::commands) plan_id: Option<String>,
    #[command(flatten)]
    pub(in crate::commands) how: RunFlags,
    #[command(flatten)]
    pub(in crate::commands) allow: Allow,
    #[command(flatten)]
    pub(in crate::commands) form: ReportForm,
}

/// How a run goes about it.
#[derive(Debug, Args)]
pub(in crate::commands) struct RunFlags {
    /// How many seconds to wait for another run of the same manifest
    #[arg(long, value_name = "SECONDS", default_value_t = 90)]
    pub(in crate::commands) wait: u64,
    /// Take the lease from a run that is dead or elsewhere; not needed on an embedded table
    #[arg(long)]
    pub(in crate::commands) steal: bool,
    /// A number that rises with the manifest's history, for instance CI's run number; older ones are refused
    #[arg(long, value_name = "N")]
    pub(in crate::commands) revision: Option<u64>,
    /// Apply a revision older than the last one
    #[arg(long, requires = "revision")]
    pub(in crate::commands) force_revision: bool,
}

#[derive(Debug, Args)]
pub(in crate::commands) struct Rotate {
    /// The manifest, then the tokens to rotate now, `NAME` or `USER/NAME`; those that are due when none is named
    #[arg(value_name = "FILE|NAME")]
    pub(in crate::commands) words: Vec<String>,
    /// Rotate every token now
    #[arg(long)]
    pub(in crate::commands) all: bool,
    /// This token's secret has leaked: a new version goes everywhere, and the older ones end at once. May be repeated
    #[arg(
        long,
        value_name = "NAME",
        conflicts_with_all = ["all", "force_retire", "forget", "allow_rotations", "only", "sink"]
    )]
    pub(in crate::commands) compromised: Vec<String>,
    /// Do not ask
    #[arg(long, short = 'y', requires = "compromised")]
    pub(in crate::commands) yes: bool,
    /// How many tokens this run may rotate besides those that are due or named
    #[arg(long, value_name = "N")]
    pub(in crate::commands) allow_rotations: Option<usize>,
    /// Retire versions that are still used
    #[arg(long)]
    pub(in crate::commands) force_retire: bool,
    /// Drop a recorded place, by the id that `plan` shows, without looking at it
    #[arg(long, value_name = "PLACE")]
    pub(in crate::commands) forget: Vec<String>,
    /// Only this token, `NAME` or `USER/NAME`; others are left exactly as they are. May be repeated
    #[arg(long, value_name = "NAME")]
    pub(in crate::commands) only: Vec<String>,
    /// Only pushes to this sink; what would need a new version everywhere is held up. May be repeated
    #[arg(long, value_name = "SINK")]
    pub(in crate::commands) sink: Vec<String>,
    #[command(flatten)]
    pub(in crate::commands) how: RunFlags,
    #[command(flatten)]
    pub(in crate::commands) allow: Allow,
    #[command(flatten)]
    pub(in crate::commands) form: ReportForm,
}

#[derive(Debug, Args)]
pub(in crate::commands) struct Status {
    #[arg(default_value = "tokens.toml")]
    pub(in crate::commands) file: PathBuf,
    #[command(flatten)]
    pub(in crate::commands) allow: Allow,
    #[command(flatten)]
    pub(in crate::commands) form: ReportForm,
}

#[derive(Debug, Args)]
pub(in crate::commands) struct Doctor {
    #[arg(default_value = "tokens.toml")]
    pub(in crate::commands) file: PathBuf,
    /// Print the least rights that the manifest needs, and nothing else; AWS's as an IAM policy
    #[arg(long)]
    pub(in crate::commands) policy: bool,
    #[command(flatten)]
    pub(in crate::commands) allow: Allow,
    #[command(flatten)]
    pub(in crate::commands) form: ReportForm,
}
