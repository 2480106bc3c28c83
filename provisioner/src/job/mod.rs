//! The scheduled job: what is due of published manifests is rotated, repaired and retired, by the engine that applies
//! manifests. It has no file: where secrets go is what was [published](crate::publication), and which entries it may write is
//! what an admin has granted each manifest. It finds what is due by an index, so that its work grows with that and not with
//! how many tokens there are.

mod allowed;
pub mod contract;
mod declared;
mod drift;
mod due;
mod notices;
mod reindex;
mod report;
mod restricted;
#[cfg(feature = "lambda")]
mod scheduled;
mod slice;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::LocalBoxFuture;
use jiff::Timestamp;
use latchkey::name::ManifestName;
use latchkey::service::{Caller, DriftPosition, ManifestTurn, NoteTurnError, Service, Turn};
use latchkey::token::Token;
use latchkey_sinks::reading::Allowances;
use latchkey_sinks::{ManifestSinks, SinkSet};

use crate::apply::Reporter;
use crate::manifest::Manifest;
use crate::service::{Client, ServiceError};
pub use allowed::Allowed;
pub use declared::{is_as_applied, manifest as declared};
use reindex::Rows;
pub use report::{Report, Trouble};
pub use restricted::Restricted;
#[cfg(feature = "lambda")]
pub use scheduled::Scheduled;

/// How many rows of usage are read at once.
const FOLDED: usize = 500;

/// What a turn works with.
#[derive(Clone, Copy)]
pub struct Job<'a> {
    /// The service, as its operator.
    pub client: &'a Client,
    /// What this process is called where a lease is taken: no other has the same word.
    pub holder: &'a str,
    /// How the sinks of a manifest are reached.
    pub reach: Reach<'a>,
    /// Where progress is reported.
    pub reporter: &'a dyn Reporter,
    /// Set from outside to stop after the pushes in flight.
    pub stop: &'a AtomicBool,
    /// How many places of tokens of which nothing is due a turn looks at.
    pub drift: usize,
    /// Which hosts receivers of notices may have beside public ones.
    pub allowances: &'a Allowances,
}

/// Makes the sinks of a manifest.
pub type Reach<'a> = &'a (dyn Fn(&Manifest) -> Box<dyn SinkSet> + Send + Sync);

/// The sinks as manifests declare them, on a machine that has this name in places.
pub fn declared_sinks(machine: &str) -> impl Fn(&Manifest) -> Box<dyn SinkSet> + Send + Sync {
    move |manifest| Box::new(ManifestSinks::new(&manifest.sinks, machine, &manifest.bounds))
}

/// How many places of tokens of which nothing is due a turn looks at, where nobody says.
pub const DRIFT_PLACES: usize = 100;

impl std::fmt::Debug for Job<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Job").field("holder", &self.holder).finish_non_exhaustive()
    }
}

impl Job<'_> {
    /// One turn: over everything that is due now, then over a few places of which nothing is.
    ///
    /// # Errors
    /// When the service does not answer, or is not in this process: a token does not run other teams' manifests. What was
    /// done before stays done.
    pub fn turn(&self) -> LocalBoxFuture<'_, Result<Report, ServiceError>> {
        // On the heap: it is large, and would be compiled anew in each place that waits for it.
        Box::pin(self.take_turn())
    }

    async fn take_turn(&self) -> Result<Report, ServiceError> {
        let (service, caller) = self.client.operated().ok_or_else(|| {
            ServiceError::refused("needs_table", "the scheduled job needs the table of the service, not a server")
        })?;
        // It may have run for days; whoever is to be told may be set meanwhile.
        service.reread_settings().await?;
        let (began, mut report, mut noted) = (service.now(), Report::default(), Noted::new());
        let last = service.last_turn().await?.map(GoesOn::from).unwrap_or_default();
        let due = self.due((service, caller), (last.due, began), (&mut report, &mut noted)).await?;
        let drift = self.drift((service, caller), last.drift, (&mut report, &mut noted)).await?;
        let rows = self.reindex(service, last.rows).await;
        report.published.sort();
        report.published.dedup();
        let sent = self.send(service, &report.published).await;
        match service.fold_usage(FOLDED, self.stop).await {
            Ok(folded) => report.folded = folded,
            Err(error) => tracing::warn!(%error, "usage was not folded"),
        }
        report.stopped |= self.is_stopped();
        service.note_turn(&report.turn((began, service.now()), &caller.actor, GoesOn { due, rows, drift })).await?;
        // What was done is noted, however it went with the notices.
        report.notices = sent?;
        Ok(report)
    }

    /// Notes a turn that was abandoned on its way, as a process that died would be: the next one goes on.
    ///
    /// # Errors
    /// As of [`Self::turn`].
    #[cfg(feature = "lambda")]
    pub async fn abandoned(&self, began: Timestamp) -> Result<Report, ServiceError> {
        let Some((service, caller)) = self.client.operated() else { return Ok(Report::default()) };
        let report = Report { stopped: true, ..Report::default() };
        let last = service.last_turn().await?.map(GoesOn::from).unwrap_or_default();
        service.note_turn(&report.turn((began, service.now()), &caller.actor, last)).await?;
        Ok(report)
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Brings tokens of one manifest in sync, under its lease. An error is this manifest's and ends nothing for others: its
    /// tokens are put off as what failed.
    async fn manifest(&self, of: (&Service, &Caller), manifest: &ManifestName, tokens: &[Token]) -> Report {
        let (mut own, mut through) = (Report::default(), 0);
        let Err(error) = self.slices(of, (manifest, tokens), (&mut own, &mut through)).await else { return own };
        let fault = error.to_string();
        let left = &tokens[through..];
        for token in left.iter().map(Token::key) {
            if !own.failed.iter().any(|trouble| trouble.is_of(&token)) {
                let trouble = Trouble::new(manifest, &token, format!("the turn could not go on with it: {fault}"));
                own.failed.push(trouble.hint("the next turn tries again"));
            }
        }
        if let Err(error) = self.put_off_failed(of, (manifest, left), &mut own).await {
            tracing::warn!(%manifest, %error, "its tokens were not put off");
        }
        own
    }

    async fn slices(
        &self,
        (service, caller): (&Service, &Caller),
        (manifest, tokens): (&ManifestName, &[Token]),
        (own, through): (&mut Report, &mut usize),
    ) -> Result<(), ServiceError> {
        let Some(publication) = service.publication(manifest).await? else {
            own.unpublished += tokens.len();
            return Ok(());
        };
        own.published.push(manifest.clone());
        own.late_by = late_by(tokens, service.now());
        for tokens in tokens.chunks(slice::SLICE) {
            // Renewed for each slice: a lease lasts a minute, and safety does not rest on it.
            let how = crate::service::Take::Own { steal: false };
            if self.client.take_lease(manifest, self.holder, how).await?.is_err() {
                own.busy.push(manifest.clone());
                break;
            }
            let done = self.slice((service, caller), &publication, (manifest, tokens), own).await;
            let freed = self.client.free_lease(manifest, self.holder).await;
            done?;
            *through += tokens.len();
            freed?;
            if self.is_stopped() {
                break;
            }
        }
        Ok(())
    }

    /// Notes for whoever runs a manifest what came of it in this turn so far.
    async fn note(
        &self,
        (service, caller): (&Service, &Caller),
        (manifest, own): (&ManifestName, &Report),
        noted: &mut Noted,
    ) -> Result<(), ServiceError> {
        let Some(part) = own.of_manifest(service.now()) else { return Ok(()) };
        let turn = match noted.remove(manifest) {
            Some(before) => before.and(part),
            None => part,
        };
        let turn = noted.entry(manifest.clone()).or_insert(turn);
        service.note_manifest_turn(caller, manifest, turn).await.map_err(|error| match error {
            NoteTurnError::Table(error) => ServiceError::from(error),
            denied => ServiceError::refused("denied", denied.to_string()),
        })
    }
}

/// Where the next turn goes on.
#[derive(Debug, Default)]
struct GoesOn {
    /// In what is due: the shard.
    due: u8,
    rows: Rows,
    drift: Option<DriftPosition>,
}

impl From<Turn> for GoesOn {
    fn from(turn: Turn) -> Self {
        Self { due: turn.due_from, rows: Rows { rules: turn.due_rules, from: turn.due_rows }, drift: turn.drift }
    }
}

/// What a turn has done so far with each manifest.
type Noted = BTreeMap<ManifestName, ManifestTurn>;

fn is_due(token: &Token, now: Timestamp) -> bool {
    token.next_step().is_some_and(|step| step <= now)
}

/// For how many seconds what is due longest has been due.
fn late_by(tokens: &[Token], now: Timestamp) -> u64 {
    let longest = tokens.iter().filter_map(Token::next_step).min();
    longest.filter(|due| *due <= now).map_or(0, |due| seconds(due, now))
}

/// How many seconds have passed between two instants.
fn seconds(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.duration_since(from).as_secs()).unwrap_or(0)
}
