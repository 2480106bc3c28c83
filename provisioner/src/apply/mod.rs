//! Applying a plan: the protocol's steps in their order, each push announced before it is written and reported after.
//!
//! What is decided here is only what to do when something fails half-way: leave every place with a valid version
//! and report how to continue. What is to be done at all is the plan's.

mod announce;
mod deliver;
mod elsewhere;
mod leave;
mod outcome;
mod promote;
mod removal;
mod report;
mod retire;
mod stage;
mod written;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::LocalBoxFuture;
use latchkey::place::Place;
use latchkey::secret::Secret;
use latchkey::token::Token;

pub use outcome::{Failure, Outcome, Reporter, Silent};

use crate::manifest::Manifest;
use crate::observe::Observation;
use crate::observe::finding::Known;
use crate::plan::{Change, Labels, Options, Plan, TokenPlan};
use crate::service::{Protocol, ServiceError};
use latchkey_sinks::plural::count;
use latchkey_sinks::{Receipt, SinkSet};
use report::Arrived;
use written::Written;

/// How many tokens are worked on together: what a crash can leave staged, and what memory holds, is bounded by it.
const WAVE: usize = 200;
/// How many units are written to at once.
const SIDE_BY_SIDE: usize = 8;

/// What a run works with.
pub struct Run<'a> {
    pub client: &'a dyn Protocol,
    pub sinks: &'a dyn SinkSet,
    pub manifest: &'a Manifest,
    /// The options of the plan.
    pub options: &'a Options,
    /// How places are named.
    pub labels: &'a Labels,
    /// Where progress is reported.
    pub reporter: &'a dyn Reporter,
    /// Set from outside to stop after the pushes in flight.
    pub stop: &'a AtomicBool,
}

impl std::fmt::Debug for Run<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Run").field("manifest", &self.manifest.name).finish_non_exhaustive()
    }
}

impl Run<'_> {
    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// What distinguishes a token's versions from all else, by its record as it is now.
    fn known<'t>(&'t self, token: &'t Token) -> Known<'t> {
        Known::of_token(&self.manifest.name, token, self.client.now())
    }
}

/// A token on its way through a run.
struct Work<'a> {
    plan: &'a TokenPlan,
    /// The record as last heard of; names the token to the service.
    token: Option<Token>,
    /// The version that is carried to its places.
    carried: Option<(u32, Secret)>,
    /// The places that it was written to, and how each entry was left.
    wrote: Vec<(Place, Receipt)>,
    /// Where a look found what was written, to be reported with the promotion.
    arrived: Vec<Arrived>,
    failure: Option<Failure>,
    /// Planned changes that turned out not to be possible yet, by their index in the plan, and why.
    skipped: BTreeMap<usize, String>,
}

impl<'a> Work<'a> {
    fn new(plan: &'a TokenPlan) -> Self {
        let token = plan.record.as_deref().cloned();
        Self {
            plan,
            token,
            carried: None,
            wrote: Vec::new(),
            arrived: Vec::new(),
            failure: None,
            skipped: BTreeMap::new(),
        }
    }
}

impl Work<'_> {
    fn subject(&self) -> String {
        format!("{}/{}", self.plan.user, self.plan.name)
    }

    fn fail(&mut self, failure: Failure) {
        // The first failure explains the rest.
        self.failure.get_or_insert(failure);
    }

    fn has(&self, wanted: impl Fn(&Change) -> bool) -> bool {
        self.plan.changes.iter().any(wanted)
    }

    /// Notes that a planned change has to wait for a later run.
    fn skip(&mut self, index: usize, why: String) {
        self.skipped.insert(index, why);
    }

    /// The version that goes to the places, or that an earlier run has brought to all of them.
    fn number(&self) -> Option<u32> {
        let resumed = self.plan.changes.iter().find_map(|change| match change {
            Change::Resume { number, .. } => Some(*number),
            _ => None,
        });
        self.carried.as_ref().map(|(number, _)| *number).or(resumed)
    }

    /// Whether a version is to become current, as far as all went well.
    fn is_ready(&self) -> bool {
        self.failure.is_none() && self.promotes()
    }

    /// Whether a version becomes current.
    fn promotes(&self) -> bool {
        self.has(|change| matches!(change, Change::Create | Change::NewVersion(_) | Change::Resume { .. }))
    }
}

/// Carries a plan out. Tokens that fail do not stop others; roles and users that fail stop the run, as tokens depend
/// on them.
///
/// # Errors
/// When a role or user could not be written; what was done before stays done.
pub fn apply<'a>(
    run: &'a Run<'_>,
    plan: &'a Plan,
    observation: &'a Observation,
) -> LocalBoxFuture<'a, Result<Outcome, ServiceError>> {
    // On the heap: it is large, and would be compiled anew in each place that waits for it.
    Box::pin(carry_out(run, plan, observation))
}

async fn carry_out(run: &Run<'_>, plan: &Plan, observation: &Observation) -> Result<Outcome, ServiceError> {
    let mut outcome = Outcome::default();
    for role in &plan.roles {
        let declared = (Some(&run.manifest.name), &role.moving);
        run.client.put_role(&role.name, &role.permissions, declared).await?;
        outcome.done += 1;
        run.reporter.done(&format!("role `{}`", role.name), if role.new { "created" } else { "changed" });
    }
    for user in &plan.users {
        run.client.put_user(&user.name, &user.change).await?;
        outcome.done += 1;
        run.reporter.done(&format!("user `{}`", user.name), if user.new { "created" } else { "changed" });
    }
    let changing: Vec<&TokenPlan> = plan.tokens.iter().filter(|token| !token.changes.is_empty()).collect();
    run.reporter.begin(changing.len());
    let mut written = Written::default();
    for wave in changing.chunks(WAVE) {
        if run.stopped() {
            outcome.stopped = true;
            break;
        }
        let mut works: Vec<Work<'_>> = wave.iter().map(|plan| Work::new(plan)).collect();
        stage::prepare(run, &mut works).await;
        stage::stage(run, &mut works, observation).await;
        deliver::deliver(run, &mut works, observation, &mut written).await;
        let seen = report::report(run, &mut works, &mut outcome).await;
        promote::promote(run, &mut works, &seen, &mut outcome).await;
        leave::leave(run, &mut works).await;
        for work in works {
            let subject = work.subject();
            match work.failure {
                None => {
                    outcome.done += usize::from(work.skipped.len() < work.plan.changes.len());
                    outcome.waiting += work.skipped.len();
                    run.reporter.done(&format!("token `{subject}`"), &done_words(&work));
                }
                Some(failure) => {
                    // What could not be done takes nothing back of what was.
                    if let Some(words) = retired_words(work.plan, work.token.as_ref()) {
                        outcome.done += 1;
                        run.reporter.done(&format!("token `{subject}`"), &words);
                    }
                    // Hundreds of tokens that a stopped run left alone would bury what went wrong.
                    if !failure.is_stop() {
                        run.reporter.failed(&failure);
                    }
                    outcome.failures.push(failure);
                }
            }
        }
    }
    written.tell(run, &mut outcome).await;
    // A stop that came when all was done has stopped nothing.
    outcome.stopped |= outcome.failures.iter().any(Failure::is_stop);
    Ok(outcome)
}

/// The versions of a token that a run retired before it failed.
fn retired_words(plan: &TokenPlan, token: Option<&Token>) -> Option<String> {
    let numbers = plan.changes.iter().filter_map(|change| match change {
        Change::Retire { number } if token?.version(*number).is_none() => Some(format!("version {number} retired")),
        _ => None,
    });
    let words: Vec<String> = numbers.collect();
    (!words.is_empty()).then(|| words.join(", "))
}

/// What was done to a token, in few words.
fn done_words(work: &Work<'_>) -> String {
    let plan = work.plan;
    let next = plan.record.as_ref().map_or(1, |record| record.highest + 1);
    let mut words: Vec<String> = Vec::new();
    for (index, change) in plan.changes.iter().enumerate() {
        if let Some(why) = work.skipped.get(&index) {
            words.push(why.clone());
            continue;
        }
        words.push(match change {
            Change::Create => format!("created and pushed to {}", count(plan.places.len(), "place")),
            Change::Rename { from } => format!("renamed from `{from}`"),
            Change::Move { from, .. } => format!("moved from `{from}`"),
            Change::TakeOver => "taken over".to_owned(),
            Change::Update(_) => "changed".to_owned(),
            Change::NewVersion(_) => format!("rotated to version {next}"),
            Change::Resume { number, .. } => format!("rotated to version {number}"),
            Change::Mend { .. } => "repaired".to_owned(),
            Change::Retire { number } => format!("version {number} retired"),
            Change::Remove { .. } => "entry removed".to_owned(),
            Change::Forget { .. } => "place forgotten".to_owned(),
            Change::Merge { .. } => "same entry tracked once".to_owned(),
            Change::Leave => "pruned".to_owned(),
            Change::Delete => "deleted".to_owned(),
        });
    }
    words.dedup();
    words.join(", ")
}
