//! Secrets that hold one token's secret and nothing else: the version id is the marker.

use latchkey::secret::Secret;

use super::calls::{Calls, Outcome, Value, Version, Which};
use super::description::Description;
use super::marker::{is_version, marker_of, not_ours, version_id};
use super::pending::{self, Pending};
use crate::deadline::Deadline;
use crate::value::seen_entry;
use crate::{Marker, Receipt, Removal, Seen, SeenEntry, SinkError, Write};

impl Description {
    /// Whether what consumers read was put by us, or there is nothing.
    pub(super) fn is_ours(&self) -> bool {
        self.current.as_deref().is_none_or(|current| marker_of(current).is_some())
    }
}

/// What a list tells of a secret: no value is read.
pub(super) fn listed(description: Option<&Description>) -> Seen {
    let current = description.and_then(|description| description.current.as_deref());
    current.map_or(Seen::Absent, |current| Seen::Holds(marked(current)))
}

/// What a secret holds: by its version id, and where that is not ours although we had `delivered` by the value itself.
pub(super) async fn look(
    calls: &Calls,
    name: &str,
    description: Option<&Description>,
    delivered: bool,
) -> Result<Seen, SinkError> {
    let Some((description, current)) = description.and_then(|found| Some((found, found.current.as_deref()?))) else {
        return Ok(Seen::Absent);
    };
    let by_others = delivered && !description.is_ours();
    let mut held = if by_others { put_by_others(calls, name, current).await? } else { marked(current) };
    held.lagging = held.lagging.or_else(|| description.behind.clone());
    Ok(Seen::Holds(held))
}

fn marked(current: &str) -> SeenEntry {
    let marker = marker_of(current);
    SeenEntry {
        fingerprint: marker.as_ref().map(|marker| marker.fingerprint.clone()),
        token_id: marker.map(|marker| marker.token_id),
        receipt: Receipt(current.to_owned()),
        former: Vec::new(),
        lagging: None,
    }
}

/// What a version of somebody else's contains: the console's only way back is to paste an older value.
async fn put_by_others(calls: &Calls, name: &str, current: &str) -> Result<SeenEntry, SinkError> {
    let unknown = |why: String| SeenEntry { lagging: Some(why), ..marked(current) };
    match calls.value(name, Which::Id(current)).await {
        Ok(Some(Value { text: Some(text), .. })) => Ok(seen_entry(&text, Receipt(current.to_owned()))),
        Ok(Some(Value { text: None, .. })) => {
            Ok(unknown("its value, changed outside Latchkey, is binary, and so unknown".to_owned()))
        }
        // It was current a moment ago.
        Ok(None) => Err(SinkError::Unreachable { reason: format!("the value of `{name}` is changing") }),
        Err(error @ (SinkError::Denied { .. } | SinkError::Refused { .. })) => {
            Ok(unknown(format!("its value, changed outside Latchkey, cannot be read: {error}")))
        }
        Err(error) => Err(error),
    }
}

/// Reads the version `wanted`: under its own id, current or not, else what consumers read, wherever it came from, else what
/// a rotation by AWS is about.
pub(super) async fn read(calls: &Calls, name: &str, wanted: &Marker) -> Result<Option<Secret>, SinkError> {
    let id = version_id(wanted);
    for which in [Which::Id(&id), Which::Current, Which::Pending] {
        let text = calls.value(name, which).await?.and_then(|value| value.text);
        let secret = text.and_then(|text| Secret::parse(&text).ok()).filter(|secret| is_version(secret, wanted));
        if secret.is_some() {
            return Ok(secret);
        }
    }
    Ok(None)
}

/// Makes the version of `write.marker` current, if the secret is as it was seen. When the deadline passes in between, the
/// version may be there, but no consumer reads it.
pub(super) async fn write(
    calls: &Calls,
    name: &str,
    write: &Write<'_>,
    deadline: Deadline,
) -> Result<Receipt, SinkError> {
    let id = version_id(write.marker);
    let version = Version { name, id: &id, value: write.secret.expose() };
    // Where nothing was seen, creating is the comparison: it fails when something is there by now.
    if !matches!(write.seen, Seen::Holds(_)) {
        let text = format!("Managed by Latchkey: {} of {}", write.token_name, write.manifest);
        match calls.create(version, &text, deadline).await {
            Ok(Outcome::Done) => return Ok(Receipt(id)),
            Ok(Outcome::Taken) => {}
            // What AWS says of a name that is scheduled for deletion, a description says better.
            Err(error) => {
                if matches!(error.clone().of_write().0, SinkError::Refused { .. }) {
                    calls.describe(name).await?;
                }
                return Err(error);
            }
        }
    }
    let described = calls.describe(name).await.map_err(|error| match write.seen {
        Seen::NotShown { .. } => exists(name, error),
        Seen::Absent | Seen::Holds(_) => error,
    });
    let Some(description) = described? else {
        return Err(match write.seen {
            // A name that is taken and yet not found: reads may lag behind.
            Seen::Absent | Seen::NotShown { .. } => {
                SinkError::Unreachable { reason: format!("`{name}` was just created and is not visible yet") }
            }
            Seen::Holds(_) => SinkError::Changed,
        });
    };
    if description.current.as_deref() == Some(&id) {
        return Ok(Receipt(id));
    }
    let pending = pending::of(calls, name, &description, write).await?;
    if let Some(there) = pending::current(calls, name, &description, write, pending.as_ref()).await? {
        pending::end_if_it(calls, name, pending.as_ref(), deadline).await;
        return Ok(Receipt(there));
    }
    if !unchanged(write.seen, &description) {
        return Err(SinkError::Changed);
    }
    match pending {
        Some(Pending::It(version)) => {
            move_to(calls, (name, &version), &description, deadline).await?;
            pending::end_if_it(calls, name, Some(&Pending::It(version.clone())), deadline).await;
            Ok(Receipt(version))
        }
        other => {
            // Before, so that nobody who is stopped in between leaves it behind.
            if let Some(Pending::Older(older)) = other {
                calls.end_pending(name, &older, deadline).await?;
            }
            replace(calls, version, &description, deadline).await?;
            Ok(Receipt(id))
        }
    }
}

/// Puts the version unless it is there, then moves AWSCURRENT from where it was seen: a compare-and-swap.
async fn replace(
    calls: &Calls,
    version: Version<'_>,
    before: &Description,
    deadline: Deadline,
) -> Result<(), SinkError> {
    let there = before.versions.contains_key(version.id);
    if !there && calls.put(version, deadline).await? {
        return Ok(());
    }
    move_to(calls, (version.name, version.id), before, deadline).await
}

/// Moves AWSCURRENT to a version that is there, from where it was seen.
async fn move_to(
    calls: &Calls,
    (name, id): (&str, &str),
    before: &Description,
    deadline: Deadline,
) -> Result<(), SinkError> {
    let from = before.current.as_deref();
    if calls.make_current(name, id, from, deadline).await? == Outcome::Done {
        return Ok(());
    }
    let now = calls.describe(name).await?.and_then(|description| description.current);
    match now.as_deref() {
        // An earlier attempt had arrived and only its answer was lost.
        Some(current) if current == id => Ok(()),
        current if current == from => Err(SinkError::Refused {
            reason: format!("AWSCURRENT of `{name}` could not be moved to `{id}`"),
            hint: "list its versions with `aws secretsmanager list-secret-version-ids`".to_owned(),
        }),
        _ => Err(SinkError::Changed),
    }
}

/// Schedules the whole secret for deletion, if it holds what was seen and that is ours. AWS deletes unconditionally: what
/// somebody puts in between goes too, and can be restored for seven days.
pub(super) async fn remove(
    calls: &Calls,
    name: &str,
    description: &Description,
    removal: &Removal<'_>,
    deadline: Deadline,
) -> Result<(), SinkError> {
    let Some(current) = &description.current else { return Ok(()) };
    if !unchanged(removal.seen, description) {
        return Err(SinkError::Changed);
    }
    // A version of nobody's may hold a value of ours, which was seen.
    let is_ours = |seen: &Seen| matches!(seen, Seen::Holds(held) if held.token_id.is_some());
    if marker_of(current).is_none() && !is_ours(removal.seen) {
        return Err(not_ours(name));
    }
    calls.delete(name, deadline).await
}

/// Why a secret that could not be looked at is not replaced.
pub(super) fn exists(name: &str, error: SinkError) -> SinkError {
    let SinkError::Denied { reason, hint } = error else { return error };
    SinkError::Denied {
        reason: format!("the secret `{name}` exists already, and what it contains is unknown: {reason}"),
        hint,
    }
}

fn unchanged(seen: &Seen, description: &Description) -> bool {
    let receipt = match seen {
        Seen::Absent | Seen::NotShown { .. } => None,
        Seen::Holds(held) => Some(held.receipt.0.as_str()),
    };
    receipt == description.current.as_deref()
}
