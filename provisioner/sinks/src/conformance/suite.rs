//! One promise under test: the bench, and everything that was minted and refused on the way.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::time::Duration;

use latchkey::entropy::SystemEntropy;
use latchkey::place::Place;
use latchkey::secret::{Prefix, Secret, TokenId};

use super::bench::Bench;
use crate::deadline::Deadline;
use crate::{Marker, Receipt, Removal, Seen, SeenEntry, SinkError, Write};

/// What somebody else put there, which no error may repeat.
pub(super) const SOMEBODY_ELSES: &str = "somebody-elses";
/// The same, over an entry of ours.
pub(super) const EDITED: &str = "edited-by-hand";

pub(super) struct Suite<'b> {
    pub(super) bench: &'b dyn Bench,
    secrets: RefCell<Vec<Secret>>,
    errors: RefCell<Vec<SinkError>>,
}

/// One version of a token.
pub(super) struct Version {
    pub(super) secret: Secret,
    pub(super) marker: Marker,
}

impl<'b> Suite<'b> {
    /// Tests a promise, and after it that no secret was shown on the way.
    pub(super) async fn run(bench: &'b dyn Bench, promise: impl AsyncFnOnce(&Self)) {
        let suite = Self { bench, secrets: RefCell::default(), errors: RefCell::default() };
        promise(&suite).await;
        suite.nothing_was_shown();
    }

    /// The errors so far.
    pub(super) fn errors(&self) -> usize {
        self.errors.borrow().len()
    }

    fn version(&self, id: &TokenId, version: u32) -> Version {
        let secret = Secret::mint(&Prefix::default(), id, &SystemEntropy).expect("random bytes");
        self.secrets.borrow_mut().push(Secret::parse(secret.expose()).expect("a secret of ours"));
        let marker = Marker { token_id: id.clone(), version, fingerprint: secret.fingerprint() };
        Version { secret, marker }
    }

    pub(super) fn first(&self) -> Version {
        self.version(&TokenId::mint(&SystemEntropy).expect("random bytes"), 1)
    }

    pub(super) fn next(&self, version: &Version) -> Version {
        self.version(&version.marker.token_id, version.marker.version + 1)
    }

    pub(super) fn deadline(&self, length: Duration) -> Deadline {
        Deadline::by(self.bench.clock(), length)
    }

    fn soon(&self) -> Deadline {
        self.deadline(Duration::from_mins(2))
    }

    pub(super) async fn place(&self, name: &str) -> Place {
        self.bench.sink().place(&self.bench.push(name)).await.expect("a place")
    }

    /// A look by a run that knows nothing yet; the list that plans use says the same.
    pub(super) async fn look(&self, place: &Place) -> Seen {
        let seen = self.bench.sink().look(&[place]).await.remove(0).expect("a look");
        let surveyed = self.bench.sink().survey(&[place]).await.remove(0).expect("a survey");
        let plain = |seen: &Seen| match seen {
            Seen::Absent | Seen::NotShown { .. } => None,
            Seen::Holds(held) => Some((held.fingerprint.clone(), held.receipt.clone())),
        };
        assert_eq!(plain(&surveyed), plain(&seen), "the list and the entry itself differ");
        seen
    }

    pub(super) async fn held(&self, place: &Place) -> SeenEntry {
        match self.look(place).await {
            Seen::Holds(held) => held,
            Seen::Absent | Seen::NotShown { .. } => panic!("{place:?} is empty"),
        }
    }

    pub(super) async fn write_all(
        &self,
        writes: &[(&Place, &Version, &Seen)],
        deadline: Deadline,
    ) -> Vec<Result<Receipt, SinkError>> {
        let writes: Vec<_> = writes
            .iter()
            .map(|(place, version, seen)| Write {
                place,
                secret: &version.secret,
                marker: &version.marker,
                token_name: "production-api",
                manifest: "acme",
                seen,
            })
            .collect();
        let done = self.bench.sink().write(&writes, deadline).await;
        self.errors.borrow_mut().extend(done.iter().filter_map(|done| done.clone().err()));
        done
    }

    /// Several writes, with time enough.
    pub(super) async fn write_together(&self, writes: &[(&Place, &Version, &Seen)]) -> Vec<Result<Receipt, SinkError>> {
        self.write_all(writes, self.soon()).await
    }

    pub(super) async fn write(&self, place: &Place, version: &Version, seen: &Seen) -> Result<Receipt, SinkError> {
        self.write_together(&[(place, version, seen)]).await.remove(0)
    }

    pub(super) async fn remove_by(&self, place: &Place, seen: &Seen, deadline: Deadline) -> Result<(), SinkError> {
        let done = self.bench.sink().remove(&[Removal { place, seen }], deadline).await.remove(0);
        self.errors.borrow_mut().extend(done.clone().err());
        done
    }

    pub(super) async fn remove(&self, place: &Place, seen: &Seen) -> Result<(), SinkError> {
        self.remove_by(place, seen, self.soon()).await
    }

    /// An entry of that name with a first version in it.
    pub(super) async fn delivered(&self, name: &str) -> (Place, Version, Receipt) {
        let (place, version) = (self.place(name).await, self.first());
        let receipt = self.write(&place, &version, &Seen::Absent).await.expect("a first write");
        (place, version, receipt)
    }

    /// What a consumer of the place reads is that version.
    pub(super) async fn assert_consumers_read(&self, place: &Place, version: &Version) {
        let value = self.bench.value(place).await;
        assert_eq!(value.as_deref(), Some(version.secret.expose()), "what a consumer reads");
    }

    fn nothing_was_shown(&self) {
        let mut said = self.bench.spoken();
        for error in self.errors.borrow().iter() {
            // Writing to a string does not fail.
            let _ = writeln!(said, "{error} {error:?} {:?}", error.hint());
        }
        for secret in self.secrets.borrow().iter() {
            assert!(!said.contains(secret.expose()), "a secret was shown");
        }
        assert!(!said.contains(SOMEBODY_ELSES) && !said.contains(EDITED), "somebody's value was shown");
    }
}

/// Says what a type cannot have, and so what is not tested of it.
#[expect(clippy::print_stdout, reason = "what a suite leaves out has to be seen")]
pub(super) fn left_out(place: &Place, what: &str) {
    println!("{}: {what}", place.kind);
}
