//! Sinks in memory: what they can do is up to the test, and every call passes the run's gate.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use latchkey::place::Place;
use latchkey::secret::Secret;
use latchkey_sinks::deadline::Deadline;
use latchkey_sinks::{Capabilities, Marker, PushDeclaration, Receipt, Removal, Seen, Sink, SinkError, SinkSet, Write};

use crate::exploration::{Entry, Traits, place, unchanged, unreachable};
use crate::gate::{Fault, Gate, Kind};
use crate::scenarios::SINKS;
use crate::world::{LateWrite, World};

/// The sinks of one run, by the names that the manifest gives them.
pub(crate) struct FakeSinks {
    sinks: BTreeMap<String, Arc<FakeSink>>,
}

/// One of them.
struct FakeSink {
    name: String,
    traits: Traits,
    world: Arc<World>,
    gate: Arc<Gate>,
}

impl FakeSinks {
    /// The world's sinks, as one run reaches them.
    pub(crate) fn new(world: &Arc<World>, gate: &Arc<Gate>) -> Self {
        let sink = |(name, traits): (&str, Traits)| {
            let (world, gate) = (world.clone(), gate.clone());
            (name.to_owned(), Arc::new(FakeSink { name: name.to_owned(), traits, world, gate }))
        };
        Self { sinks: SINKS.into_iter().zip(world.traits).map(sink).collect() }
    }
}

#[async_trait]
impl SinkSet for FakeSinks {
    fn machine(&self) -> &'static str {
        "here"
    }

    async fn place(&self, push: &PushDeclaration) -> Result<Place, SinkError> {
        let sink = self.sinks.get(&push.sink).ok_or_else(|| unreachable("no such sink"))?;
        Ok(place(&sink.name, &push.name, sink.traits.readable))
    }

    async fn reach(&self, place: &Place) -> Result<Arc<dyn Sink>, SinkError> {
        let sink = place.part("sink").and_then(|name| self.sinks.get(name));
        Ok(sink.ok_or_else(|| unreachable("no such sink"))?.clone())
    }
}

impl FakeSink {
    fn write_one(&self, write: &Write<'_>, deadline: Deadline, fault: Option<Fault>) -> Result<Receipt, SinkError> {
        if deadline.has_passed() {
            return Err(SinkError::Late);
        }
        let mut places = self.world.places();
        let id = write.place.id();
        let now = places.get(&id);
        let same = now.is_some_and(|entry| entry.marked && entry.value == write.secret.expose());
        if self.traits.conditional && !same && !unchanged(now, write.seen) {
            return Err(SinkError::Changed);
        }
        let value = write.secret.expose().to_owned();
        match fault {
            Some(Fault::Fails) => {
                return Err(SinkError::Denied { reason: "no".to_owned(), hint: "none".to_owned() });
            }
            Some(Fault::Late) => {
                let (conditional, over) = (self.traits.conditional, now.map(|entry| entry.stamp));
                self.world.late().push(LateWrite { place: id, value, conditional, over });
                return Err(unreachable("timed out"));
            }
            _ => {}
        }
        if !same {
            let stamp = self.world.stamp();
            places.insert(id.clone(), Entry { value, stamp, marked: true });
        }
        match fault {
            Some(Fault::Arrives) => Err(unreachable("timed out")),
            _ => Ok(places[&id].receipt()),
        }
    }

    fn remove_one(&self, removal: &Removal<'_>, deadline: Deadline) -> Result<(), SinkError> {
        if deadline.has_passed() {
            return Err(SinkError::Late);
        }
        let mut places = self.world.places();
        let id = removal.place.id();
        let now = places.get(&id);
        if self.traits.conditional && now.is_some() && !unchanged(now, removal.seen) {
            return Err(SinkError::Changed);
        }
        places.remove(&id);
        Ok(())
    }
}

#[async_trait]
impl Sink for FakeSink {
    fn capabilities(&self) -> Capabilities {
        self.traits.capabilities()
    }

    fn unit(&self, _: &Place) -> String {
        self.name.clone()
    }

    async fn prepare(&self, places: &[&Place]) -> Vec<Result<(), SinkError>> {
        places.iter().map(|_| Ok(())).collect()
    }

    async fn look(&self, places: &[&Place]) -> Vec<Result<Seen, SinkError>> {
        let look = |_| {
            let held = self.world.places();
            places.iter().map(|place| Ok(self.traits.seen(held.get(&place.id()), None))).collect()
        };
        self.gate.pass(Kind::Look, &self.name, look).await
    }

    async fn read(&self, place: &Place, _: &Marker) -> Result<Option<Secret>, SinkError> {
        let read = |_| {
            let held = self.world.places();
            let entry = held.get(&place.id()).filter(|_| self.traits.readable);
            entry.and_then(|entry| Secret::parse(&entry.value).ok())
        };
        Ok(self.gate.pass(Kind::Recover, &self.name, read).await)
    }

    async fn write(&self, writes: &[Write<'_>], deadline: Deadline) -> Vec<Result<Receipt, SinkError>> {
        let write = |fault| writes.iter().map(|write| self.write_one(write, deadline, fault)).collect();
        self.gate.pass(Kind::Write, &self.name, write).await
    }

    async fn remove(&self, removals: &[Removal<'_>], deadline: Deadline) -> Vec<Result<(), SinkError>> {
        let remove = |_| removals.iter().map(|removal| self.remove_one(removal, deadline)).collect();
        self.gate.pass(Kind::Remove, &self.name, remove).await
    }
}
