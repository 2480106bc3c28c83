//! setSecret and testSecret: nothing is set anywhere, as the service that issues a secret knows it already. What is pending is
//! confirmed with it, and no use is counted.

use latchkey_sinks::aws_secrets_manager::{PendingValue, Rotated};

use super::creating::is_announced;
use super::subject::Subject;
use super::{Refused, Standing};
use crate::job::Job;

impl Job<'_> {
    /// Whether what is pending can be read, and is the version that goes to the places next.
    pub(super) async fn set(&self, rotated: &Rotated, subject: &Subject) -> Result<&'static str, Refused> {
        let record = self.record(subject).await?;
        match rotated.value_that_was_put().await? {
            PendingValue::Empty => Err(not_there_yet(rotated)),
            PendingValue::Foreign => Err(self.end(rotated, "contains no secret of Latchkey").await),
            PendingValue::Secret(secret) => match Standing::of(&secret, &record, self.client.protocol().now()) {
                Standing::Staged(_) | Standing::Current => Ok("the service knows the pending version"),
                Standing::Older | Standing::Nothing => Err(self.superseded(rotated).await),
            },
        }
    }

    /// Whether consumers will be let in with what is pending. AWS also tests a rotation that it is only told to begin later:
    /// then nothing was created, and what is tested is what consumers have.
    pub(super) async fn test(&self, rotated: &Rotated, subject: &Subject) -> Result<&'static str, Refused> {
        let record = self.record(subject).await?;
        let users = self.client.protocol().users(&subject.manifest, std::slice::from_ref(&subject.key.user)).await?;
        if users.iter().any(|user| user.suspended) {
            let reason = format!("the user `{}` is suspended, so no secret of theirs is valid", subject.key.user);
            return Err(Refused::new(reason).hint(format!("lift it: `provision user restore {}`", subject.key.user)));
        }
        let now = self.client.protocol().now();
        match self.value(rotated, subject, &record).await? {
            PendingValue::Empty if is_announced(subject, &record) => Err(not_there_yet(rotated)),
            PendingValue::Empty => match rotated.current_value().await? {
                PendingValue::Secret(secret) if Standing::of(&secret, &record, now) != Standing::Nothing => {
                    Ok("what consumers read is valid; nothing is pending")
                }
                _ => {
                    let reason =
                        format!("what `{}` contains is not a valid version of `{}`", rotated.name(), subject.key);
                    Err(Refused::new(reason).hint("deliver the token: `provision apply`"))
                }
            },
            PendingValue::Foreign => Err(self.end(rotated, "contains no secret of Latchkey").await),
            PendingValue::Secret(secret) => match Standing::of(&secret, &record, now) {
                Standing::Staged(_) | Standing::Current => Ok("the pending version is valid"),
                Standing::Older | Standing::Nothing => Err(self.superseded(rotated).await),
            },
        }
    }
}

/// AWS shows late what was put.
pub(super) fn not_there_yet(rotated: &Rotated) -> Refused {
    let reason = format!("the pending version of `{}` has no value that can be read yet", rotated.name());
    Refused::new(reason).hint("AWS repeats the rotation; consumers read what they read before")
}
