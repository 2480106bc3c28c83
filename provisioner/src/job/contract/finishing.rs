//! finishSecret: the engine delivers the pending version to every place of the token, this secret among them, and promotes it.

use std::collections::BTreeSet;
use std::time::Duration;

use latchkey::protocol::WRITE_BEFORE;
use latchkey_sinks::aws_secrets_manager::{PendingValue, Rotated};

use super::subject::Subject;
use super::testing::not_there_yet;
use super::{Refused, Standing};
use crate::job::{Job, Noted, Report};
use crate::plan::{Options, Rotate};

impl Job<'_> {
    /// Delivers and promotes, unless another run did.
    pub(super) async fn finish(&self, rotated: &Rotated, subject: &Subject) -> Result<&'static str, Refused> {
        let (service, caller) = self.operated()?;
        let record = self.record(subject).await?;
        let secret = match rotated.value_that_was_put().await? {
            PendingValue::Empty => return Err(not_there_yet(rotated)),
            PendingValue::Foreign => return Err(self.end(rotated, "contains no secret of Latchkey").await),
            PendingValue::Secret(secret) => secret,
        };
        let number = match Standing::of(&secret, &record, service.now()) {
            Standing::Staged(number) => number,
            Standing::Current => {
                self.unlabel(rotated).await?;
                return Ok("another run had finished it");
            }
            Standing::Older | Standing::Nothing => return Err(self.superseded(rotated).await),
        };
        let named = BTreeSet::from([(subject.key.user.clone(), subject.key.name.clone())]);
        let options = Options { rotate: Rotate::Staged(named), ..Options::default() };
        let mut report = Report::default();
        let of = (&subject.manifest, std::slice::from_ref(&record));
        self.slice_with((service, caller), &subject.publication, of, options, &mut report).await?;
        self.note((service, caller), (&subject.manifest, &report), &mut Noted::new()).await?;
        let now = self.record(subject).await?;
        if now.current().is_some_and(|current| current.number >= number) {
            self.unlabel(rotated).await?;
            return Ok("it was delivered to every place, and consumers should have it now");
        }
        let waits = format!("version {number} of `{}` is not in all of its places yet", subject.key);
        Err(Refused::of(report)
            .unwrap_or_else(|| Refused::new(waits).hint("AWS repeats the rotation; all versions are valid")))
    }

    /// Takes the label off, if the write has left it: what is current is pending no more.
    async fn unlabel(&self, rotated: &Rotated) -> Result<(), Refused> {
        Ok(rotated.end(self.client.protocol().deadline(Duration::from_secs(WRITE_BEFORE.0))).await?)
    }
}
