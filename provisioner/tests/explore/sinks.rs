//! Sinks in memory: what they can do is up to the test, and every call passes the run's gate.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use latchkey::place::{Place, PlaceId};
use latchkey::secret::Secret;
use latchkey_sinks::deadline::Deadline;
use latchkey_sinks::{Capabilities, Marker, PushDeclaration, Receipt, Removal, Seen, Sink, SinkError, SinkSet, Write};

use crate::exploration::{Traits, place, unchanged, unreachable};
use crate::gate::{Gate, Go};
use crate::step::{About, Step};
use crate::world::{Lands, State};

/// For how long a run may go by what it has read of its manifest's tokens, in seconds: a minute, and as long again until
/// what it begins then is done.
const KNOWN_FOR: u64 = 120;

/// The sinks of one run, by the names that the manifest gives them.
pub(crate) struct FakeSinks {
    sinks: BTreeMap<&'static str, Arc<FakeSink>>,
}

pub(crate) struct FakeSink {
    pub(crate) name: &'static str,
    traits: Traits,
    pub(crate) gate: Arc<Gate>,
}

impl FakeSinks {
    pub(crate) fn new(gate: &Arc<Gate>) -> Self {
        let sinks = gate.world().state().sinks.clone();
        let sink = |(name, traits)| (name, Arc::new(FakeSink { name, traits, gate: gate.clone() }));
        Self { sinks: sinks.into_iter().map(sink).collect() }
    }
}

#[async_trait]
impl SinkSet for FakeSinks {
    fn machine(&self) -> &'static str {
        "here"
    }

    async fn place(&self, push: &PushDeclaration) -> Result<Place, SinkError> {
        let sink = self.sinks.get(push.sink.as_str()).ok_or_else(|| unreachable("no such sink"))?;
        Ok(place(sink.name, &push.name, sink.traits.readable))
    }

    async fn reach(&self, place: &Place) -> Result<Arc<dyn Sink>, SinkError> {
        let sink = place.part("sink").and_then(|name| self.sinks.get(name));
        Ok(sink.ok_or_else(|| unreachable("no such sink"))?.clone())
    }
}

pub(crate) fn about(step: Step, places: &[&Place]) -> About {
    About { places: places.iter().map(|place| place.id()).collect(), ..About::new(step) }
}

impl FakeSink {
    fn look_at(&self, state: &State, places: &[&Place], go: Go) -> Vec<Result<Seen, SinkError>> {
        let down = go == Go::Fails || state.down.contains(self.name);
        let look = |id: PlaceId| self.traits.seen(state.places.get(&id), state.lagging(&id));
        places.iter().map(|place| if down { Err(unreachable("down")) } else { Ok(look(place.id())) }).collect()
    }

    pub(crate) fn write_one(
        &self,
        state: &mut State,
        write: (&Write<'_>, Lands),
        deadline: Deadline,
        go: Go,
    ) -> Result<Receipt, SinkError> {
        if deadline.has_passed() && !state.no_deadline {
            return Err(SinkError::Late);
        }
        if go == Go::Fails || state.down.contains(self.name) {
            return Err(SinkError::Denied { reason: "no".to_owned(), hint: "none".to_owned() });
        }
        let refuses = state.refuses.get_mut(self.name).filter(|left| **left > 0);
        if let Some(left) = refuses {
            *left -= 1;
        } else if go != Go::Refused {
            return self.put_one(state, write, go);
        }
        Err(SinkError::Denied { reason: "no".to_owned(), hint: "none".to_owned() }.rejected())
    }

    fn put_one(&self, state: &mut State, (write, lands): (&Write<'_>, Lands), go: Go) -> Result<Receipt, SinkError> {
        let id = write.place.id();
        let now = state.places.get(&id);
        let same = now.is_some_and(|entry| entry.marked && entry.value == write.secret.expose());
        let compares = self.traits.conditional && !state.no_compare;
        if compares && !same && !unchanged(now, write.seen) {
            return Err(SinkError::Changed);
        }
        if go == Go::Late {
            state.late_write(&id, write.secret.expose(), (compares, lands));
            let silent = unreachable("timed out");
            return Err(if state.claims_refused { silent.rejected() } else { silent });
        }
        if !same {
            let moved = state.moves_any.then(|| state.pending(&id).cloned()).flatten();
            let value = moved.filter(|_| lands != Lands::Value);
            state.write(&id, value.as_deref().unwrap_or(write.secret.expose()));
            if let Lands::Label(version) = lands {
                state.labelled(&id, version);
            }
        }
        if go == Go::TimesOut { Err(unreachable("timed out")) } else { Ok(state.places[&id].receipt()) }
    }

    /// Whether a run has to know that some token declares a place: by the record as the run has read it last, and of those
    /// that it has read too long ago by what they declare now.
    fn is_known_to_be_declared(&self, state: &State, place: &PlaceId) -> bool {
        let known = self.gate.declared.lock();
        let fresh = state.seconds <= *self.gate.read_all.lock() + KNOWN_FOR;
        let now =
            || state.service.active.values().any(|token| token.places.get(place).is_some_and(|held| held.declared));
        known.values().any(|places| places.contains(place)) || !fresh && now()
    }

    fn remove_one(
        &self,
        state: &mut State,
        removal: &Removal<'_>,
        deadline: Deadline,
        go: Go,
    ) -> Result<(), SinkError> {
        if deadline.has_passed() && !state.no_deadline {
            return Err(SinkError::Late);
        }
        if go == Go::Fails || state.down.contains(self.name) {
            return Err(SinkError::Denied { reason: "no".to_owned(), hint: "none".to_owned() });
        }
        let id = removal.place.id();
        let now = state.places.get(&id);
        if self.traits.conditional && !state.no_compare && now.is_some() && !unchanged(now, removal.seen) {
            return Err(SinkError::Changed);
        }
        if removal.seen.lagging().is_none() {
            // Whoever gives a place up gives its consumers up, those of a write that arrived since the look too.
            state.read.remove(&id);
        }
        let ours = now.is_some_and(|entry| state.values.contains_key(&entry.value));
        let declared = ours && self.is_known_to_be_declared(state, &id);
        if declared && self.gate.looks.lock().get(&id) >= state.changed.get(&id) {
            state.broke("C: an entry was removed that its token declares".to_owned());
        }
        state.remove(&id);
        if go == Go::TimesOut { Err(unreachable("timed out")) } else { Ok(()) }
    }
}

#[async_trait]
impl Sink for FakeSink {
    fn capabilities(&self) -> Capabilities {
        self.traits.capabilities()
    }

    fn unit(&self, _: &Place) -> String {
        self.name.to_owned()
    }

    async fn prepare(&self, places: &[&Place]) -> Vec<Result<(), SinkError>> {
        let prepare = |state: &mut State, go: Go| {
            let down = go == Go::Fails || state.down.contains(self.name);
            places.iter().map(|_| if down { Err(unreachable("down")) } else { Ok(()) }).collect()
        };
        self.gate.pass(about(Step::Prepare, places), prepare).await
    }

    async fn look(&self, places: &[&Place]) -> Vec<Result<Seen, SinkError>> {
        let look = |state: &mut State, go: Go| {
            let looks = places.iter().map(|place| (place.id(), state.stamps));
            self.gate.looks.lock().extend(looks);
            let mut saw = self.gate.saw.lock();
            for id in places.iter().map(|place| place.id()) {
                match state.places.get(&id) {
                    Some(entry) => saw.insert(id, entry.value.clone()),
                    None => saw.remove(&id),
                };
            }
            drop(saw);
            self.look_at(state, places, go)
        };
        self.gate.pass(about(Step::Look, places), look).await
    }

    async fn survey(&self, places: &[&Place]) -> Vec<Result<Seen, SinkError>> {
        let survey = |state: &mut State, go: Go| {
            if !self.traits.surveys || go == Go::Fails || state.down.contains(self.name) {
                return self.look_at(state, places, go);
            }
            places.iter().map(|place| Ok(self.traits.seen(state.listed.get(&place.id()), None))).collect()
        };
        self.gate.pass(about(Step::Survey, places), survey).await
    }

    async fn read(&self, place: &Place, wanted: &Marker) -> Result<Option<Secret>, SinkError> {
        let read = |state: &mut State, go: Go| {
            if go == Go::Fails || state.down.contains(self.name) {
                return Err(unreachable("down"));
            }
            if self.traits.pends {
                return Ok(Self::read_rotated(state, &place.id(), wanted));
            }
            let entry = state.places.get(&place.id()).filter(|_| self.traits.readable);
            Ok(entry.and_then(|entry| Secret::parse(&entry.value).ok()))
        };
        self.gate.pass(about(Step::ReadBack, &[place]), read).await
    }

    async fn write(&self, writes: &[Write<'_>], deadline: Deadline) -> Vec<Result<Receipt, SinkError>> {
        if self.traits.pends {
            return vec![self.write_rotated(&writes[0], deadline).await];
        }
        let places: Vec<&Place> = writes.iter().map(|write| write.place).collect();
        let mut about = about(Step::Write, &places);
        about.token = writes.first().map(|write| write.marker.token_id.clone());
        about.number = writes.first().map_or(0, |write| write.marker.version);
        let one = |state: &mut State, write, go| self.write_one(state, (write, Lands::Value), deadline, go);
        let write = |state: &mut State, go: Go| writes.iter().map(|write| one(state, write, go)).collect();
        self.gate.pass(about, write).await
    }

    async fn remove(&self, removals: &[Removal<'_>], deadline: Deadline) -> Vec<Result<(), SinkError>> {
        let places: Vec<&Place> = removals.iter().map(|removal| removal.place).collect();
        let remove = |state: &mut State, go: Go| {
            removals.iter().map(|removal| self.remove_one(state, removal, deadline, go)).collect()
        };
        self.gate.pass(about(Step::Remove, &places), remove).await
    }

    async fn ended(&self, place: &Place, _: &Marker) -> Result<(), SinkError> {
        let ended = |_: &mut State, go: Go| if go == Go::Fails { Err(unreachable("down")) } else { Ok(()) };
        self.gate.pass(about(Step::Ended, &[place]), ended).await
    }

    async fn written(&self, places: &[&Place]) -> Result<Option<String>, SinkError> {
        let written = |_: &mut State, go: Go| if go == Go::Fails { Err(unreachable("down")) } else { Ok(None) };
        self.gate.pass(about(Step::Written, places), written).await
    }
}
