//! finishSecret: the engine delivers the pending version to every place of the token, this secret among them, and promotes it.

use std::collections::BTreeSet;

use latchkey_sinks::aws_secrets_manager::PendingValue;

use super::testing::not_there_yet;
use super::{Refused, Rotation, Standing};
use crate::plan::{Options, Rotate};
use crate::safeguard::{Safeguard, stands};

impl Rotation<'_> {
    /// Delivers and promotes, unless another run did.
    pub(super) async fn finish(&self) -> Result<&'static str, Refused> {
        let record = self.record().await?;
        let secret = match self.version.value_that_was_put().await? {
            PendingValue::Empty => return Err(not_there_yet(self.version.name())),
            PendingValue::Foreign => return Err(self.end("contains no secret of Latchkey").await),
            PendingValue::Secret(secret) => secret,
        };
        let number = match self.standing(&secret, &record).await? {
            Standing::Staged(number) => number,
            Standing::Current => {
                self.unlabel().await?;
                return Ok("another run had finished it");
            }
            Standing::Older | Standing::Nothing => return Err(self.superseded().await),
        };
        let named = BTreeSet::from([(self.token.user.clone(), self.token.name.clone())]);
        let options = Options { rotate: Rotate::Staged(named), ..Options::default() };
        let trouble = self.runs.run(&record, options).await?;
        // One that was deleted and made again under its name meanwhile is another token.
        let now = if stands(Safeguard::PendingToken) {
            self.protocol.reread(self.manifest, &record).await?
        } else {
            self.record().await?
        };
        if now.current().is_some_and(|current| current.number >= number) {
            // The write may have left it: what is current is pending no more.
            self.unlabel().await?;
            return Ok("it was delivered to every place, and consumers should have it now");
        }
        let waits = format!("version {number} of `{}` is not in all of its places yet", self.token);
        Err(trouble.unwrap_or_else(|| Refused::new(waits).hint("AWS repeats the rotation; all versions are valid")))
    }
}
