//! A write to a secret that AWS rotates: what is to be written may be under AWSPENDING, and then AWSCURRENT moves to it.

use latchkey::secret::Secret;
use latchkey_sinks::deadline::Deadline;
use latchkey_sinks::{Marker, Receipt, SinkError, Write};

use crate::exploration::{unchanged, unreachable};
use crate::gate::Go;
use crate::sinks::{FakeSink, about};
use crate::step::Step;
use crate::world::{Lands, State};

/// What is under AWSPENDING, for a write.
enum Pending {
    /// Nothing of the token's.
    Other,
    /// What is to be written.
    It(u32),
    /// Another version of the token.
    Older(u32),
    /// The place is not as it was seen, so that nothing is written.
    Changed,
}

impl FakeSink {
    pub(super) async fn write_rotated(&self, write: &Write<'_>, deadline: Deadline) -> Result<Receipt, SinkError> {
        let pending = match self.pending(write) {
            Some(version) => self.read_pending(write, version).await?,
            None => Pending::Other,
        };
        match pending {
            Pending::Changed => return Err(SinkError::Changed),
            Pending::Older(version) => self.end_pending(write, version, deadline).await?,
            Pending::It(_) | Pending::Other => {}
        }
        let lands = if let Pending::It(version) = pending { Lands::Label(version) } else { Lands::Value };
        let mut about = about(Step::Write, &[write.place]);
        about.token = Some(write.marker.token_id.clone());
        about.number = write.marker.version;
        let written = |state: &mut State, go: Go| self.write_one(state, (write, lands), deadline, go);
        let receipt = self.gate.pass(about, written).await?;
        if let Pending::It(version) = pending {
            // Where that fails it is on the current version, which is the end of a rotation too.
            let _ = self.end_pending(write, version, deadline).await;
        }
        Ok(receipt)
    }

    /// The version under AWSPENDING, as the secret's description has it.
    fn pending(&self, write: &Write<'_>) -> Option<u32> {
        self.gate.world().state().rotated.get(&write.place.id())?.pending
    }

    async fn read_pending(&self, write: &Write<'_>, version: u32) -> Result<Pending, SinkError> {
        let id = write.place.id();
        let read = |state: &mut State, go: Go| {
            if go == Go::Fails || state.down.contains(self.name) {
                return Err(unreachable("down"));
            }
            let value = state.rotated.get(&id).and_then(|labels| labels.values.get(&version));
            let Some(secret) = value.and_then(|value| Secret::parse(value).ok()) else { return Ok(Pending::Other) };
            let now = state.places.get(&id);
            let there = now.is_some_and(|entry| entry.value == write.secret.expose());
            if !there && !state.no_compare && !unchanged(now, write.seen) {
                return Ok(Pending::Changed);
            }
            let is_ours = secret.token_id() == write.marker.token_id;
            Ok(match () {
                () if secret.digest().matches(&write.secret.digest()) => Pending::It(version),
                () if is_ours && state.moves_any => Pending::It(version),
                () if is_ours && !there => Pending::Older(version),
                () => Pending::Other,
            })
        };
        self.gate.pass(about(Step::ReadPending, &[write.place]), read).await
    }

    async fn end_pending(&self, write: &Write<'_>, version: u32, deadline: Deadline) -> Result<(), SinkError> {
        if self.gate.world().state().leaves_label {
            return Ok(());
        }
        let end = |state: &mut State, go: Go| {
            if deadline.has_passed() && !state.no_deadline {
                return Err(SinkError::Late);
            }
            if go == Go::Fails || state.down.contains(self.name) {
                return Err(unreachable("down"));
            }
            state.end_pending(&write.place.id(), version);
            if go == Go::TimesOut { Err(unreachable("timed out")) } else { Ok(()) }
        };
        self.gate.pass(about(Step::EndPending, &[write.place]), end).await
    }

    /// What consumers read, or what is pending, where it is the version that is wanted.
    pub(super) fn read_rotated(state: &State, place: &latchkey::place::PlaceId, wanted: &Marker) -> Option<Secret> {
        let current = state.places.get(place).map(|entry| &entry.value);
        let secrets =
            [current, state.pending(place)].into_iter().flatten().filter_map(|value| Secret::parse(value).ok());
        let is_it =
            |secret: &Secret| secret.fingerprint() == wanted.fingerprint && secret.token_id() == wanted.token_id;
        secrets.into_iter().find(is_it)
    }
}
