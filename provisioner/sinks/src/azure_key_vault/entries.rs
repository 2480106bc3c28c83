//! One entry: what it holds, how it is written, how it goes.

use std::time::Duration;

use latchkey::secret::Secret;

use super::bundle::Bundle;
use super::calls::{Calls, Got, Put};
use super::marker::{is_removed, marker_of, removed, tags_of};
use super::network::Network;
use crate::deadline::Deadline;
use crate::{Marker, Receipt, Removal, Seen, SeenEntry, SinkError, Write};

/// How often a value is sent at the most.
const TRIES: u32 = 4;
/// How often a name that is on its way is asked for.
const PAUSE: Duration = Duration::from_secs(2);
/// How long what consumers no longer read may take to be disabled.
const DISABLE_WITHIN: Duration = Duration::from_mins(1);

/// How an entry stands.
enum State {
    Absent,
    There(Bundle),
    /// Nobody can read it. A person did that.
    Disabled,
    /// We put it away, disabled: it is deleted, or about to be.
    Away {
        deleted: bool,
    },
    /// Somebody deleted it, and recovering would let consumers read it again.
    Deleted,
}

impl State {
    fn seen(&self, vault: &str, name: &str) -> Result<Seen, SinkError> {
        Ok(match self {
            Self::Absent | Self::Away { .. } => Seen::Absent,
            Self::There(bundle) => Seen::Holds(bundle.held()),
            Self::Disabled => Seen::Holds(SeenEntry {
                fingerprint: None,
                token_id: None,
                receipt: Receipt("disabled".to_owned()),
                former: Vec::new(),
                lagging: None,
            }),
            Self::Deleted => return Err(ending(vault, name)),
        })
    }
}

fn ending(vault: &str, name: &str) -> SinkError {
    SinkError::BeingDeleted {
        reason: format!("`{name}` was deleted in the vault `{vault}`, which keeps the name and the old value"),
        hint: format!(
            "`az keyvault secret recover --vault-name {vault} --name {name}` restores both; if nobody needs the \
             value, `az keyvault secret purge --vault-name {vault} --name {name}` frees the name"
        ),
    }
}

async fn state(calls: &Calls, name: &str) -> Result<State, SinkError> {
    match calls.get(name).await? {
        Got::There(bundle) => Ok(State::There(bundle)),
        Got::Disabled => {
            let versions = calls.versions(name).await?;
            let newest = versions.iter().map(|version| version.attributes.created).max();
            // Those of one second cannot be told apart: all of them have to be ours.
            let mut newest = versions.iter().filter(|version| Some(version.attributes.created) == newest);
            let away = newest.all(|version| is_removed(version.tags()) && !version.is_enabled());
            Ok(if away && !versions.is_empty() { State::Away { deleted: false } } else { State::Disabled })
        }
        Got::Missing => Ok(match calls.deleted(name).await? {
            None => State::Absent,
            Some(bundle) if is_removed(bundle.tags()) && !bundle.is_enabled() => State::Away { deleted: true },
            Some(_) => State::Deleted,
        }),
    }
}

pub(super) async fn look(calls: &Calls, name: &str) -> Result<Seen, SinkError> {
    state(calls, name).await?.seen(&calls.vault, name)
}

pub(super) async fn prepare(calls: &Calls, name: &str) -> Result<(), SinkError> {
    let state = state(calls, name).await?;
    state.seen(&calls.vault, name)?;
    calls.expiry()?;
    writable(calls, name, &state)
}

fn writable(calls: &Calls, name: &str, state: &State) -> Result<(), SinkError> {
    match state {
        State::There(bundle) if bundle.is_managed() => Err(SinkError::Refused {
            reason: format!("`{name}` in the vault `{}` is managed by a certificate", calls.vault),
            hint: "name another secret".to_owned(),
        }),
        _ => Ok(()),
    }
}

/// Reads the version `wanted`, current or not.
pub(super) async fn read(calls: &Calls, name: &str, wanted: &Marker) -> Result<Option<Secret>, SinkError> {
    let Got::There(current) = calls.get(name).await? else { return Ok(None) };
    if let Some(secret) = secret_of(&current, wanted) {
        return Ok(Some(secret));
    }
    for version in calls.versions(name).await? {
        let Some(id) = version.version().filter(|_| version.is_enabled()) else { continue };
        if marker_of(version.tags()).as_ref() == Some(wanted)
            && let Got::There(bundle) = calls.get_version(name, id).await?
            && let Some(secret) = secret_of(&bundle, wanted)
        {
            return Ok(Some(secret));
        }
    }
    Ok(None)
}

/// The secret of a version, if it is the one that a marker stands for so far as it can tell itself.
fn secret_of(bundle: &Bundle, wanted: &Marker) -> Option<Secret> {
    let secret = Secret::parse(bundle.value.as_ref()?).ok()?;
    (secret.fingerprint() == wanted.fingerprint && secret.token_id() == wanted.token_id).then_some(secret)
}

/// Writes a version, if the entry is as it was seen. Nothing is sent twice before it is known that it did not arrive.
pub(super) async fn write(
    calls: &Calls,
    network: &Network,
    name: &str,
    write: &Write<'_>,
    deadline: Deadline,
) -> Result<Receipt, SinkError> {
    let mut silent = None;
    let (mut sent, mut hidden, mut recovered) = (0, false, false);
    loop {
        let state = match state(calls, name).await {
            Ok(state) => state,
            // What was sent before may have arrived, whatever keeps this look from telling.
            Err(error) => return Err(silent.unwrap_or(error)),
        };
        if let State::There(bundle) = &state
            && secret_of(bundle, write.marker).is_some()
        {
            return Ok(bundle.held().receipt);
        }
        let now = state.seen(&calls.vault, name)?;
        if !unchanged(write.seen, &now) {
            return Err(SinkError::Changed);
        }
        writable(calls, name, &state)?;
        if deadline.has_passed() || sent == TRIES {
            return Err(silent.unwrap_or(SinkError::Late));
        }
        if matches!(state, State::Away { deleted: true }) {
            calls.recover(name, deadline).await?;
            recovered = true;
        }
        let before = match &state {
            State::There(bundle) => Some(bundle.tags()),
            _ => None,
        };
        let tags = tags_of(write, before, calls.now());
        match calls.put(name, write.secret.expose(), &tags, deadline).await {
            Ok(Put::Done(bundle)) => return Ok(written(&bundle, write)),
            // What was deleted, and cannot be looked at by this sign-in, may be anybody's.
            Ok(Put::Deleted) if hidden => return Err(ending(&calls.vault, name)),
            // Both pass: what is being deleted can then be told to be ours or not.
            Ok(answer @ (Put::Busy | Put::Deleted)) => {
                hidden = matches!((answer, state), (Put::Deleted, State::Absent));
                silent = Some(SinkError::Unreachable {
                    reason: format!("`{name}` is being deleted or recovered in the vault `{}`", calls.vault),
                });
            }
            Err(error @ SinkError::Unreachable { .. }) => {
                sent += 1;
                silent = Some(error);
            }
            // What it contained before is back.
            Err(error) if recovered => return Err(silent.unwrap_or(error.of_write().0)),
            Err(error) => return Err(silent.unwrap_or(error)),
        }
        network.pause(PAUSE).await;
    }
}

/// The receipt of a PUT. Its answer may repeat the value or not.
fn written(bundle: &Bundle, write: &Write<'_>) -> Receipt {
    match marker_of(bundle.tags()) {
        Some(marker) if marker == *write.marker => Receipt(super::marker::receipt_of(&marker)),
        _ => bundle.held().receipt,
    }
}

/// Whether an entry is as it was seen, in a list or by itself: those show different things of one that is not ours.
fn unchanged(seen: &Seen, now: &Seen) -> bool {
    match (seen, now) {
        (Seen::Absent, Seen::Absent) => true,
        (Seen::Holds(seen), Seen::Holds(now)) => match (&seen.fingerprint, &now.fingerprint) {
            (Some(one), Some(other)) => one == other && seen.token_id == now.token_id,
            _ => seen.receipt == now.receipt,
        },
        _ => false,
    }
}

/// Puts an entry away, if it holds what was seen and that is ours: disabled first, so that nobody who recovers it lets
/// consumers read a version that is dead by then.
pub(super) async fn remove(
    calls: &Calls,
    name: &str,
    removal: &Removal<'_>,
    deadline: Deadline,
) -> Result<(), SinkError> {
    let bundle = match state(calls, name).await? {
        State::Absent | State::Deleted | State::Away { deleted: true } => return Ok(()),
        State::Away { deleted: false } => return calls.delete(name, deadline).await,
        State::Disabled => return Err(SinkError::Changed),
        State::There(bundle) => bundle,
    };
    let now = bundle.held();
    if !unchanged(removal.seen, &Seen::Holds(now.clone())) {
        return Err(SinkError::Changed);
    }
    let Some(version) = bundle.version().filter(|_| now.token_id.is_some()) else {
        return Err(SinkError::Refused {
            reason: format!("`{name}` contains a value that Latchkey did not write"),
            hint: "remove it by hand if nothing needs it".to_owned(),
        });
    };
    if deadline.has_passed() {
        return Err(SinkError::Late);
    }
    // A value of ours with other tags keeps them: they are somebody's.
    let tags = marker_of(bundle.tags()).map(|_| removed(bundle.tags()));
    calls.disable(name, version, tags.as_ref(), deadline).await?;
    calls.delete(name, deadline).await
}

/// Disables the versions that hold what stopped working, found by their tags; never the current one.
pub(super) async fn ended(calls: &Calls, network: &Network, name: &str, ended: &Marker) -> Result<(), SinkError> {
    let current = match calls.get(name).await? {
        Got::There(bundle) => bundle,
        Got::Missing | Got::Disabled => return Ok(()),
    };
    let deadline = Deadline::by(network.elapsed, DISABLE_WITHIN);
    for version in calls.versions(name).await? {
        let Some(id) = version.version().filter(|id| Some(*id) != current.version()) else { continue };
        if version.is_enabled() && marker_of(version.tags()).as_ref() == Some(ended) {
            calls.disable(name, id, None, deadline).await?;
        }
    }
    Ok(())
}
