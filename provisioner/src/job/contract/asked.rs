//! A step as Secrets Manager asks for it: it calls this function, with the ARN of a secret and the version that it rotates to.

use std::time::Duration;

use async_trait::async_trait;
use latchkey::token::{Token, TokenKey};
use latchkey_sinks::aws_secrets_manager::{Rotated, SecretArn};
use latchkey_sinks::reading::shown;
use serde::Deserialize;

use super::subject::Subject;
use super::{Refused, Rotation, Runs, Step};
use crate::job::allowed::Allowed;
use crate::job::{Job, Noted, Report};
use crate::plan::Options;
use crate::service::{ServiceError, Take};

/// How long another run of the manifest is waited for, and how often it is asked.
const LEASE_WAIT: Duration = Duration::from_mins(1);
const LEASE_PAUSE: Duration = Duration::from_secs(2);

/// What Secrets Manager asks for.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::job) struct Asked {
    step: String,
    #[serde(default)]
    secret_id: String,
    /// The id of the version that is to be made.
    #[serde(default)]
    client_request_token: String,
}

/// What was done of it.
#[derive(Debug)]
pub(in crate::job) struct Answered {
    pub(in crate::job) secret: String,
    pub(in crate::job) token: TokenKey,
    pub(in crate::job) what: &'static str,
}

impl Asked {
    /// The step that an event asks for, if it is one of Secrets Manager's.
    pub(in crate::job) fn of(event: &str) -> Option<Self> {
        serde_json::from_str(event).ok()
    }

    /// The step's name.
    pub(in crate::job) fn step(&self) -> String {
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

/// Runs of the job's, of one token.
struct OfJob<'a> {
    job: &'a Job<'a>,
    subject: &'a Subject,
}

#[async_trait(?Send)]
impl Runs for OfJob<'_> {
    async fn allowed(&self, record: &Token) -> Result<Allowed, Refused> {
        self.job.allowed_of(self.subject, record).await
    }

    async fn run(&self, record: &Token, options: Options) -> Result<Option<Refused>, ServiceError> {
        let (job, subject) = (self.job, self.subject);
        let operated = job.operated()?;
        let mut report = Report::default();
        let of = (&subject.manifest, std::slice::from_ref(record));
        job.slice_with(operated, &subject.publication, of, options, &mut report).await?;
        job.note(operated, (&subject.manifest, &report), &mut Noted::new()).await?;
        Ok(Refused::of(report))
    }
}

impl Job<'_> {
    /// One step of a rotation. A step that is repeated does nothing twice.
    pub(in crate::job) async fn step(&self, asked: &Asked) -> Result<Answered, Refused> {
        let step = asked.known()?;
        let arn: SecretArn = asked.secret_id.parse().map_err(|error| Refused::new(format!("{error}")))?;
        let rotated = Rotated::open(&arn, &asked.client_request_token).await?;
        let subject = self.subject(&rotated).await?;
        let rotation = Rotation {
            version: &rotated,
            protocol: self.client.protocol(),
            token: &subject.key,
            manifest: &subject.manifest,
            place: &subject.place,
            runs: &OfJob { job: self, subject: &subject },
        };
        let what = if rotation.is_run_by(step) {
            self.leased(&subject, rotation.step(step)).await?
        } else {
            rotation.step(step).await?
        };
        Ok(Answered { secret: rotated.name().to_owned(), token: subject.key, what })
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
