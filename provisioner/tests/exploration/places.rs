//! Places in memory: what a sink of each kind can do, and what it shows of an entry.

use latchkey::place::Place;
use latchkey::secret::{Digest, Secret};
use latchkey_sinks::{Capabilities, Receipt, Seen, SeenEntry, SinkError};

/// What a sink can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::struct_excessive_bools, reason = "a table of yes and no is what it is")]
pub(crate) struct Traits {
    /// Values can be read back; otherwise a marker tells the version.
    pub(crate) readable: bool,
    /// Writes compare with what was seen.
    pub(crate) conditional: bool,
    /// Consumers read an entry only after a deployment.
    pub(crate) redeploys: bool,
    /// The list may be old.
    pub(crate) surveys: bool,
    /// AWS rotates it: a version may be under AWSPENDING, which no consumer reads.
    pub(crate) pends: bool,
    /// How many writes go together.
    pub(crate) batch: usize,
}

impl Traits {
    pub(crate) fn capabilities(self) -> Capabilities {
        Capabilities {
            kind: "fake",
            readable: self.readable,
            marker: !self.readable,
            conditional: self.conditional,
            restarts: !self.readable && !self.redeploys,
            redeploys: self.redeploys,
            surveys: self.surveys,
            local: false,
            batch: self.batch,
            value_max: 4096,
        }
    }

    /// What a look shows of an entry, and of its consumers.
    pub(crate) fn seen(self, entry: Option<&Entry>, lagging: Option<String>) -> Seen {
        let Some(entry) = entry else { return Seen::Absent };
        let shown = self.readable || entry.marked;
        Seen::Holds(SeenEntry {
            fingerprint: shown.then(|| Digest::of(entry.value.as_bytes()).fingerprint()),
            token_id: Secret::parse(&entry.value).ok().filter(|_| shown).map(|secret| secret.token_id()),
            receipt: entry.receipt(),
            former: Vec::new(),
            lagging,
        })
    }
}

/// What a place holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) value: String,
    /// Changes with every write.
    pub(crate) stamp: u64,
    /// Written by the engine, with a marker.
    pub(crate) marked: bool,
}

impl Entry {
    pub(crate) fn receipt(&self) -> Receipt {
        Receipt(format!("r{}", self.stamp))
    }
}

/// The place of a push.
pub(crate) fn place(sink: &str, name: &str, readable: bool) -> Place {
    Place::new("fake", &[("sink", sink), ("name", name)], readable)
}

/// Whether an entry is as it was seen, whatever its consumers read by now: by its receipt, as the caller may know better
/// than its marker.
pub(crate) fn unchanged(entry: Option<&Entry>, seen: &Seen) -> bool {
    match (entry, seen) {
        (None, Seen::Absent) => true,
        (Some(now), Seen::Holds(then)) => now.receipt() == then.receipt,
        _ => false,
    }
}

pub(crate) fn unreachable(reason: &str) -> SinkError {
    SinkError::Unreachable { reason: reason.to_owned() }
}
