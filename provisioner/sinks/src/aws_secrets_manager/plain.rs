//! Secrets that hold one token's secret and nothing else: the version id is the marker.

use latchkey::secret::Secret;

use super::calls::{Calls, Description, Outcome, Version, Which};
use super::marker::{is_version, marker_of, not_ours, version_id};
use crate::deadline::Deadline;
use crate::{Marker, Receipt, Removal, Seen, SeenEntry, SinkError, Write};

/// What the description tells; no value is read.
pub(super) fn seen(description: Option<&Description>) -> Seen {
    let Some(current) = description.and_then(|description| description.current.as_deref()) else {
        return Seen::Absent;
    };
    let marker = marker_of(current);
    Seen::Holds(SeenEntry {
        fingerprint: marker.as_ref().map(|marker| marker.fingerprint.clone()),
        token_id: marker.map(|marker| marker.token_id),
        receipt: Receipt(current.to_owned()),
        lagging: None,
    })
}

/// Reads the version `wanted`, current or not.
pub(super) async fn read(calls: &Calls, name: &str, wanted: &Marker) -> Result<Option<Secret>, SinkError> {
    let id = version_id(wanted);
    let text = calls.value(name, Which::Id(&id)).await?.and_then(|value| value.text);
    Ok(text.and_then(|text| Secret::parse(&text).ok()).filter(|secret| is_version(secret, wanted)))
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
    if *write.seen == Seen::Absent {
        let text = format!("Managed by Latchkey: {} of {}", write.token_name, write.manifest);
        match calls.create(version, &text, deadline).await {
            Ok(Outcome::Done) => return Ok(Receipt(id)),
            Ok(Outcome::Taken) => {}
            // What AWS says of a name that is scheduled for deletion, a description says better.
            Err(refused @ SinkError::Refused { .. }) => {
                calls.describe(name).await?;
                return Err(refused);
            }
            Err(error) => return Err(error),
        }
    }
    let Some(description) = calls.describe(name).await? else {
        return Err(match write.seen {
            // A name that is taken and yet not found: reads may lag behind.
            Seen::Absent => {
                SinkError::Unreachable { reason: format!("`{name}` was just created and is not visible yet") }
            }
            Seen::Holds(_) => SinkError::Changed,
        });
    };
    if description.current.as_deref() == Some(&id) {
        return Ok(Receipt(id));
    }
    if !unchanged(write.seen, &description) {
        return Err(SinkError::Changed);
    }
    replace(calls, version, &description, deadline).await?;
    Ok(Receipt(id))
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
    let from = before.current.as_deref();
    if calls.make_current(version.name, version.id, from, deadline).await? == Outcome::Done {
        return Ok(());
    }
    let now = calls.describe(version.name).await?.and_then(|description| description.current);
    match now.as_deref() {
        // An earlier attempt had arrived and only its answer was lost.
        Some(current) if current == version.id => Ok(()),
        current if current == from => Err(SinkError::Refused {
            reason: format!("AWSCURRENT of `{}` could not be moved to `{}`", version.name, version.id),
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
    if marker_of(current).is_none() {
        return Err(not_ours(name));
    }
    calls.delete(name, deadline).await
}

fn unchanged(seen: &Seen, description: &Description) -> bool {
    let receipt = match seen {
        Seen::Absent => None,
        Seen::Holds(held) => Some(held.receipt.0.as_str()),
    };
    receipt == description.current.as_deref()
}
