//! Secrets that several tokens share: a JSON object, one key a token.
//!
//! There is no marker but the value itself. All changes of a unit go into one new version with a fresh id, made current
//! only if the version that was read still is; otherwise it is read, checked and merged again.

use std::time::Duration;

use latchkey::entropy::{Entropy, SystemEntropy};
use latchkey::secret::Secret;
use zeroize::Zeroizing;

use super::calls::{Calls, Outcome, VALUE_MAX, Value, Version, Which};
use super::marker::{fresh_version_id, is_version};
use super::object::Object;
use super::plain::exists;
use crate::deadline::Deadline;
use crate::{Marker, Seen, SeenEntry, SinkError};

const ROUNDS: u32 = 4;
const PAUSE: Duration = Duration::from_millis(150);

/// What stands in a secret.
pub(super) enum Found {
    NoSecret,
    /// The secret is there, no version is current.
    NoValue,
    /// The current version.
    Value {
        version_id: String,
        text: Zeroizing<String>,
    },
}

/// One change of one key.
pub(super) struct Edit<'a> {
    pub(super) key: &'a str,
    /// The new secret; `None` takes the key out.
    pub(super) secret: Option<&'a Secret>,
    /// What the key held at the last look.
    pub(super) seen: &'a Seen,
}

enum Decision {
    Done,
    Pending,
    Changed,
}

impl Found {
    /// Reads the current version.
    pub(super) async fn fetch(calls: &Calls, name: &str) -> Result<Self, SinkError> {
        let Some(value) = calls.value(name, Which::Current).await? else {
            return match calls.describe(name).await? {
                None => Ok(Self::NoSecret),
                Some(description) if description.current.is_none() => Ok(Self::NoValue),
                // The description may have been waited for.
                Some(_) => match calls.value(name, Which::Current).await? {
                    Some(value) => Self::of(name, value),
                    None => Err(SinkError::Unreachable { reason: format!("the value of `{name}` is not visible yet") }),
                },
            };
        };
        Self::of(name, value)
    }

    fn of(name: &str, value: Value) -> Result<Self, SinkError> {
        let Some(text) = value.text else {
            return Err(refused(name, "is binary, not a JSON object"));
        };
        Ok(Self::Value { version_id: value.version_id, text })
    }

    /// The object; empty where there is none yet.
    pub(super) fn object(&self, name: &str) -> Result<Object<'_>, SinkError> {
        match self {
            Self::NoSecret | Self::NoValue => Ok(Object::default()),
            Self::Value { text, .. } => {
                Object::parse(text).ok_or_else(|| refused(name, "does not contain a JSON object"))
            }
        }
    }
}

fn refused(name: &str, what: &str) -> SinkError {
    SinkError::Refused {
        reason: format!("the secret `{name}` {what}"),
        hint: "remove `json_key`, or name another secret".to_owned(),
    }
}

/// Whether this login may not even know whether the secret exists: where it does, and only its value may not be read, that
/// is another matter.
pub(super) async fn is_unseen(calls: &Calls, name: &str, found: &Result<Found, SinkError>) -> bool {
    let denied = matches!(found, Err(SinkError::Denied { .. }));
    denied && matches!(calls.describe(name).await, Err(SinkError::Denied { .. }))
}

/// Why consumers of the secret's replicas may read an older value, if they may; asked after the value was read.
pub(super) async fn behind(calls: &Calls, name: &str, found: &Result<Found, SinkError>) -> Option<String> {
    if !matches!(found, Ok(Found::Value { .. })) {
        return None;
    }
    match calls.describe(name).await {
        Ok(description) => description.and_then(|description| description.behind),
        Err(error) => Some(format!("whether its replicas are in sync cannot be read: {error}")),
    }
}

/// What was seen, with what its replicas wait for.
pub(super) fn waiting(seen: Seen, behind: Option<&String>) -> Seen {
    match seen {
        Seen::Holds(held) => Seen::Holds(SeenEntry { lagging: held.lagging.or_else(|| behind.cloned()), ..held }),
        seen @ (Seen::Absent | Seen::NotShown { .. }) => seen,
    }
}

/// Whether all keys could be added; tells before anything is staged.
pub(super) fn fits(found: &Found, name: &str, keys: &[&str]) -> Result<(), SinkError> {
    let object = found.object(name)?;
    let length = match found {
        Found::Value { text, .. } => text.len(),
        _ => 2,
    };
    let new = keys.iter().filter(|key| object.seen(key) == Seen::Absent);
    // Quotes, colon and comma; a key's escapes at their longest.
    let added: usize = new.map(|key| key.len() * 6 + latchkey::secret::SECRET_MAX + 6).sum();
    if length + added > VALUE_MAX { Err(too_large(name)) } else { Ok(()) }
}

fn too_large(name: &str) -> SinkError {
    SinkError::Refused {
        reason: format!("the value of `{name}` would be larger than {VALUE_MAX} bytes"),
        hint: "spread the tokens over more secrets".to_owned(),
    }
}

/// Reads the version `wanted` under a key: from the current version, else from the one that we put last.
pub(super) async fn read(calls: &Calls, name: &str, key: &str, wanted: &Marker) -> Result<Option<Secret>, SinkError> {
    for which in [Which::Current, Which::Labelled] {
        let text = calls.value(name, which).await?.and_then(|value| value.text);
        let secret =
            text.and_then(|text| Object::parse(&text)?.secret(key)).filter(|secret| is_version(secret, wanted));
        if secret.is_some() {
            return Ok(secret);
        }
    }
    Ok(None)
}

/// Makes all edits in one new version, and answers each.
pub(super) async fn apply(
    calls: &Calls,
    name: &str,
    edits: &[Edit<'_>],
    description: &str,
    deadline: Deadline,
) -> Vec<Result<(), SinkError>> {
    for round in 0..ROUNDS {
        if deadline.has_passed() {
            return vec![Err(SinkError::Late); edits.len()];
        }
        if round > 0 {
            calls.pause(PAUSE * round).await;
        }
        let (decisions, outcome) = match attempt(calls, name, edits, description, deadline).await {
            Ok(answer) => answer,
            Err(error) => return vec![Err(error); edits.len()],
        };
        // What an earlier round has put is there, although nobody reads it by default.
        let outcome = if round > 0 { outcome.map_err(|error| error.of_write().0) } else { outcome };
        if matches!(outcome, Ok(Outcome::Taken))
            && rests_on_nothing(edits)
            && let Err(error @ SinkError::Denied { .. }) = Found::fetch(calls, name).await
        {
            return vec![Err(exists(name, error)); edits.len()];
        }
        if !matches!(outcome, Ok(Outcome::Taken)) {
            let answer = |decision| match (decision, &outcome) {
                (Decision::Changed, _) => Err(SinkError::Changed),
                (Decision::Pending, Err(error)) => Err(error.clone()),
                _ => Ok(()),
            };
            return decisions.into_iter().map(answer).collect();
        }
    }
    vec![Err(SinkError::Changed); edits.len()]
}

/// One round: read, decide, merge, write. The inner result is that of the pending edits alone.
async fn attempt(
    calls: &Calls,
    name: &str,
    edits: &[Edit<'_>],
    description: &str,
    deadline: Deadline,
) -> Result<(Vec<Decision>, Result<Outcome, SinkError>), SinkError> {
    let found = match Found::fetch(calls, name).await {
        // Creating compares.
        Err(SinkError::Denied { .. }) if rests_on_nothing(edits) => Found::NoSecret,
        found => found?,
    };
    let mut object = found.object(name)?;
    let decisions: Vec<_> = edits.iter().map(|edit| decide(&object, edit)).collect();
    let pending = || edits.iter().zip(&decisions).filter(|(_, decision)| matches!(decision, Decision::Pending));
    if pending().next().is_none() {
        return Ok((decisions, Ok(Outcome::Done)));
    }
    for (edit, _) in pending() {
        match edit.secret {
            Some(secret) => object.set(edit.key, secret).map_err(|_| refused(name, "cannot be written as JSON"))?,
            None => object.remove(edit.key),
        }
    }
    let text = object.to_text().map_err(|_| refused(name, "cannot be written as JSON"))?;
    let outcome = if text.len() > VALUE_MAX {
        Err(too_large(name))
    } else {
        store(calls, name, &found, &text, description, deadline).await
    };
    Ok((decisions, outcome))
}

/// Whether nobody could tell what the secret holds, of any key that is to change.
fn rests_on_nothing(edits: &[Edit<'_>]) -> bool {
    edits.iter().all(|edit| matches!(edit.seen, Seen::NotShown { .. }))
}

fn decide(object: &Object<'_>, edit: &Edit<'_>) -> Decision {
    let now = object.seen(edit.key);
    let done = match edit.secret {
        Some(secret) => object.secret(edit.key).is_some_and(|there| there.digest().matches(&secret.digest())),
        None => now == Seen::Absent,
    };
    match done {
        true => Decision::Done,
        false if is_as_seen(&now, edit.seen) => Decision::Pending,
        false => Decision::Changed,
    }
}

/// Whether a key holds what was seen, whoever waits for what.
fn is_as_seen(now: &Seen, seen: &Seen) -> bool {
    match (now, seen) {
        (Seen::Holds(now), Seen::Holds(seen)) => now.receipt == seen.receipt,
        (Seen::Absent, Seen::Absent | Seen::NotShown { .. }) => true,
        _ => false,
    }
}

async fn store(
    calls: &Calls,
    name: &str,
    found: &Found,
    text: &str,
    description: &str,
    deadline: Deadline,
) -> Result<Outcome, SinkError> {
    let id = fresh(&SystemEntropy)?;
    let version = Version { name, id: &id, value: text };
    let from = match found {
        Found::NoSecret => return calls.create(version, description, deadline).await,
        Found::NoValue => None,
        Found::Value { version_id, .. } => Some(version_id.as_str()),
    };
    if calls.put(version, deadline).await? {
        return Ok(Outcome::Done);
    }
    calls.make_current(name, &id, from, deadline).await
}

fn fresh(entropy: &dyn Entropy) -> Result<String, SinkError> {
    fresh_version_id(entropy).map_err(|error| SinkError::Refused {
        reason: error.to_string(),
        hint: "nothing was written; run again".to_owned(),
    })
}
