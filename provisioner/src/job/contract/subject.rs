//! Whose secret it is: the token that the tag names, if its record has this very secret among its places.

use latchkey::name::ManifestName;
use latchkey::place::PlaceId;
use latchkey::service::{Caller, Publication, Service};
use latchkey::token::{Token, TokenKey};
use latchkey_sinks::aws_secrets_manager::{Rotated, TOKEN_TAG};
use latchkey_sinks::reading::shown;

use super::Refused;
use crate::job::allowed::Allowed;
use crate::job::{Job, Report};
use crate::service::ServiceError;

/// The token that a rotation is about.
pub(super) struct Subject {
    pub(super) key: TokenKey,
    pub(super) manifest: ManifestName,
    pub(super) publication: Publication,
    /// The secret, as the token's record has it.
    pub(super) place: PlaceId,
}

impl Job<'_> {
    /// The token whose secret AWS rotates.
    pub(super) async fn subject(&self, rotated: &Rotated) -> Result<Subject, Refused> {
        let (service, _) = self.operated()?;
        let name = rotated.name();
        let Some(tag) = rotated.token_tag() else {
            let reason = format!("`{name}` has no tag `{TOKEN_TAG}`, so nobody knows whose secret is to be rotated");
            let command =
                format!("aws secretsmanager tag-resource --secret-id {name} --tags Key={TOKEN_TAG},Value=USER/NAME");
            return Err(Refused::new(reason).hint(format!("name the token: `{command}`")));
        };
        // The same words whether there is such a token or not: whoever may tag learns nothing.
        let not_declared = || {
            let reason = format!(
                "the tag `{TOKEN_TAG}` of `{name}` names `{}`, which is no token that is delivered to this secret",
                shown(tag)
            );
            Refused::new(reason).hint("name the token whose manifest declares this secret, `USER/NAME`")
        };
        let key = read(tag).ok_or_else(not_declared)?;
        let found = service.holders(std::slice::from_ref(&key)).await.map_err(ServiceError::from)?.pop();
        let record = found.filter(|token| token.ended.is_none()).ok_or_else(not_declared)?;
        let place = rotated.place().id();
        let declared = |wanted: &dyn Fn(&latchkey::token::PlaceRecord) -> bool| {
            record.places.values().any(|record| record.declared && wanted(record))
        };
        if declared(&|record| rotated.is_shared_by(&record.place)) {
            let reason = format!("`{name}` contains secrets of several tokens, which AWS cannot rotate one by one");
            let command = format!("aws secretsmanager cancel-rotate-secret --secret-id {name}");
            return Err(Refused::new(reason).hint(format!("leave it to the scheduled job: `{command}`")));
        }
        let manifest = record.managed_by.clone().filter(|_| declared(&|record| record.place.id() == place));
        let manifest = manifest.ok_or_else(not_declared)?;
        let publication = service.publication(&manifest).await.map_err(ServiceError::from)?;
        let publication = publication.ok_or_else(|| {
            let reason =
                format!("the manifest `{manifest}` of `{key}` is not published, so its places are unknown here");
            Refused::new(reason).hint("publish it: `provision apply --publish`")
        })?;
        Ok(Subject { key, manifest, publication, place })
    }

    /// What the job may touch of it: as it was applied, and granted.
    pub(super) async fn allowed_of(&self, subject: &Subject, record: &Token) -> Result<Allowed, Refused> {
        let (service, _) = self.operated()?;
        let (publication, of) = (&subject.publication, (&subject.manifest, std::slice::from_ref(record)));
        let mut report = Report::default();
        let allowed = self.allowed(service, publication, of, &mut report).await?;
        allowed.ok_or_else(|| {
            Refused::of(report).unwrap_or_else(|| Refused::new(format!("the job may not rotate `{}`", subject.key)))
        })
    }

    pub(super) fn operated(&self) -> Result<(&Service, &Caller), ServiceError> {
        let operated = self.client.operated();
        let refused =
            || ServiceError::refused("needs_table", "a rotation needs the table of the service, not a server");
        operated.map(|(service, caller)| (&**service, caller)).ok_or_else(refused)
    }
}

/// A token as a tag names it.
fn read(tag: &str) -> Option<TokenKey> {
    let (user, name) = tag.split_once('/')?;
    Some(TokenKey::new(user.parse().ok()?, name.parse().ok()?))
}
