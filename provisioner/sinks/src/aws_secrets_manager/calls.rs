//! The calls, each with the answers that matter told apart.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::types::{Filter, FilterNameStringType, Tag};
use aws_smithy_async::rt::sleep::{AsyncSleep as _, SharedAsyncSleep};
use latchkey::mutex::Mutex;
use zeroize::Zeroizing;

use super::cutoff::Cutoff;
use super::description::{Description, description, entry_description};
use super::failure::{Asked, code};
use super::identity::Identity;
use super::marker::LABEL;
use crate::SinkError;
use crate::deadline::Deadline;

pub(super) const CURRENT: &str = "AWSCURRENT";
/// The label of the version that a rotation by AWS is about.
pub(super) const PENDING: &str = "AWSPENDING";
/// The most bytes that a value may have.
pub(super) const VALUE_MAX: usize = 65_536;
const DESCRIPTION_MAX: usize = 2_048;
const RECOVERY_DAYS: i64 = 7;
/// The most secrets on a page of a list.
const PAGE: i32 = 100;
/// How long a secret that was created just now is waited for, again and again, until AWS shows it.
const SHOWS_AFTER: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4), Duration::from_secs(8)];

/// The client, and whose Secrets Manager it asks.
pub(super) struct Calls {
    client: Client,
    pub(super) identity: Identity,
    kms_key_id: Option<String>,
    tags: Vec<Tag>,
    /// What looks found out about who may write a secret, so that no check has to ask again.
    writable: Mutex<HashMap<String, Result<(), SinkError>>>,
    /// Secrets that were created here and that AWS has not shown since.
    created: Mutex<HashSet<String>>,
    /// Secrets that this login was not allowed to look at.
    unseen: Mutex<HashSet<String>>,
    /// The ARNs of secrets that were seen, by name.
    arns: Mutex<HashMap<String, String>>,
    /// How pauses are waited for.
    sleep: SharedAsyncSleep,
}

/// Which version to read.
#[derive(Clone, Copy)]
pub(super) enum Which<'a> {
    /// The one that consumers read.
    Current,
    /// The one put last by us.
    Labelled,
    /// The one that a rotation by AWS is about.
    Pending,
    Id(&'a str),
}

/// A version's value. It has no `Debug`.
pub(super) struct Value {
    pub(super) version_id: String,
    /// `None` when it is binary.
    pub(super) text: Option<Zeroizing<String>>,
}

/// A new version.
#[derive(Clone, Copy)]
pub(super) struct Version<'a> {
    pub(super) name: &'a str,
    pub(super) id: &'a str,
    pub(super) value: &'a str,
}

/// Whether a conditional call found what it wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Done,
    /// Somebody else was first, or an earlier attempt of ours had arrived.
    Taken,
}

impl Calls {
    pub(super) fn new(
        client: Client,
        identity: Identity,
        (kms_key_id, tags): (Option<String>, Vec<Tag>),
        sleep: SharedAsyncSleep,
    ) -> Self {
        Self {
            client,
            identity,
            kms_key_id,
            tags,
            writable: Mutex::default(),
            created: Mutex::default(),
            unseen: Mutex::default(),
            arns: Mutex::default(),
            sleep,
        }
    }

    /// Waits, as between two tries.
    pub(super) async fn pause(&self, length: Duration) {
        self.sleep.sleep(length).await;
    }

    /// Notes whether this login may look at a secret.
    pub(super) fn note_seen(&self, name: &str, is_seen: bool) {
        let mut unseen = self.unseen.lock();
        if is_seen {
            unseen.remove(name);
        } else {
            unseen.insert(name.to_owned());
        }
    }

    /// Whether the last look was refused: then only a write tells.
    pub(super) fn is_unseen(&self, name: &str) -> bool {
        self.unseen.lock().contains(name)
    }

    fn note_arn(&self, name: &str, arn: Option<&str>) {
        if let Some(arn) = arn {
            self.arns.lock().insert(name.to_owned(), arn.to_owned());
        }
    }

    /// The ARN of a secret that was seen.
    pub(super) fn arn(&self, name: &str) -> Option<String> {
        self.arns.lock().get(name).cloned()
    }

    /// Waits until AWS shows a secret that was created here, and answers whether it is worth another look.
    async fn is_yet_to_show(&self, name: &str, tries: usize) -> bool {
        if !self.created.lock().contains(name) {
            return false;
        }
        let Some(length) = SHOWS_AFTER.get(tries) else {
            self.created.lock().remove(name);
            return false;
        };
        self.pause(*length).await;
        true
    }

    /// Notes whether a secret can be written.
    pub(super) fn note(&self, name: &str, writable: Result<(), SinkError>) {
        self.writable.lock().insert(name.to_owned(), writable);
    }

    /// What was noted last, unless it may have passed.
    pub(super) fn noted(&self, name: &str) -> Option<Result<(), SinkError>> {
        let noted = self.writable.lock().get(name).cloned();
        noted.filter(|noted| matches!(noted, Ok(()) | Err(SinkError::Refused { .. } | SinkError::BeingDeleted { .. })))
    }

    /// Describes a secret; `None` when there is none. One that is scheduled for deletion is refused.
    pub(super) async fn describe(&self, name: &str) -> Result<Option<Description>, SinkError> {
        let description = self.describe_any(name).await?;
        if let Some(description) = &description {
            description.ending(name)?;
        }
        Ok(description)
    }

    /// Describes a secret, one that is scheduled for deletion too. One that was created here and is not shown yet, as AWS
    /// answers late, is waited for.
    pub(super) async fn describe_any(&self, name: &str) -> Result<Option<Description>, SinkError> {
        let mut tries = 0;
        loop {
            let described = self.describe_now(name).await;
            match &described {
                Ok(Some(description)) if description.current.is_some() => {
                    self.created.lock().remove(name);
                }
                Ok(_) | Err(SinkError::Denied { .. }) if self.is_yet_to_show(name, tries).await => {
                    tries += 1;
                    continue;
                }
                _ => {}
            }
            return described;
        }
    }

    async fn describe_now(&self, name: &str) -> Result<Option<Description>, SinkError> {
        match self.client.describe_secret().secret_id(name).send().await {
            Ok(answer) => {
                self.note_arn(name, answer.arn());
                Ok(Some(description(answer, &self.identity.region)))
            }
            Err(error) if code(&error) == Some("ResourceNotFoundException") => Ok(None),
            Err(error) => Err(self.asked("secretsmanager:DescribeSecret", name).failed(&error)),
        }
    }

    /// A page of the secrets whose names begin so, those that are scheduled for deletion too, and where the next begins.
    pub(super) async fn list(
        &self,
        prefix: &str,
        from: Option<String>,
    ) -> Result<(Vec<(String, Description)>, Option<String>), SinkError> {
        let mut call = self.client.list_secrets().max_results(PAGE).include_planned_deletion(true).set_next_token(from);
        if !prefix.is_empty() {
            call = call.filters(Filter::builder().key(FilterNameStringType::Name).values(prefix).build());
        }
        let answer = call.send().await;
        let answer = answer.map_err(|error| self.asked("secretsmanager:ListSecrets", "all secrets").failed(&error))?;
        let region = &self.identity.region;
        let entries = answer.secret_list.unwrap_or_default().into_iter();
        let listed = entries.filter_map(|entry| {
            let name = entry.name.clone()?;
            self.note_arn(&name, entry.arn());
            Some((name, entry_description(entry, region)))
        });
        let listed = listed.collect();
        Ok((listed, answer.next_token))
    }

    /// Reads a version; `None` when the secret or the version is not there.
    pub(super) async fn value(&self, name: &str, which: Which<'_>) -> Result<Option<Value>, SinkError> {
        let call = self.client.get_secret_value().secret_id(name);
        let call = match which {
            Which::Current => call.version_stage(CURRENT),
            Which::Labelled => call.version_stage(LABEL),
            Which::Pending => call.version_stage(PENDING),
            Which::Id(id) => call.version_id(id),
        };
        let error = match call.send().await {
            Ok(answer) => {
                let version_id = answer.version_id.unwrap_or_default();
                return Ok(Some(Value { version_id, text: answer.secret_string.map(Zeroizing::new) }));
            }
            Err(error) => error,
        };
        match code(&error) {
            Some("ResourceNotFoundException") => return Ok(None),
            // Scheduled for deletion, most likely: the description tells since when.
            Some("InvalidRequestException") => drop(self.describe(name).await?),
            _ => {}
        }
        Err(self.asked("secretsmanager:GetSecretValue", name).failed(&error))
    }

    /// Creates a secret with its first version, which is current at once. [`Outcome::Taken`]: the name is.
    pub(super) async fn create(
        &self,
        version: Version<'_>,
        description: &str,
        deadline: Deadline,
    ) -> Result<Outcome, SinkError> {
        let guard = Cutoff::new(deadline);
        let call = self.client.create_secret().name(version.name).client_request_token(version.id);
        let call = call
            .secret_string(version.value)
            .description(description.chars().take(DESCRIPTION_MAX).collect::<String>());
        let tags = (!self.tags.is_empty()).then(|| self.tags.clone());
        let call = call.set_kms_key_id(self.kms_key_id.clone()).set_tags(tags);
        match call.customize().interceptor(guard.clone()).send().await {
            Ok(_) => {
                self.created.lock().insert(version.name.to_owned());
                Ok(Outcome::Done)
            }
            Err(error) if code(&error) == Some("ResourceExistsException") => Ok(Outcome::Taken),
            Err(error) => {
                let asked = self.asked("secretsmanager:CreateSecret", version.name);
                Err(Asked { value: Some(version.value), guard: Some(&guard), ..asked }.failed(&error))
            }
        }
    }

    /// Puts a version under our own label. `true` when it became current at once, as the first of a secret does.
    pub(super) async fn put(&self, version: Version<'_>, deadline: Deadline) -> Result<bool, SinkError> {
        self.put_under(LABEL, version, deadline).await
    }

    /// The same under the label of a rotation by AWS.
    pub(super) async fn put_pending(&self, version: Version<'_>, deadline: Deadline) -> Result<bool, SinkError> {
        self.put_under(PENDING, version, deadline).await
    }

    async fn put_under(&self, label: &str, version: Version<'_>, deadline: Deadline) -> Result<bool, SinkError> {
        let guard = Cutoff::new(deadline);
        let call = self.client.put_secret_value().secret_id(version.name).client_request_token(version.id);
        let call = call.secret_string(version.value).version_stages(label);
        let error = match call.customize().interceptor(guard.clone()).send().await {
            Ok(answer) => return Ok(answer.version_stages().iter().any(|stage| stage == CURRENT)),
            Err(error) => error,
        };
        match code(&error) {
            Some("ResourceNotFoundException") => Err(SinkError::Changed),
            Some("ResourceExistsException") => Err(SinkError::Refused {
                reason: format!("`{}` already has a version `{}` with another value", version.name, version.id),
                hint: match label {
                    PENDING => "AWS repeats the rotation, and goes on with what is there",
                    _ => "something else created that version; rotate the token to get a version with another id",
                }
                .to_owned(),
            }),
            _ => {
                let asked = self.asked("secretsmanager:PutSecretValue", version.name);
                Err(Asked { value: Some(version.value), guard: Some(&guard), ..asked }.failed(&error))
            }
        }
    }

    /// Moves AWSCURRENT to `to`, if it is at `from` (nowhere when `None`). AWS moves AWSPREVIOUS along.
    pub(super) async fn make_current(
        &self,
        name: &str,
        to: &str,
        from: Option<&str>,
        deadline: Deadline,
    ) -> Result<Outcome, SinkError> {
        self.move_label(name, CURRENT, (from, Some(to)), deadline).await
    }

    /// Takes the label of a rotation by AWS off a version, if it is there.
    pub(super) async fn end_pending(&self, name: &str, from: &str, deadline: Deadline) -> Result<Outcome, SinkError> {
        self.move_label(name, PENDING, (Some(from), None), deadline).await
    }

    async fn move_label(
        &self,
        name: &str,
        label: &str,
        (from, to): (Option<&str>, Option<&str>),
        deadline: Deadline,
    ) -> Result<Outcome, SinkError> {
        let guard = Cutoff::new(deadline);
        let call = self.client.update_secret_version_stage().secret_id(name).version_stage(label);
        let call =
            call.set_move_to_version_id(to.map(str::to_owned)).set_remove_from_version_id(from.map(str::to_owned));
        match call.customize().interceptor(guard.clone()).send().await {
            Ok(_) => Ok(Outcome::Done),
            Err(error) if elsewhere(code(&error)) => Ok(Outcome::Taken),
            Err(error) => {
                let asked = self.asked("secretsmanager:UpdateSecretVersionStage", name);
                // The version is there by now.
                Err(Asked { guard: Some(&guard), ..asked }.failed(&error).of_write().0)
            }
        }
    }

    /// Schedules a secret for deletion, from which it can be restored for seven days.
    pub(super) async fn delete(&self, name: &str, deadline: Deadline) -> Result<(), SinkError> {
        let guard = Cutoff::new(deadline);
        let call = self.client.delete_secret().secret_id(name).recovery_window_in_days(RECOVERY_DAYS);
        match call.customize().interceptor(guard.clone()).send().await {
            Ok(_) => Ok(()),
            Err(error) if code(&error) == Some("ResourceNotFoundException") => Ok(()),
            Err(error) => {
                let asked = self.asked("secretsmanager:DeleteSecret", name);
                Err(Asked { guard: Some(&guard), ..asked }.failed(&error).of_write().0)
            }
        }
    }

    fn asked<'a>(&'a self, action: &'static str, name: &'a str) -> Asked<'a> {
        Asked { identity: &self.identity, action, name, value: None, guard: None }
    }
}

/// What a refused swap is answered with: the label, or the version it should move to, is not where it was said to be.
fn elsewhere(code: Option<&str>) -> bool {
    matches!(code, Some("InvalidParameterException" | "ResourceNotFoundException"))
}
