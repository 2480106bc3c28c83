//! The scheduled job: what is due of published manifests is rotated, repaired and retired, by the engine that applies
//! manifests. It has no file: where secrets go is what was [published](crate::publication), and which entries it may write is
//! what an admin has granted each manifest. It finds what is due by an index, so that its work grows with that and not with
//! how many tokens there are.

mod declared;
mod due;
mod notices;
mod report;
mod restricted;
mod slice;

use std::sync::atomic::{AtomicBool, Ordering};

use latchkey::name::ManifestName;
use latchkey::service::{Caller, Service};
use latchkey::token::{Token, TokenKey};
use latchkey_sinks::reading::Allowances;

use crate::apply::Reporter;
use crate::service::{Client, ServiceError};
use due::Due;
pub use report::{Report, Trouble};

/// How many rows of the index are read at once.
const PAGE: usize = 1000;

/// What a turn works with.
#[derive(Clone, Copy)]
pub struct Job<'a> {
    /// The service, as its operator.
    pub client: &'a Client,
    /// What this process is called where a lease is taken: no other has the same word.
    pub holder: &'a str,
    /// This machine, as places name it.
    pub machine: &'a str,
    /// Where progress is reported.
    pub reporter: &'a dyn Reporter,
    /// Set from outside to stop after the pushes in flight.
    pub stop: &'a AtomicBool,
    /// Which hosts receivers of notices may have beside public ones.
    pub allowances: &'a Allowances,
}

impl std::fmt::Debug for Job<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Job").field("holder", &self.holder).finish_non_exhaustive()
    }
}

impl Job<'_> {
    /// One turn over everything that is due now.
    ///
    /// # Errors
    /// When the service does not answer, or is not in this process: a token does not run other teams' manifests. What was
    /// done before stays done.
    pub async fn turn(&self) -> Result<Report, ServiceError> {
        let (service, caller) = self.client.operated().ok_or_else(|| {
            ServiceError::refused("needs_table", "the scheduled job needs the table of the service, not a server")
        })?;
        let (now, mut report, mut position) = (service.now(), Report::default(), None);
        loop {
            let page = service.due(now, PAGE, position.as_ref()).await?;
            report.due += page.tokens.len();
            let (tokens, failed) = (page.tokens.iter().map(Token::key).collect::<Vec<TokenKey>>(), report.failed.len());
            let due = Due::of(page.tokens);
            for token in &due.unmanaged {
                report.expired += usize::from(service.sweep_expired(token).await?);
            }
            for (manifest, tokens) in &due.managed {
                if self.is_stopped() {
                    report.stopped = true;
                    return Ok(report);
                }
                self.manifest((service, caller), manifest, tokens, &mut report).await?;
            }
            self.tell((service, caller), &tokens, &report.failed[failed..]).await?;
            position = page.next;
            if position.is_none() {
                report.notices = self.send(service).await?;
                return Ok(report);
            }
        }
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// What is due of one manifest, under its lease.
    async fn manifest(
        &self,
        (service, caller): (&Service, &Caller),
        manifest: &ManifestName,
        tokens: &[Token],
        report: &mut Report,
    ) -> Result<(), ServiceError> {
        let Some(publication) = service.publication(manifest).await? else {
            report.unpublished += tokens.len();
            return Ok(());
        };
        for tokens in tokens.chunks(slice::SLICE) {
            // Renewed for each slice: a lease lasts a minute, and safety does not rest on it.
            let how = crate::service::Take::Own { steal: false };
            if self.client.take_lease(manifest, self.holder, how).await?.is_err() {
                report.busy.push(manifest.clone());
                return Ok(());
            }
            let done = self.slice((service, caller), &publication, (manifest, tokens), report).await;
            self.client.free_lease(manifest, self.holder).await?;
            done?;
            if self.is_stopped() {
                report.stopped = true;
                break;
            }
        }
        Ok(())
    }
}
