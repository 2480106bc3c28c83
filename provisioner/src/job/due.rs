//! What is due now: gone through page by page, from where the last turn had to stop and once round.

use std::collections::BTreeMap;

use jiff::Timestamp;
use latchkey::name::ManifestName;
use latchkey::service::{Caller, DuePosition, Service};
use latchkey::table::keys::DUE_SHARDS;
use latchkey::token::Token;

use super::{Job, Noted, Report, is_due, late_by};
use crate::service::ServiceError;

/// How many rows of the index are read at once.
const PAGE: usize = 1000;

impl Job<'_> {
    /// Everything that is due now, beginning in a shard of the index. Answers where the next turn begins: where this one had
    /// to stop, so that what comes first there never keeps it from what comes last.
    pub(super) async fn due(
        &self,
        of: (&Service, &Caller),
        (from, now): (u8, Timestamp),
        (report, noted): (&mut Report, &mut Noted),
    ) -> Result<u8, ServiceError> {
        let from = if from < DUE_SHARDS { from } else { 0 };
        for shards in [from..DUE_SHARDS, 0..from] {
            let mut position = Some(DuePosition::of(shards));
            while let Some(at) = position {
                if self.is_stopped() {
                    return Ok(at.shard());
                }
                let page = of.0.due(now, PAGE, Some(&at)).await?;
                self.page(of, (page.tokens, now), (report, noted)).await?;
                // Of this page something may be left.
                if self.is_stopped() {
                    return Ok(at.shard());
                }
                position = page.next;
            }
        }
        Ok(0)
    }

    async fn page(
        &self,
        (service, caller): (&Service, &Caller),
        (tokens, now): (Vec<Token>, Timestamp),
        (report, noted): (&mut Report, &mut Noted),
    ) -> Result<(), ServiceError> {
        // Of the others something is to be told, and nothing to be done.
        let (due, others): (Vec<Token>, Vec<Token>) = tokens.into_iter().partition(|token| is_due(token, now));
        report.due += due.len();
        let due = Due::of(due);
        report.late_by = report.late_by.max(late_by(&due.unmanaged, now));
        for token in &due.unmanaged {
            if self.is_stopped() {
                return Ok(());
            }
            report.expired += usize::from(service.sweep_expired(token).await?);
        }
        for (manifest, tokens) in &due.managed {
            if self.is_stopped() {
                return Ok(());
            }
            let own = self.manifest((service, caller), manifest, tokens).await;
            self.note((service, caller), (manifest, &own), noted).await?;
            self.tell((service, caller), tokens, &own.failed).await?;
            report.absorb(own);
        }
        self.tell((service, caller), &others, &[]).await
    }
}

/// What is due, by whose it is.
struct Due {
    managed: BTreeMap<ManifestName, Vec<Token>>,
    /// Made by hand.
    unmanaged: Vec<Token>,
}

impl Due {
    fn of(tokens: Vec<Token>) -> Self {
        let mut due = Self { managed: BTreeMap::new(), unmanaged: Vec::new() };
        for token in tokens {
            match token.managed_by.clone() {
                Some(manifest) => due.managed.entry(manifest).or_default().push(token),
                None => due.unmanaged.push(token),
            }
        }
        due
    }
}
