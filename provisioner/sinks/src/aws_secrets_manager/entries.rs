//! What was asked, secret by secret: several tokens may share one, which is then described, read and written once.

use std::collections::BTreeMap;

use latchkey::place::Place;

use super::calls::Calls;
use super::description::Description;
use super::marker::not_ours;
use super::shared::{Edit, Found};
use super::{plain, shared};
use crate::deadline::Deadline;
use crate::reading::shown;
use crate::{Receipt, Removal, Seen, SinkError, Write};

/// An answer, and the position of what it answers.
pub(super) type Answer<T> = (usize, Result<T, SinkError>);

/// An entry of this sink: a secret, or one key of it.
#[derive(Clone, Copy)]
pub(super) struct Entry<'a> {
    pub(super) name: &'a str,
    pub(super) json_key: Option<&'a str>,
}

/// The entries of one secret, each with its position in what was asked.
pub(super) struct Group<'a> {
    pub(super) name: &'a str,
    pub(super) entries: Vec<(usize, Option<&'a str>)>,
}

/// The places by secret, and the answers for those that this sink does not reach.
pub(super) fn grouped<'a, T>(calls: &Calls, places: &[&'a Place]) -> (Vec<Group<'a>>, Vec<Answer<T>>) {
    let mut groups = BTreeMap::<&str, Vec<(usize, Option<&str>)>>::new();
    let mut answers = Vec::new();
    for (position, place) in places.iter().enumerate() {
        match entry(calls, place) {
            Ok(entry) => groups.entry(entry.name).or_default().push((position, entry.json_key)),
            Err(error) => answers.push((position, Err(error))),
        }
    }
    (groups.into_iter().map(|(name, entries)| Group { name, entries }).collect(), answers)
}

/// The entry that a place names. A recorded place may be another account's: there it must not be looked for here.
pub(super) fn entry<'a>(calls: &Calls, place: &'a Place) -> Result<Entry<'a>, SinkError> {
    let entry = Entry { name: place.part("name").unwrap_or_default(), json_key: place.part("json_key") };
    if *place == calls.identity.place(entry.name, entry.json_key) {
        return Ok(entry);
    }
    let part = |name| place.part(name).unwrap_or("-");
    Err(SinkError::Refused {
        reason: format!(
            "`{}` is in account `{}`, region `{}`; these credentials are for {}",
            entry.name,
            part("account"),
            part("region"),
            calls.identity
        ),
        hint: "declare a sink for that account and region".to_owned(),
    })
}

/// Whether a secret that is there can be written at all.
pub(super) fn writable(calls: &Calls, name: &str, description: &Description) -> Result<(), SinkError> {
    let identity = &calls.identity;
    let (reason, hint) = if let Some(owner) = &description.owner {
        (format!("`{name}` is managed by the AWS service `{owner}`"), "name another secret")
    } else if description.rotates
        && !description.rotation_function.as_deref().is_some_and(|by| identity.is_rotated_by(by))
    {
        let by =
            description.rotation_function.as_deref().map(|by| format!(" with `{}`", shown(by))).unwrap_or_default();
        let hint = "turn its rotation off, or name another secret; if that is the function `rotate` of your stack, set \
                    `rotation_function` in the sink";
        (format!("AWS rotates `{name}` itself{by}, not with the function `{}`", identity.rotation_function), hint)
    } else if let Some(primary) = &description.replica_of {
        (format!("`{name}` is a replica of the secret in `{primary}`"), "write to its primary region")
    } else {
        return Ok(());
    };
    Err(SinkError::Refused { reason, hint: hint.to_owned() })
}

pub(super) async fn prepare_secret(calls: &Calls, group: &Group<'_>) -> Result<(), SinkError> {
    let keys: Vec<_> = group.entries.iter().filter_map(|(_, key)| *key).collect();
    if calls.is_unseen(group.name) {
        // Creating will tell.
        return Ok(());
    }
    if let Some(noted) = calls.noted(group.name).filter(|_| keys.is_empty()) {
        return noted;
    }
    let Some(description) = calls.describe(group.name).await? else { return Ok(()) };
    writable(calls, group.name, &description)?;
    if keys.is_empty() {
        return Ok(());
    }
    let found = Found::fetch(calls, group.name).await?;
    shared::fits(&found, group.name, &keys)
}

/// What the entries of a secret hold. `delivered`: a version of ours went to the whole of it before.
pub(super) async fn look_at_secret(calls: &Calls, group: &Group<'_>, delivered: bool) -> Vec<Answer<Seen>> {
    let (plain, keyed): (Vec<_>, Vec<_>) = group.entries.iter().partition(|(_, key)| key.is_none());
    let mut answers = Vec::with_capacity(group.entries.len());
    if !plain.is_empty() {
        let description = calls.describe(group.name).await;
        calls.note_seen(group.name, !matches!(description, Err(SinkError::Denied { .. })));
        let free = description.as_ref().map_err(Clone::clone).and_then(|description| {
            description.as_ref().map_or(Ok(()), |description| writable(calls, group.name, description))
        });
        calls.note(group.name, free);
        let seen = match description {
            Ok(description) => plain::look(calls, group.name, description.as_ref(), delivered).await,
            Err(error) => not_shown(error),
        };
        answers.extend(plain.into_iter().map(|(position, _)| (position, seen.clone())));
    }
    if !keyed.is_empty() {
        let found = Found::fetch(calls, group.name).await;
        let unseen = shared::is_unseen(calls, group.name, &found).await;
        calls.note_seen(group.name, !unseen);
        let behind = shared::behind(calls, group.name, &found).await;
        let object = found.as_ref().map_err(Clone::clone).and_then(|found| found.object(group.name));
        let see = |key: Option<&str>| match &object {
            Ok(object) => Ok(shared::waiting(object.seen(key.unwrap_or_default()), behind.as_ref())),
            Err(error) if unseen => not_shown(error.clone()),
            Err(error) => Err(error.clone()),
        };
        answers.extend(keyed.into_iter().map(|(position, key)| (position, see(key))));
    }
    answers
}

/// What a look answers that is refused: where there is no secret, AWS refuses a login that may look at it later.
fn not_shown(error: SinkError) -> Result<Seen, SinkError> {
    match error {
        SinkError::Denied { reason, hint } => Ok(Seen::NotShown { reason, hint }),
        error => Err(error),
    }
}

pub(super) async fn write_secret(
    calls: &Calls,
    group: &Group<'_>,
    writes: &[Write<'_>],
    deadline: Deadline,
) -> Vec<Answer<Receipt>> {
    let mut answers = Vec::with_capacity(group.entries.len());
    let mut edits = Vec::new();
    let mut positions = Vec::new();
    for (position, key) in &group.entries {
        let write = &writes[*position];
        if let Some(key) = key {
            edits.push(Edit { key, secret: Some(write.secret), seen: write.seen });
            positions.push(*position);
        } else {
            answers.push((*position, plain::write(calls, group.name, write, deadline).await));
        }
    }
    if edits.is_empty() {
        return answers;
    }
    let names: Vec<_> = positions.iter().map(|position| writes[*position].token_name).collect();
    let manifest = positions.first().map(|position| writes[*position].manifest).unwrap_or_default();
    let description = format!("Managed by Latchkey: {} of {manifest}", names.join(", "));
    let written = shared::apply(calls, group.name, &edits, &description, deadline).await;
    answers.extend(positions.into_iter().zip(written).map(|(position, answer)| {
        let receipt = |()| Receipt(writes[position].secret.fingerprint().as_str().to_owned());
        (position, answer.map(receipt))
    }));
    answers
}

pub(super) async fn remove_secret(
    calls: &Calls,
    group: &Group<'_>,
    removals: &[Removal<'_>],
    deadline: Deadline,
) -> Vec<Answer<()>> {
    let all = |answer: &Result<(), SinkError>| group.entries.iter().map(|(at, _)| (*at, answer.clone())).collect();
    let description = match calls.describe_any(group.name).await {
        Ok(Some(description)) if description.deletion.is_none() => description,
        // No consumer can read one that is scheduled for deletion.
        Ok(_) => return all(&Ok(())),
        Err(error) => return all(&Err(error)),
    };
    let mut answers = Vec::with_capacity(group.entries.len());
    let mut edits = Vec::new();
    let mut positions = Vec::new();
    for (position, key) in &group.entries {
        let removal = &removals[*position];
        let foreign = matches!(removal.seen, Seen::Holds(held) if held.token_id.is_none());
        match key {
            None => answers.push((*position, plain::remove(calls, group.name, &description, removal, deadline).await)),
            Some(_) if foreign => answers.push((*position, Err(not_ours(group.name)))),
            Some(key) => {
                edits.push(Edit { key, secret: None, seen: removal.seen });
                positions.push(*position);
            }
        }
    }
    if edits.is_empty() {
        return answers;
    }
    let removed = shared::apply(calls, group.name, &edits, "", deadline).await;
    answers.extend(positions.into_iter().zip(removed));
    answers
}
