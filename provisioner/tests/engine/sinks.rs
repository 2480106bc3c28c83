//! Sinks in memory: what they can do is up to the test, and every call passes the run's gate.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use latchkey::place::Place;
use latchkey::secret::{Digest, Secret};
use provisioner::deadline::Deadline;
use provisioner::sinks::{
    Capabilities, Marker, PushDeclaration, Receipt, Removal, Seen, SeenEntry, Sink, SinkError, SinkSet, Write,
};

use crate::gate::{Fault, Gate, Kind};
use crate::world::{Entry, LateWrite, World};

/// What a sink can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Traits {
    /// Values can be read back; otherwise a marker tells the version.
    pub(crate) readable: bool,
    /// Writes compare with what was seen.
    pub(crate) conditional: bool,
}

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
        Self { sinks: ["a", "b"].into_iter().zip(world.traits).map(sink).collect() }
    }
}

/// The place of a push.
pub(crate) fn place(sink: &str, name: &str, traits: Traits) -> Place {
    Place::new("fake", &[("sink", sink), ("name", name)], traits.readable)
}

fn unreachable(reason: &str) -> SinkError {
    SinkError::Unreachable { reason: reason.to_owned() }
}

#[async_trait]
impl SinkSet for FakeSinks {
    fn machine(&self) -> &'static str {
        "here"
    }

    async fn place(&self, push: &PushDeclaration) -> Result<Place, SinkError> {
        let sink = self.sinks.get(&push.sink).ok_or_else(|| unreachable("no such sink"))?;
        Ok(place(&sink.name, &push.name, sink.traits))
    }

    async fn reach(&self, place: &Place) -> Result<Arc<dyn Sink>, SinkError> {
        let sink = place.part("sink").and_then(|name| self.sinks.get(name));
        Ok(sink.ok_or_else(|| unreachable("no such sink"))?.clone())
    }
}

/// Whether an entry is as it was seen: by its receipt, as the caller may know better than its marker.
fn unchanged(now: &Seen, seen: &Seen) -> bool {
    match (now, seen) {
        (Seen::Absent, Seen::Absent) => true,
        (Seen::Holds(now), Seen::Holds(seen)) => now.receipt == seen.receipt,
        _ => false,
    }
}

impl FakeSink {
    fn seen(&self, entry: Option<&Entry>) -> Seen {
        let Some(entry) = entry else { return Seen::Absent };
        let receipt = Receipt(format!("r{}", entry.stamp));
        let shown = self.traits.readable || entry.marked;
        let held = if shown {
            SeenEntry {
                fingerprint: Some(Digest::of(entry.value.as_bytes()).fingerprint()),
                token_id: Secret::parse(&entry.value).ok().map(|secret| secret.token_id()),
                receipt,
                lagging: None,
            }
        } else {
            SeenEntry { fingerprint: None, token_id: None, receipt, lagging: None }
        };
        Seen::Holds(held)
    }

    fn write_one(&self, write: &Write<'_>, deadline: Deadline, fault: Option<Fault>) -> Result<Receipt, SinkError> {
        if deadline.has_passed() {
            return Err(SinkError::Late);
        }
        let mut places = self.world.places();
        let id = write.place.id();
        let now = places.get(&id);
        let same = now.is_some_and(|entry| entry.marked && entry.value == write.secret.expose());
        if self.traits.conditional && !same && !unchanged(&self.seen(now), write.seen) {
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
            _ => Ok(Receipt(format!("r{}", places[&id].stamp))),
        }
    }

    fn remove_one(&self, removal: &Removal<'_>, deadline: Deadline) -> Result<(), SinkError> {
        if deadline.has_passed() {
            return Err(SinkError::Late);
        }
        let mut places = self.world.places();
        let id = removal.place.id();
        let now = places.get(&id);
        if self.traits.conditional && now.is_some() && !unchanged(&self.seen(now), removal.seen) {
            return Err(SinkError::Changed);
        }
        places.remove(&id);
        Ok(())
    }
}

#[async_trait]
impl Sink for FakeSink {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            kind: "fake",
            readable: self.traits.readable,
            marker: !self.traits.readable,
            conditional: self.traits.conditional,
            restarts: !self.traits.readable,
            redeploys: false,
            surveys: false,
            local: false,
            batch: 2,
            value_max: 4096,
        }
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
            places.iter().map(|place| Ok(self.seen(held.get(&place.id())))).collect()
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
