//! createSecret: a version is staged, announced for the secret and put under AWSPENDING, unless it is there already.

use std::collections::BTreeSet;

use latchkey::secret::Secret;
use latchkey::token::Token;
use latchkey_sinks::SinkSet;
use latchkey_sinks::aws_secrets_manager::PendingValue;

use super::{Refused, Rotation, Standing};
use crate::job::allowed::Allowed;
use crate::job::restricted::Restricted;
use crate::job::slice::planned;
use crate::observe::{Observation, recover};
use crate::plan::{self, Change, Labels, Options, Plan, Rotate, Tone};
use crate::service::Protocol as _;

impl Rotation<'_> {
    /// Lets the version have the secret that goes to the token's places next. The wish of whoever asked AWS: neither the
    /// manifest's window nor its limit of restarts keeps it waiting.
    pub(super) async fn create(&self) -> Result<&'static str, Refused> {
        let record = self.record().await?;
        match self.value(&record).await? {
            PendingValue::Empty => {}
            PendingValue::Foreign => return Err(self.end("contains no secret of Latchkey").await),
            PendingValue::Secret(secret) => {
                return match self.standing(&secret, &record).await? {
                    Standing::Staged(_) | Standing::Current => Ok("the version has its secret already"),
                    Standing::Older | Standing::Nothing => Err(self.superseded().await),
                };
            }
        }
        let Allowed { manifest, sinks } = &self.runs.allowed(&record).await?;
        let client = Restricted::new(self.protocol, vec![self.token.clone()]);
        let named = BTreeSet::from([(self.token.user.clone(), self.token.name.clone())]);
        let options = Options { rotate: Rotate::Named(named), ..Options::default() };
        let (observation, plan) = planned(&client, &**sinks, manifest, &options).await?.map_err(Refused::new)?;
        blocked(&plan, &Labels::new(&manifest.folder, sinks.machine()))?;
        let (record, number, secret) = staged((&client, &**sinks), &plan, &observation, record).await?;
        let announced = client.announce(&record, number, std::slice::from_ref(self.place)).await?;
        let Err(error) = self.version.put(&secret, announced.write_before).await else {
            return Ok("a version was staged, and is pending");
        };
        let (error, had_no_effect) = error.of_write();
        if let Some(announcement) = announced.announcement.filter(|_| had_no_effect) {
            // Where that fails the version counts as one that may be there.
            let _ = client.withdraw(&record, number, self.place, announcement).await;
        }
        Err(error.into())
    }

    /// What the version contains. One that was put before may be shown late.
    pub(super) async fn value(&self, record: &Token) -> Result<PendingValue, Refused> {
        Ok(if self.is_announced(record) {
            self.version.value_that_was_put().await?
        } else {
            self.version.value().await?
        })
    }

    /// Whether a staged version may be in the secret.
    pub(super) fn is_announced(&self, record: &Token) -> bool {
        record.staged().is_some_and(|staged| staged.deliveries.contains_key(self.place))
    }
}

/// Why nothing is staged, where something stands in the way at any place of the token.
fn blocked(plan: &Plan, labels: &Labels) -> Result<(), Refused> {
    let problem = plan.tokens.iter().flat_map(|token| plan::remarks(token, labels));
    let problem = problem.into_iter().find(|remark| remark.tone == Tone::Problem);
    problem.map_or(Ok(()), |problem| Err(Refused { reason: problem.text, hint: problem.help }))
}

/// The version that goes to the places next: one that was left staged, as far as it can be read back, else a new one.
async fn staged(
    (client, sinks): (&Restricted<'_>, &dyn SinkSet),
    plan: &Plan,
    observation: &Observation,
    record: Token,
) -> Result<(Token, u32, Secret), Refused> {
    for change in plan.tokens.iter().flat_map(|token| &token.changes) {
        match change {
            Change::NewVersion(_) => {
                let issued = client.stage(&record).await?;
                return Ok((issued.token, issued.number, issued.secret));
            }
            Change::Resume { number, .. } => {
                let gone =
                    || Refused::new(format!("version {number} can no longer be read back; AWS repeats the rotation"));
                let version = record.version(*number).ok_or_else(gone)?;
                let found = recover((client, &plan.manifest), sinks, &record, version, &observation.looks).await?;
                let (_, secret) = found.ok_or_else(gone)?;
                return Ok((record, *number, secret));
            }
            _ => {}
        }
    }
    Err(Refused::new("there is nothing to rotate; AWS repeats the rotation"))
}
