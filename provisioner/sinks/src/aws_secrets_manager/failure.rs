//! What the SDK's errors mean for a sink.
//!
//! Texts are made of our own words, the service's code and, where it is safe, its message. An SDK error is never printed
//! whole.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::cutoff::{Cutoff, DeadlinePassed};
use super::identity::Identity;
use crate::SinkError;
use crate::transport::innermost;

const TEXT_MAX: usize = 300;

/// What was asked of the service.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) identity: &'a Identity,
    /// The IAM action.
    pub(super) action: &'static str,
    /// The secret's name.
    pub(super) name: &'a str,
    /// The value that was sent, which no message may repeat.
    pub(super) value: Option<&'a str>,
    /// The guard of a write.
    pub(super) guard: Option<&'a Cutoff>,
}

/// The service's code, if it answered with one.
pub(super) fn code<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Option<&str> {
    error.as_service_error()?.code()
}

impl Asked<'_> {
    /// Why it failed, in a sink's terms.
    pub(super) fn failed<E>(&self, error: &SdkError<E, HttpResponse>) -> SinkError
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        if let Some(guard) = self.guard
            && cause::<DeadlinePassed>(error).is_some()
        {
            return if guard.sent() > 0 {
                self.unreachable("gave no usable answer in the time allowed")
            } else {
                SinkError::Late
            };
        }
        if let Some(missing) = cause::<CredentialsError>(error) {
            return no_login(missing);
        }
        match error {
            SdkError::ServiceError(answer) => {
                let code = answer.err().code().unwrap_or("no code");
                let error = self.answered(code, answer.err().message(), answer.raw().status().as_u16());
                let once = self.guard.is_some_and(|guard| guard.sent() == 1);
                if once && (LOGIN_CODES.contains(&code) || REJECTED_CODES.contains(&code)) {
                    error.rejected()
                } else {
                    error
                }
            }
            SdkError::TimeoutError(_) => self.unreachable("did not answer in time"),
            SdkError::ResponseError(_) => self.unreachable("broke off its answer"),
            _ => self.unreachable(&format!("could not be reached: {}", shorten(&innermost(error)))),
        }
    }

    fn answered(&self, code: &str, message: Option<&str>, status: u16) -> SinkError {
        let Self { action, name, .. } = self;
        let message = message.map_or_else(String::new, |message| self.quotable(message));
        match code {
            "AccessDeniedException" | "AccessDenied" | "UnauthorizedOperation" => self.denied(&message),
            "EncryptionFailure" | "DecryptionFailure" => SinkError::Denied {
                reason: format!("the KMS key of `{name}` cannot be used (`{code}`){message}"),
                hint: "check that the key exists, is enabled, and that its policy allows these credentials to use it"
                    .to_owned(),
            },
            _ if LOGIN_CODES.contains(&code) => SinkError::Login {
                reason: format!("AWS does not accept the credentials (`{code}`){message}"),
                hint: "renew them (`aws sso login`, or new access keys) and check the clock".to_owned(),
            },
            _ if status >= 500 || status == 429 || THROTTLE_CODES.contains(&code) => {
                self.unreachable(&format!("answered with `{code}` ({status}){message}"))
            }
            "LimitExceededException" => SinkError::Refused {
                reason: format!("`{name}` has reached an AWS limit{message}"),
                hint: "see the quotas of Secrets Manager; remove staging labels of other tools from old versions"
                    .to_owned(),
            },
            _ => SinkError::Refused {
                reason: format!("`{action}` on `{name}` was refused with `{code}`{message}"),
                hint: "inspect the secret with `aws secretsmanager describe-secret`".to_owned(),
            },
        }
    }

    fn denied(&self, message: &str) -> SinkError {
        let Self { action, name, identity, .. } = self;
        let hint = if message.contains("KMS") {
            "allow `kms:Decrypt` and `kms:GenerateDataKey` on the KMS key of the secret".to_owned()
        } else {
            format!("allow `{action}` on `{}`", identity.pattern(name))
        };
        SinkError::Denied { reason: format!("the credentials do not allow `{action}` on `{name}`"), hint }
    }

    fn unreachable(&self, what: &str) -> SinkError {
        let Self { action, name, identity, .. } = self;
        let reason = match action.strip_prefix("sts:") {
            Some(_) => format!("AWS STS for `{}` {what} (`{action}`)", identity.region),
            None => format!("{} {what} (`{action}` on `{name}`)", identity.service()),
        };
        SinkError::Unreachable { reason }
    }

    /// A message fit to be shown, with a colon before it; empty when there is none, or when it repeats any longer word
    /// of the value that was sent.
    fn quotable(&self, message: &str) -> String {
        let mut words = self.value.unwrap_or_default().split(|sign: char| !sign.is_alphanumeric());
        if message.trim().is_empty() || words.any(|word| word.len() >= 4 && message.contains(word)) {
            return String::new();
        }
        format!(": {}", shorten(message))
    }
}

const LOGIN_CODES: &[&str] = &[
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "RequestExpired",
];

/// What AWS answers to a write of which it has done nothing.
const REJECTED_CODES: &[&str] = &[
    "AccessDeniedException",
    "AccessDenied",
    "UnauthorizedOperation",
    "EncryptionFailure",
    "InvalidParameterException",
    "InvalidRequestException",
    "LimitExceededException",
    "ValidationException",
];

const THROTTLE_CODES: &[&str] =
    &["ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded", "SlowDown"];

fn no_login(missing: &CredentialsError) -> SinkError {
    let reason = match missing {
        // Where all it was looked for is a list of the SDK's own words.
        CredentialsError::CredentialsNotLoaded(_) => "no AWS credentials were found".to_owned(),
        broken => format!("no valid AWS credentials were found: {}", shorten(&innermost(broken))),
    };
    SinkError::Login {
        reason,
        hint: "log in (`aws sso login`, `AWS_ACCESS_KEY_ID` with `AWS_SECRET_ACCESS_KEY`, a role), or set a `profile`"
            .to_owned(),
    }
}

/// The error and what caused it, outermost first.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}

fn cause<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    causes(error).find_map(|error| error.downcast_ref())
}

/// One line of at most [`TEXT_MAX`] characters, without a full stop.
fn shorten(text: &str) -> String {
    let line: String = text.chars().map(|sign| if sign.is_control() { ' ' } else { sign }).take(TEXT_MAX).collect();
    line.trim().trim_end_matches('.').to_owned()
}
