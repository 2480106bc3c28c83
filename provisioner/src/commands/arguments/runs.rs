//! Runs of a manifest: what is checked, planned, applied, rotated and shown.

use std::path::PathBuf;

use clap::Args;
use latchkey::lifetime::Seconds;

use super::{AdoptFlags, OUTPUT, ReportForm, SAFETY, SELECTION, TRUST};
use crate::commands::schedule::interval;
use latchkey_sinks::reading::Allowances;

/// What a manifest may do beyond its own folder: it is untrusted input.
#[derive(Debug, Default, Args)]
#[expect(clippy::struct_field_names, reason = "the fields are the flags")]
pub(in crate::commands) struct Allow {
    /// Other hosts that an endpoint may name.
    #[arg(
        long,
        value_name = "HOST",
        help_heading = TRUST,
        help = "Allow the manifest to use this host as an endpoint, even loopback (repeatable) [env: LATCHKEY_ALLOW_HOSTS]"
    )]
    pub(in crate::commands) allow_host: Vec<String>,
    /// Allow the manifest to use paths outside its folder
    #[arg(long, help_heading = TRUST)]
    pub(in crate::commands) allow_outside: bool,
    /// Allow the manifest to read credentials from this environment variable (repeatable)
    #[arg(long, value_name = "NAME", help_heading = TRUST)]
    pub(in crate::commands) allow_env: Vec<String>,
    /// Allow the manifest to run commands that print credentials
    #[arg(long, help_heading = TRUST)]
    pub(in crate::commands) allow_commands: bool,
}

impl Allow {
    /// What the manifest may do.
    pub(in crate::commands) fn allowances(&self) -> Allowances {
        Allowances {
            hosts: self.allow_host.iter().cloned().chain(hosts_in_environment()).collect(),
            outside: self.allow_outside,
            variables: self.allow_env.clone(),
            commands: self.allow_commands,
        }
    }
}

/// Hosts that are allowed where there is no flag to set, separated by commas or spaces.
const ALLOW_HOSTS: &str = "LATCHKEY_ALLOW_HOSTS";

fn hosts_in_environment() -> Vec<String> {
    let named = std::env::var(ALLOW_HOSTS).unwrap_or_default();
    let hosts = named.split(|character: char| character == ',' || character.is_whitespace());
    hosts.filter(|host| !host.is_empty()).map(str::to_owned).collect()
}

#[derive(Debug, Args)]
pub(in crate::commands) struct Check {
    /// Manifest [default: the nearest `tokens.toml`, here or in a folder above]
    pub(in crate::commands) file: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::commands) allow: Allow,
    #[command(flatten)]
    pub(in crate::commands) form: ReportForm,
}

/// What a run is about.
#[derive(Debug, Default, Args)]
pub(in crate::commands) struct SelectionFlags {
    /// Only this token, `NAME` or `USER/NAME`; others are left alone (repeatable)
    #[arg(long, value_name = "NAME", help_heading = SELECTION)]
    pub(in crate::commands) only: Vec<String>,
    /// Only this sink; tokens that need a new version everywhere are blocked (repeatable)
    #[arg(long, value_name = "SINK", conflicts_with = "prune", help_heading = SELECTION)]
    pub(in crate::commands) sink: Vec<String>,
}

/// What a run may do.
#[derive(Debug, Args)]
pub(in crate::commands) struct PlanFlags {
    #[command(flatten)]
    pub(in crate::commands) select: SelectionFlags,
    #[command(flatten)]
    pub(in crate::commands) adopt: AdoptFlags,
    /// Delete tokens and entries that are no longer declared
    #[arg(long, help_heading = SAFETY)]
    pub(in crate::commands) prune: bool,
    /// Limit of tokens to delete; more stop the run [default: a third of them, at least 1 and at most 5]
    #[arg(long, value_name = "N", requires = "prune", help_heading = SAFETY)]
    pub(in crate::commands) allow_deletes: Option<usize>,
    /// Delete tokens even if they were used recently
    #[arg(long, requires = "prune", help_heading = SAFETY)]
    pub(in crate::commands) prune_used: bool,
    /// What counts as recently, for example `30d`
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "7d",
        requires = "prune",
        conflicts_with = "prune_used",
        help_heading = SAFETY
    )]
    pub(in crate::commands) prune_used_within: Seconds,
    /// Limit of rotations that are neither due nor named; more stop the run [default: 10, or a third of the tokens if that is more]
    #[arg(long, value_name = "N", help_heading = SAFETY)]
    pub(in crate::commands) allow_rotations: Option<usize>,
    /// Retire older versions even if they are still in use
    #[arg(long, help_heading = SAFETY)]
    pub(in crate::commands) force_retire: bool,
    /// Stop tracking this place, by its id in `plan`; its entry stays (repeatable)
    #[arg(long, value_name = "PLACE", help_heading = SAFETY)]
    pub(in crate::commands) forget: Vec<String>,
    /// Do not wait for deployments of this branch, `@` for those without one; nobody reads them (repeatable)
    #[arg(long, value_name = "NAME", help_heading = SAFETY)]
    pub(in crate::commands) forget_branch: Vec<String>,
    /// Stop tracking all places of this machine, which is gone or renamed; their entries stay (repeatable)
    #[arg(long, value_name = "MACHINE", help_heading = SAFETY)]
    pub(in crate::commands) forget_machine: Vec<String>,
}

#[derive(Debug, Args)]
pub(in crate::commands) struct Plan {
    /// Manifest [default: the nearest `tokens.toml`, here or in a folder above]
    pub(in crate::commands) file: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::commands) may: PlanFlags,
    #[command(flatten)]
    pub(in crate::commands) allow: Allow,
    /// Exit with code 2 if there are changes
    #[arg(long, help_heading = OUTPUT)]
    pub(in crate::commands) detailed_exitcode: bool,
    /// Check the manifest and show what it declares, without contacting anything
    #[arg(long)]
    pub(in crate::commands) offline: bool,
    /// Plan by the service's records alone, without looking at any place: for those who may only plan
    #[arg(
        long,
        conflicts_with_all = [
            "offline", "at", "sink", "detailed_exitcode", "forget", "forget_branch", "forget_machine", "adopt", "adopt_all"
        ]
    )]
    pub(in crate::commands) no_sinks: bool,
    /// Also write the plan to this file, for `apply --plan`; it contains no secret
    #[arg(long, short = 'o', value_name = "FILE", conflicts_with = "offline", help_heading = OUTPUT)]
    pub(in crate::commands) out: Option<PathBuf>,
    /// List everything that falls due within a duration such as `90d`, or until a date (the end of that day, UTC) or an instant
    #[arg(long, value_name = "WHEN", conflicts_with_all = ["offline", "out", "sink", "prune", "detailed_exitcode"])]
    pub(in crate::commands) at: Option<String>,
    #[command(flatten)]
    pub(in crate::commands) form: ReportForm,
}

#[derive(Debug, Args)]
pub(in crate::commands) struct Apply {
    /// Manifest [default: the nearest `tokens.toml`, here or in a folder above]
    pub(in crate::commands) file: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::commands) may: PlanFlags,
    /// Apply the plan that `plan --out` wrote, with its options; refuse if it is stale
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = [
            "prune", "allow_deletes", "prune_used", "prune_used_within", "allow_rotations", "force_retire", "forget",
            "forget_branch", "forget_machine", "only", "sink", "adopt", "adopt_all"
        ]
    )]
    pub(in crate::commands) plan: Option<PathBuf>,
    /// Refuse unless the plan still has this id
    #[arg(long, value_name = "ID", help_heading = SAFETY)]
    pub(in crate::commands) plan_id: Option<String>,
    /// Publish the manifest after a run that ended well, see `provision publish`
    #[arg(long)]
    pub(in crate::commands) publish: bool,
    /// Show what would change, as `plan` does, and change nothing
    #[arg(long, conflicts_with_all = ["plan", "plan_id", "publish", "revision", "steal"])]
    pub(in crate::commands) dry_run: bool,
    /// Delete without asking for confirmation; without a terminal nobody is asked
    #[arg(long, short = 'y', help_heading = SAFETY)]
    pub(in crate::commands) yes: bool,
    #[command(flatten)]
    pub(in crate::commands) how: RunFlags,
    #[command(flatten)]
    pub(in crate::commands) allow: Allow,
    #[command(flatten)]
    pub(in crate::commands) form: ReportForm,
}

/// What a person says of a clock.
#[derive(Debug, Default, Args)]
pub(in crate::commands) struct ClockFlag {
    /// Trust this machine's clock although the table was in use at a later time
    #[arg(long, help_heading = SAFETY)]
    pub(in crate::commands) clock_is_right: bool,
}

/// How a run goes about it.
#[derive(Debug, Default, Args)]
pub(in crate::commands) struct RunFlags {
    /// Seconds to wait for another run of the same manifest, then exit with code 5
    #[arg(long, value_name = "SECONDS", default_value_t = 90, help_heading = SAFETY)]
    pub(in crate::commands) wait: u64,
    /// Take over the lease of a run that is dead; not for embedded tables
    #[arg(long, help_heading = SAFETY)]
    pub(in crate::commands) steal: bool,
    /// Increasing number, such as CI's run number; older ones are refused
    #[arg(long, value_name = "N", help_heading = SAFETY)]
    pub(in crate::commands) revision: Option<u64>,
    /// Apply a revision that is older than the last one
    #[arg(long, requires = "revision", help_heading = SAFETY)]
    pub(in crate::commands) force_revision: bool,
    #[command(flatten)]
    pub(in crate::commands) clock: ClockFlag,
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "the fields are the flags")]
pub(in crate::commands) struct Rotate {
    /// Manifest [default: the nearest `tokens.toml`], then tokens to rotate now, and no others [default: those that are due]
    #[arg(value_name = "FILE|NAME")]
    pub(in crate::commands) words: Vec<String>,
    /// Rotate every token now
    #[arg(long, help_heading = SELECTION)]
    pub(in crate::commands) all: bool,
    /// Rotate what is due of all published manifests instead, on the service's own table
    #[arg(
        long,
        conflicts_with_all = [
            "all", "compromised", "allow_rotations", "force_retire", "forget", "forget_branch", "forget_machine", "only",
            "sink", "steal", "revision", "wait"
        ]
    )]
    pub(in crate::commands) published: bool,
    /// Come back and rotate what is due at this interval, until interrupted; SIGUSR1 starts the next run at once
    #[arg(
        long,
        value_name = "DURATION",
        value_parser = interval,
        conflicts_with_all = [
            "all", "compromised", "allow_rotations", "force_retire", "forget", "forget_branch", "forget_machine", "only",
            "sink", "steal", "revision"
        ]
    )]
    pub(in crate::commands) every: Option<Seconds>,
    /// Replace this token's leaked secret and revoke all older versions at once (repeatable)
    #[arg(
        long,
        value_name = "NAME",
        conflicts_with_all = [
            "all", "force_retire", "forget", "forget_branch", "forget_machine", "allow_rotations", "only", "sink"
        ],
        help_heading = SELECTION
    )]
    pub(in crate::commands) compromised: Vec<String>,
    /// Show what would change, and change nothing
    #[arg(long, conflicts_with_all = ["compromised", "every", "published", "revision", "steal"])]
    pub(in crate::commands) dry_run: bool,
    /// Revoke without asking for confirmation
    #[arg(long, short = 'y', help_heading = SAFETY)]
    pub(in crate::commands) yes: bool,
    /// Limit of rotations that are neither due nor named; more stop the run [default: 10, or a third of the tokens if that is more]
    #[arg(long, value_name = "N", help_heading = SAFETY)]
    pub(in crate::commands) allow_rotations: Option<usize>,
    /// Retire older versions even if they are still in use
    #[arg(long, help_heading = SAFETY)]
    pub(in crate::commands) force_retire: bool,
    /// Stop tracking this place, by its id in `plan`; its entry stays (repeatable)
    #[arg(long, value_name = "PLACE", help_heading = SAFETY)]
    pub(in crate::commands) forget: Vec<String>,
    /// Do not wait for deployments of this branch, `@` for those without one; nobody reads them (repeatable)
    #[arg(long, value_name = "NAME", help_heading = SAFETY)]
    pub(in crate::commands) forget_branch: Vec<String>,
    /// Stop tracking all places of this machine, which is gone or renamed; their entries stay (repeatable)
    #[arg(long, value_name = "MACHINE", help_heading = SAFETY)]
    pub(in crate::commands) forget_machine: Vec<String>,
    /// Only this token, `NAME` or `USER/NAME`; others are left alone (repeatable)
    #[arg(long, value_name = "NAME", help_heading = SELECTION)]
    pub(in crate::commands) only: Vec<String>,
    /// Only this sink; tokens that need a new version everywhere are blocked (repeatable)
    #[arg(long, value_name = "SINK", help_heading = SELECTION)]
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
    /// Manifest [default: the nearest `tokens.toml`, here or in a folder above]
    pub(in crate::commands) file: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::commands) allow: Allow,
    /// Exit with code 2 if anything needs attention
    #[arg(long, help_heading = OUTPUT)]
    pub(in crate::commands) detailed_exitcode: bool,
    #[command(flatten)]
    pub(in crate::commands) form: ReportForm,
}

#[derive(Debug, Args)]
pub(in crate::commands) struct Doctor {
    /// Manifest [default: the nearest `tokens.toml`, here or in a folder above]
    pub(in crate::commands) file: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::commands) allow: Allow,
    /// Print only the least privileges that the manifest needs, for AWS as an IAM policy
    #[arg(long, help_heading = OUTPUT)]
    pub(in crate::commands) policy: bool,
    #[command(flatten)]
    pub(in crate::commands) form: ReportForm,
}
