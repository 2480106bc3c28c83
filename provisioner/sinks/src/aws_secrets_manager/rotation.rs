//! A secret that AWS rotates, as its rotation function meets it: AWS names a version that is to be made, with the label
//! AWSPENDING and without a value, and calls the function step by step. What a version of which token is, its caller knows.
//!
//! Source: <https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html>.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use latchkey::place::Place;
use latchkey::secret::Secret;

use super::calls::{Calls, Outcome, Value, Version, Which};
use super::description::Description;
use super::{KIND, Settings, connection};
use crate::SinkError;
use crate::deadline::Deadline;
use crate::reading::shown;

/// The tag of a secret that names the token whose secret it contains, `user/name`.
pub const TOKEN_TAG: &str = "latchkey:token";
/// What AWS has just written it may show late: how long it is waited for, again and again.
const SHOWS_AFTER: [Duration; 3] = [Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2)];

/// The ARN of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretArn {
    text: String,
    region: String,
    account: String,
}

/// Not the ARN of a secret.
#[derive(Debug, Clone, thiserror::Error)]
#[error("`{}` is not the ARN of a secret in Secrets Manager", shown(.0))]
pub struct SecretArnError(String);

/// Where a version that AWS named is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// A rotation is about it.
    Pending,
    /// Consumers read it.
    Current,
    /// No rotation is about it any more.
    Neither,
}

/// What a version that AWS named contains. It has no `Debug`.
pub enum PendingValue {
    /// Nothing yet, or nothing that can be read yet.
    Empty,
    /// The secret of a token, as far as it can tell itself.
    Secret(Secret),
    /// Something else.
    Foreign,
}

/// A secret that AWS rotates, and the version that a rotation is about.
pub struct Rotated {
    calls: Calls,
    name: String,
    version: String,
    description: Description,
}

impl fmt::Debug for Rotated {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Rotated({} {})", self.name, self.version)
    }
}

impl fmt::Display for SecretArn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl FromStr for SecretArn {
    type Err = SecretArnError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split(':').collect();
        let wrong = || SecretArnError(text.to_owned());
        let ["arn", partition, "secretsmanager", region, account, "secret", name] = parts[..] else {
            return Err(wrong());
        };
        let is_word = |word: &str| {
            let is_part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            (1..=32).contains(&word.len()) && word.bytes().all(is_part)
        };
        let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"/_+=.@-".contains(&byte);
        let is_name = (1..=519).contains(&name.len()) && name.bytes().all(is_part);
        if !(is_word(partition) && is_word(region) && is_account && is_name) {
            return Err(wrong());
        }
        Ok(Self { text: text.to_owned(), region: region.to_owned(), account: account.to_owned() })
    }
}

impl Rotated {
    /// The secret that has the ARN, which must be of the account that the credentials belong to.
    ///
    /// # Errors
    /// Where there is no such secret, it is scheduled for deletion, or may not be described.
    pub async fn open(arn: &SecretArn, version: &str) -> Result<Self, SinkError> {
        let (region, account) = (Some(arn.region.clone()), Some(arn.account.clone()));
        let settings = Settings { region, account, ..Settings::default() };
        let (client, identity) = connection::connect(&settings, None).await?;
        let sleep = SharedAsyncSleep::new(TokioSleep::new());
        let mut calls = Calls::new(client, identity, (None, Vec::new()), sleep);
        let mut pauses = SHOWS_AFTER.iter();
        loop {
            let missing = || SinkError::Refused {
                reason: format!("there is no secret `{arn}`"),
                hint: "turn the rotation of a secret off before it is deleted".to_owned(),
            };
            let description = calls.describe(&arn.text).await?.ok_or_else(missing)?;
            let name = description.name.clone().ok_or_else(missing)?;
            let opened = Self { calls, name, version: version.to_owned(), description };
            if opened.stage() != Stage::Neither {
                return Ok(opened);
            }
            let Some(pause) = pauses.next() else { return Ok(opened) };
            opened.calls.pause(*pause).await;
            calls = opened.calls;
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The id of the version that AWS named.
    pub fn id(&self) -> &str {
        &self.version
    }

    /// The place of the whole secret.
    pub fn place(&self) -> Place {
        self.calls.identity.place(&self.name, None)
    }

    /// Whether a place is one of several tokens' in the same secret.
    pub fn is_shared_by(&self, place: &Place) -> bool {
        place.kind == KIND
            && place.part("json_key").is_some_and(|key| *place == self.calls.identity.place(&self.name, Some(key)))
    }

    /// What its tag says whose token it contains: anybody who may tag may have said so.
    pub fn token_tag(&self) -> Option<&str> {
        self.description.token_tag.as_deref()
    }

    /// Where the version was when the secret was described.
    pub fn stage(&self) -> Stage {
        let is_it = |id: Option<&str>| id == Some(self.version.as_str());
        if is_it(self.description.current.as_deref()) {
            Stage::Current
        } else if is_it(self.description.pending()) {
            Stage::Pending
        } else {
            Stage::Neither
        }
    }

    /// What the version contains now.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn value(&self) -> Result<PendingValue, SinkError> {
        self.read(Which::Id(&self.version)).await
    }

    /// The same of a version that was put: AWS may show it late, so it is waited for.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn value_that_was_put(&self) -> Result<PendingValue, SinkError> {
        for pause in SHOWS_AFTER {
            match self.value().await? {
                PendingValue::Empty => self.calls.pause(pause).await,
                value => return Ok(value),
            }
        }
        self.value().await
    }

    /// What consumers read.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn current_value(&self) -> Result<PendingValue, SinkError> {
        self.read(Which::Current).await
    }

    async fn read(&self, which: Which<'_>) -> Result<PendingValue, SinkError> {
        let Some(Value { text, .. }) = self.calls.value(&self.name, which).await? else {
            return Ok(PendingValue::Empty);
        };
        let secret = text.and_then(|text| Secret::parse(&text).ok());
        Ok(secret.map_or(PendingValue::Foreign, PendingValue::Secret))
    }

    /// Puts the version, which no consumer reads yet.
    ///
    /// # Errors
    /// [`SinkError::Late`]; [`SinkError::Rejected`] where it had no effect; where the version has another value already.
    pub async fn put(&self, secret: &Secret, deadline: Deadline) -> Result<(), SinkError> {
        let version = Version { name: &self.name, id: &self.version, value: secret.expose() };
        self.calls.put_pending(version, deadline).await.map(drop)
    }

    /// Takes AWSPENDING off the version, so that AWS can begin another rotation. Nothing where it is elsewhere.
    ///
    /// # Errors
    /// When AWS refuses, or does not answer.
    pub async fn end(&self, deadline: Deadline) -> Result<(), SinkError> {
        match self.calls.end_pending(&self.name, &self.version, deadline).await? {
            Outcome::Done | Outcome::Taken => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_arn_of_a_secret_is_one() {
        let good = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/api-AbCdEf";
        let arn: SecretArn = good.parse().unwrap();
        assert_eq!(
            (arn.region.as_str(), arn.account.as_str(), arn.to_string()),
            ("eu-west-1", "123456789012", good.to_owned())
        );
        for bad in [
            "",
            "prod/api",
            "arn:aws:secretsmanager:evil.example/:123456789012:secret:a",
            "arn:aws:secretsmanager:eu-west-1:1:secret:a",
            "arn:aws:secretsmanager:eu-west-1:123456789012:secret:",
            "arn:aws:secretsmanager:eu-west-1:123456789012:secret:a:b",
            "arn:aws:lambda:eu-west-1:123456789012:function:a",
            "arn:aws:secretsmanager:eu-west-1:123456789012:secret:a\n",
        ] {
            assert!(bad.parse::<SecretArn>().is_err(), "{bad:?}");
        }
    }
}
