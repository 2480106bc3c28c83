//! Drift: a few published tokens a turn are looked at although nothing of them is due, from where the last turn stopped,
//! so that an entry that somebody changed is found within some turns, and a turn's work stays bounded.

use latchkey::name::ManifestName;
use latchkey::service::{Caller, DriftPosition, PublishedToken, Service};
use latchkey::table::TableError;
use latchkey::token::{Token, TokenKey};

use super::slice::SLICE;
use super::{Job, Noted, Report};
use crate::service::ServiceError;

/// How many manifests a turn asks for what they publish: most may publish nothing.
const MANIFESTS_MAX: usize = 100;

impl Job<'_> {
    /// Looks at as many places as a turn may, and repairs what it finds. Answers where the next turn goes on; it begins again
    /// when that is `None`.
    pub(super) async fn drift(
        &self,
        (service, caller): (&Service, &Caller),
        from: Option<DriftPosition>,
        (report, noted): (&mut Report, &mut Noted),
    ) -> Result<Option<DriftPosition>, ServiceError> {
        let (mut position, mut asked) = (from, 0);
        while report.looked < self.drift && asked < MANIFESTS_MAX && !self.is_stopped() {
            let (manifest, after) = match position.clone() {
                Some(DriftPosition { manifest, after: Some(after) }) => (manifest, Some(after)),
                at => {
                    let names = service.manifest_names(1, at.as_ref().map(|at| &at.manifest)).await?;
                    let Some(next) = names.into_iter().next() else { return Ok(None) };
                    (next, None)
                }
            };
            asked += 1;
            let at_its_end = Some(DriftPosition { manifest: manifest.clone(), after: None });
            let room = i32::try_from(SLICE.min(self.drift - report.looked)).unwrap_or(1);
            let found = match published(service, &manifest, room, after.as_ref()).await {
                Ok(found) => found,
                // It is reported once something of it is due, and keeps no other from being looked at.
                Err(error) => {
                    tracing::warn!(%manifest, %error, "what it has published cannot be read");
                    None
                }
            };
            let Some((mut tokens, last)) = found else {
                position = at_its_end;
                continue;
            };
            let now = service.now();
            // What was put off is not tried before its time.
            let is_put_off = |token: &Token| token.retry.is_some_and(|retry| retry.at > now);
            tokens.retain(|token| {
                token.managed_by.as_ref() == Some(&manifest) && token.ended.is_none() && !is_put_off(token)
            });
            let places = |token: &Token| token.places.len().max(1);
            let own = self.manifest((service, caller), &manifest, &tokens).await;
            // Who has to be told of what is left to others is told when something is due of it.
            let own = Report { skipped: Vec::new(), ..own };
            self.note((service, caller), (&manifest, &own), noted).await?;
            // What a turn may do is bounded by places; the last token's may be more than are left.
            report.looked += tokens.iter().map(places).sum::<usize>();
            report.repaired += own.done;
            report.absorb(Report { done: 0, ..own });
            position = match last {
                Some(last) => Some(DriftPosition { manifest, after: Some(last) }),
                None => at_its_end,
            };
        }
        Ok(position)
    }
}

/// Some tokens that a manifest has published, and the last of them if there are more; `None` where it publishes nothing.
async fn published(
    service: &Service,
    manifest: &ManifestName,
    room: i32,
    after: Option<&TokenKey>,
) -> Result<Option<(Vec<Token>, Option<TokenKey>)>, TableError> {
    if service.publication(manifest).await?.is_none() {
        return Ok(None);
    }
    let page = service.published_tokens(manifest, room, after).await?;
    let keys: Vec<TokenKey> = page.tokens.iter().map(PublishedToken::key).collect();
    Ok(Some((service.holders(&keys).await?, page.next)))
}
