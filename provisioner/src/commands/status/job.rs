//! What the scheduled job did last with a manifest that is published, what it could not do, and what comes next.

use jiff::Timestamp;
use latchkey::api::wire::PublicationView;
use latchkey::lifetime::Seconds;
use latchkey::service::{ManifestTurn, TurnTrouble};
use latchkey::token::Token;
use latchkey_sinks::plural::count;
use serde_json::{Value, json};

use crate::plan::{Plan, minute};

/// From when on what is due counts as late: a job that comes every hour is not.
const LATE: Seconds = Seconds::hours(2);

/// The scheduled job, as far as it concerns one manifest.
pub(super) struct JobStatus<'a> {
    view: &'a PublicationView,
    now: Timestamp,
    /// What is due next, and when.
    next: Option<(&'a Token, Timestamp)>,
    /// What it could not do at its last turn, and is still to be done.
    troubles: Vec<&'a TurnTrouble>,
}

impl<'a> JobStatus<'a> {
    pub(super) fn new(view: &'a PublicationView, plan: &'a Plan, now: Timestamp) -> Self {
        let records = || plan.tokens.iter().filter_map(|token| token.record.as_deref());
        let next = records().filter_map(|token| Some((token, token.next_step()?))).min_by_key(|(_, at)| *at);
        let open = |trouble: &&TurnTrouble| {
            let record = records().find(|record| record.user == trouble.user && record.name == trouble.name);
            record.is_some_and(|record| record.retry.is_some() || record.next_step().is_some_and(|at| at <= now))
        };
        let troubles = view.job.iter().flat_map(|job| &job.troubles).filter(open).collect();
        Self { view, now, next, troubles }
    }

    /// For how long what is due next has been due already, where that is longer than a job takes to come back.
    fn late(&self) -> Option<(&Token, Seconds)> {
        let (token, at) = self.next?;
        let late = u64::try_from(self.now.duration_since(at).as_secs()).ok().map(Seconds)?;
        (late > LATE).then_some((token, late))
    }

    /// Whether somebody should look.
    pub(super) fn needs_attention(&self) -> bool {
        self.late().is_some() || !self.troubles.is_empty()
    }

    /// A sentence a line.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = vec![match (self.view.last_turn, &self.view.job) {
            (None, _) => {
                "job      the scheduled job has not run yet; what is published waits for its first run".to_owned()
            }
            (Some(at), None) => format!("job      last run {}; nothing was due here yet", minute(at)),
            (Some(at), Some(job)) => format!("job      last run {}; here: {}", minute(at), did(job)),
        }];
        match (self.late(), self.next) {
            (Some((token, late)), _) => lines.push(format!(
                "warning  `{}` has been due for {}; check that the scheduled job runs, or run `provision rotate`",
                token.key(),
                rounded(late)
            )),
            (None, Some((token, at))) if at > self.now => {
                lines.push(format!("job      next is `{}`, {}", token.key(), minute(at)));
            }
            _ => {}
        }
        for trouble in &self.troubles {
            let word = if trouble.skipped { "skipped" } else { "failed" };
            let hint = trouble.hint.as_ref().map_or_else(String::new, |hint| format!("; {hint}"));
            lines.push(format!("{word:<8} `{}` by the job: {}{hint}", trouble.key(), trouble.reason));
        }
        let more = self.view.job.as_ref().map_or(0, |job| job.more);
        if more > 0 {
            lines.push(format!("job      {more} more that it could not do; its log has all of them"));
        }
        lines
    }

    pub(super) fn as_json(&self) -> Value {
        json!({
            "last_turn": self.view.last_turn,
            "turn": self.view.job,
            "next": self.next.map(|(token, at)| json!({ "user": token.user, "name": token.name, "at": at })),
            "late_by": self.late().map_or(0, |(_, late)| late.0),
        })
    }
}

/// What a turn did.
fn did(job: &ManifestTurn) -> String {
    let mut parts = vec![format!("{} brought in sync", count(job.done as usize, "token"))];
    let mut add = |number: usize, words: &str| {
        if number > 0 {
            parts.push(format!("{number} {words}"));
        }
    };
    add(job.rotated as usize, "rotated");
    add(job.waiting as usize, "waiting");
    let (skipped, failed): (Vec<_>, Vec<_>) = job.troubles.iter().partition(|trouble| trouble.skipped);
    add(failed.len(), "failed");
    add(skipped.len(), "skipped");
    format!("{}, {}", parts.join(", "), minute(job.at))
}

/// To the largest unit and the next.
fn rounded(length: Seconds) -> Seconds {
    let unit = if length.0 >= 86_400 { 3600 } else { 60 };
    Seconds(length.0 / unit * unit)
}
