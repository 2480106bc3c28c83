//! setSecret and testSecret: nothing is set anywhere, as the service that issues a secret knows it already. What is pending is
//! confirmed with it, and no use is counted.

use latchkey_sinks::aws_secrets_manager::PendingValue;

use super::{Refused, Rotation, Standing};

impl Rotation<'_> {
    /// Whether what is pending can be read, and is the version that goes to the places next.
    pub(super) async fn set(&self) -> Result<&'static str, Refused> {
        let record = self.record().await?;
        match self.version.value_that_was_put().await? {
            PendingValue::Empty => Err(not_there_yet(self.version.name())),
            PendingValue::Foreign => Err(self.end("contains no secret of Latchkey").await),
            PendingValue::Secret(secret) => match self.standing(&secret, &record).await? {
                Standing::Staged(_) | Standing::Current => Ok("the service knows the pending version"),
                Standing::Older | Standing::Nothing => Err(self.superseded().await),
            },
        }
    }

    /// Whether consumers will be let in with what is pending. AWS also tests a rotation that it is only told to begin later:
    /// then nothing was created, and what is tested is what consumers have.
    pub(super) async fn test(&self) -> Result<&'static str, Refused> {
        let record = self.record().await?;
        let users = self.protocol.users(self.manifest, std::slice::from_ref(&self.token.user)).await?;
        if users.iter().any(|user| user.suspended) {
            let reason = format!("the user `{}` is suspended, so no secret of theirs is valid", self.token.user);
            return Err(Refused::new(reason).hint(format!("lift it: `provision user restore {}`", self.token.user)));
        }
        match self.value(&record).await? {
            PendingValue::Empty if self.is_announced(&record) => Err(not_there_yet(self.version.name())),
            PendingValue::Empty => match self.version.current_value().await? {
                PendingValue::Secret(secret) if self.standing(&secret, &record).await? != Standing::Nothing => {
                    Ok("what consumers read is valid; nothing is pending")
                }
                _ => {
                    let reason =
                        format!("what `{}` contains is not a valid version of `{}`", self.version.name(), self.token);
                    Err(Refused::new(reason).hint("deliver the token: `provision apply`"))
                }
            },
            PendingValue::Foreign => Err(self.end("contains no secret of Latchkey").await),
            PendingValue::Secret(secret) => match self.standing(&secret, &record).await? {
                Standing::Staged(_) | Standing::Current => Ok("the pending version is valid"),
                Standing::Older | Standing::Nothing => Err(self.superseded().await),
            },
        }
    }
}

/// AWS shows late what was put.
pub(super) fn not_there_yet(name: &str) -> Refused {
    let reason = format!("the pending version of `{name}` has no value that can be read yet");
    Refused::new(reason).hint("AWS repeats the rotation; consumers read what they read before")
}
