//! AWS's own rotation: Secrets Manager calls this function step by step for a secret that it rotates. A version of a token is
//! staged and put under AWSPENDING, and then goes the way of every other: the engine delivers it to all places of the token,
//! this one by moving AWSCURRENT, and promotes it.
//!
//! Whoever may tag a secret gets nothing by it: a tag only says in which record the secret is to be looked up.

mod creating;
mod finishing;
mod subject;
mod testing;

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use latchkey::protocol::WRITE_BEFORE;
use latchkey::secret::Secret;
use latchkey::token::{Token, TokenKey};
use latchkey_sinks::SinkError;
use latchkey_sinks::aws_secrets_manager::{PendingValue, Rotated, SecretArn, Stage};
use latchkey_sinks::reading::shown;
use serde::Deserialize;

use super::{Job, Report, Trouble};
use crate::service::{ServiceError, Take};
use subject::Subject;

/// How long another run of the manifest is waited for, and how often it is asked.
const LEASE_WAIT: Duration = Duration::from_mins(1);
const LEASE_PAUSE: Duration = Duration::from_secs(2);

/// What Secrets Manager asks for.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Asked {
    step: String,
    #[serde(default)]
    secret_id: String,
    /// The id of the version that is to be made.
    #[serde(default)]
    client_request_token: String,
}

/// What was done of it.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) secret: String,
    pub(super) token: TokenKey,
    pub(super) what: &'static str,
}

/// Why a step failed: AWS shows it to whoever looks, and repeats the rotation.
#[derive(Debug)]
pub(super) struct Refused {
    reason: String,
    hint: Option<String>,
}

/// The steps of a rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Create,
    Set,
    Test,
    Finish,
}

/// What a value is for its token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// The version that goes to the places next.
    Staged(u32),
    /// What consumers should have.
    Current,
    /// Valid, and superseded.
    Older,
    /// No valid version.
    Nothing,
}

impl Asked {
    /// The step that an event asks for, if it is one of Secrets Manager's.
    pub(super) fn of(event: &str) -> Option<Self> {
        serde_json::from_str(event).ok()
    }

    /// The step's name.
    pub(super) fn step(&self) -> String {
        shown(&self.step)
    }

    fn known(&self) -> Result<Step, Refused> {
        // As AWS's samples spell them, and as its guide does.
        Ok(match self.step.as_str() {
            "createSecret" | "create_secret" => Step::Create,
            "setSecret" | "set_secret" => Step::Set,
            "testSecret" | "test_secret" => Step::Test,
            "finishSecret" | "finish_secret" => Step::Finish,
            _ => return Err(Refused::new(format!("`{}` is not a step of a rotation", self.step()))),
        })
    }
}

impl Standing {
    fn of(secret: &Secret, record: &Token, now: Timestamp) -> Self {
        let Some(number) = record.version_with(&secret.digest(), now) else { return Self::Nothing };
        let is = |version: Option<&latchkey::token::Version>| version.is_some_and(|version| version.number == number);
        match () {
            () if is(record.current()) => Self::Current,
            () if is(record.staged()) => Self::Staged(number),
            () => Self::Older,
        }
    }
}

impl Job<'_> {
    /// One step of a rotation. A step that is repeated does nothing twice.
    pub(super) async fn step(&self, asked: &Asked) -> Result<Answered, Refused> {
        let step = asked.known()?;
        let arn: SecretArn = asked.secret_id.parse().map_err(|error| Refused::new(format!("{error}")))?;
        let rotated = Rotated::open(&arn, &asked.client_request_token).await?;
        let subject = self.subject(&rotated).await?;
        let what = match (rotated.stage(), step) {
            (Stage::Neither, _) => self.ended(&rotated, &subject, &asked.client_request_token).await?,
            (Stage::Current, Step::Create | Step::Set | Step::Test) => "consumers read the version already",
            (Stage::Pending, Step::Create) => self.leased(&subject, self.create(&rotated, &subject)).await?,
            (Stage::Pending, Step::Set) => self.set(&rotated, &subject).await?,
            (Stage::Pending, Step::Test) => self.test(&rotated, &subject).await?,
            (_, Step::Finish) => self.leased(&subject, self.finish(&rotated, &subject)).await?,
        };
        Ok(Answered { secret: rotated.name().to_owned(), token: subject.key, what })
    }

    /// A version that no rotation is about any more: it was finished, and only AWS has not heard of it, or nobody goes on
    /// with it.
    async fn ended(&self, rotated: &Rotated, subject: &Subject, version: &str) -> Result<&'static str, Refused> {
        if let PendingValue::Secret(secret) = rotated.value().await? {
            let record = self.record(subject).await?;
            if Standing::of(&secret, &record, self.client.protocol().now()) == Standing::Current {
                return Ok("consumers read the secret of the version already");
            }
        }
        Err(over(rotated, version))
    }

    /// Does something while no other run of the manifest does.
    async fn leased(
        &self,
        subject: &Subject,
        work: impl Future<Output = Result<&'static str, Refused>>,
    ) -> Result<&'static str, Refused> {
        let mut waited = Duration::ZERO;
        while let Err(holder) =
            self.client.take_lease(&subject.manifest, self.holder, Take::Own { steal: false }).await?
        {
            if waited >= LEASE_WAIT || self.is_stopped() {
                let reason = format!("another run is applying `{}` (`{}`)", subject.manifest, shown(&holder.by));
                return Err(Refused::new(reason).hint("AWS repeats the rotation; nothing was changed"));
            }
            tokio::time::sleep(LEASE_PAUSE).await;
            waited += LEASE_PAUSE;
        }
        let done = work.await;
        self.client.free_lease(&subject.manifest, self.holder).await?;
        done
    }

    /// Ends a rotation whose version nobody may go on with, so that AWS can begin another: a late step finds nothing.
    async fn end(&self, rotated: &Rotated, why: &str) -> Refused {
        let limit = self.client.protocol().deadline(Duration::from_secs(WRITE_BEFORE.0));
        let name = rotated.name();
        let ended = match rotated.end(limit).await {
            Ok(()) => "so its label AWSPENDING was removed".to_owned(),
            Err(error) => format!("and its label AWSPENDING could not be removed: {error}"),
        };
        let reason = format!("the pending version of `{name}` {why}, {ended}; consumers read what they read before");
        Refused::new(reason)
            .hint(format!("start another rotation: `aws secretsmanager rotate-secret --secret-id {name}`"))
    }
}

/// That a version is no longer rotated to.
fn over(rotated: &Rotated, version: &str) -> Refused {
    let name = rotated.name();
    let reason = format!(
        "the version `{}` of `{name}` does not have the label AWSPENDING: its rotation has ended",
        shown(version)
    );
    Refused::new(reason).hint(format!("start another rotation: `aws secretsmanager rotate-secret --secret-id {name}`"))
}

impl Refused {
    fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), hint: None }
    }

    fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// What kept the job from a token.
    fn of(report: Report) -> Option<Self> {
        let Trouble { reason, hint, .. } = report.failed.into_iter().chain(report.skipped).next()?;
        Some(Self { reason, hint })
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.reason)?;
        self.hint.iter().try_for_each(|hint| write!(formatter, "\nhelp: {hint}"))
    }
}

impl From<SinkError> for Refused {
    fn from(error: SinkError) -> Self {
        Self { reason: error.to_string(), hint: error.hint().map(str::to_owned) }
    }
}

impl From<ServiceError> for Refused {
    fn from(error: ServiceError) -> Self {
        Self::new(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_of_a_schedule_is_no_step_and_an_unknown_step_is_refused() {
        for event in ["{}", "[]", "", r#"{"Step":7}"#] {
            assert!(Asked::of(event).is_none(), "{event}");
        }
        let event = r#"{"Step":"createSecret","SecretId":"a","ClientRequestToken":"b","RotationToken":"c"}"#;
        assert_eq!(Asked::of(event).unwrap().known().unwrap(), Step::Create);
        assert_eq!(Asked::of(r#"{"Step":"finish_secret"}"#).unwrap().known().unwrap(), Step::Finish);
        let refused = Asked::of("{\"Step\":\"drop\\nall\"}").unwrap().known().unwrap_err().to_string();
        assert!(refused.contains("is not a step") && !refused.contains('\n'), "{refused}");
    }
}
