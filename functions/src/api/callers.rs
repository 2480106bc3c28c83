//! Who is behind a request: RFC 6750, checked against the table each time, so that a deleted token is refused at once.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::http::Request;
use super::path::decode;
use super::problem::{Challenge, Problem};
use super::{Api, FirstUse, Record};
use crate::secret::{SECRET_MAX, Secret};
use crate::service::{Caller, Invalid, Valid, Verdict};

/// A verified caller.
#[derive(Debug)]
pub(super) struct VerifiedCaller {
    /// As the service knows it.
    pub(super) caller: Caller,
    /// The token in hand.
    pub(super) valid: Box<Valid>,
}

/// The secret that a request presents; the header only, as RFC 6750 section 2.1 has it.
pub(super) fn presented(request: &Request) -> Result<&str, Problem> {
    let missing = || {
        Problem::new(401, "unauthenticated", "send a token: `Authorization: Bearer <secret>`")
            .challenge(Challenge::Missing)
    };
    let header = request.header("authorization");
    let header = header.map_err(|repeated| Problem::from(repeated).challenge(Challenge::Request))?;
    let header = header.ok_or_else(missing)?;
    let (scheme, secret) = header.split_once(' ').unwrap_or((header, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(missing());
    }
    let secret = secret.trim();
    if secret.is_empty() || secret.len() > SECRET_MAX {
        return Err(not_valid());
    }
    Ok(secret)
}

/// The secret of who asks about another: a bearer's, or the password of HTTP Basic, as clients of RFC 7662 send it by
/// default. Both parts of Basic are form-encoded first (RFC 6749, section 2.3.1). Its name says nothing: a secret is whose
/// it is.
pub(super) fn asking(request: &Request) -> Result<Zeroizing<String>, Problem> {
    match basic(request) {
        None => presented(request).map(|secret| Zeroizing::new(secret.to_owned())),
        Some(encoded) => password(encoded).ok_or_else(not_valid),
    }
}

/// A problem in the words of the scheme in which its request presented itself.
pub(super) fn in_scheme(request: &Request, problem: Problem) -> Problem {
    if problem.status == 401 && basic(request).is_some() { problem.challenge(Challenge::Basic) } else { problem }
}

fn basic(request: &Request) -> Option<&str> {
    let (scheme, encoded) = request.header("authorization").ok()??.split_once(' ')?;
    scheme.eq_ignore_ascii_case("basic").then(|| encoded.trim())
}

fn password(encoded: &str) -> Option<Zeroizing<String>> {
    let bytes = Zeroizing::new(STANDARD.decode(encoded).ok()?);
    let (_, password) = std::str::from_utf8(&bytes).ok()?.split_once(':')?;
    let password = Zeroizing::new(decode(&Zeroizing::new(password.replace('+', " ")))?);
    (!password.is_empty() && password.len() <= SECRET_MAX).then_some(password)
}

/// Refuses what cannot be a secret, before anything else is read.
pub(super) fn check_form(secret: &str, record: &mut Record) -> Result<(), Problem> {
    Secret::parse(secret).map(drop).map_err(|error| {
        record.check = Some(Invalid::from(error).code());
        not_valid()
    })
}

/// The one answer to every secret that is not valid, whatever is wrong with it.
pub(super) fn not_valid() -> Problem {
    Problem::new(401, "invalid_token", "the token is not valid").challenge(Challenge::Invalid)
}

/// What a check made of a caller's secret.
pub(super) fn admit(verdict: Verdict, request: &Request, record: &mut Record) -> Result<VerifiedCaller, Problem> {
    match verdict {
        Verdict::Invalid(invalid) => {
            record.check = Some(invalid.code());
            Err(not_valid())
        }
        Verdict::Valid(valid) => {
            let caller = Caller::token(&valid, request.source);
            record.check = Some("valid");
            record.caller = Some(caller.actor.clone());
            record.token = Some(valid.id.clone());
            Ok(VerifiedCaller { caller, valid })
        }
    }
}

impl Api {
    /// Checks a request's secret and counts its use.
    pub(super) async fn caller(&self, request: &Request, record: &mut Record) -> Result<VerifiedCaller, Problem> {
        let verdict = self.service.verify(presented(request)?, request.source).await?;
        let verified = admit(verdict, request, record)?;
        self.note(&verified.valid, request.source).await;
        Ok(verified)
    }

    /// Counts a use; one that cannot be noted changes no answer.
    pub(super) async fn note(&self, valid: &Valid, from: Option<IpAddr>) {
        if self.first_use == FirstUse::AfterReply {
            self.service.count_use(valid, from);
        } else if let Err(error) = self.service.note_use(valid, from).await {
            tracing::warn!(%error, "a use was not recorded");
        }
    }
}
