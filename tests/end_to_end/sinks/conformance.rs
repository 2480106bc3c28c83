//! What every type of sink promises, in one suite. A case is left out only where a capability says so, which is printed.

use std::fmt::Write as _;
use std::time::Duration;

use latchkey::entropy::SystemEntropy;
use latchkey::place::Place;
use latchkey::secret::{Digest, Prefix, Secret, TokenId};
use provisioner::deadline::Deadline;
use provisioner::sinks::{Marker, Receipt, Removal, Seen, SeenEntry, SinkError, Write};
use tests::sinks::{Bench, On, Trouble, elapsed};

/// What people keep beside our entries.
const STRANGE: &str = "grün \"quoted\" 'single' $HOME `id` #no \\n end";

/// Runs the whole suite on a type of sink.
pub(super) async fn conforms(bench: &dyn Bench) {
    let suite = Suite { bench, secrets: std::cell::RefCell::default(), errors: std::cell::RefCell::default() };
    suite.what_is_written_is_seen().await;
    suite.twice_is_once().await;
    suite.a_newer_version_takes_over().await;
    suite.neighbours_stay_as_they_are().await;
    suite.what_is_foreign_is_not_taken_for_ours().await;
    suite.what_changed_since_the_look_is_not_overwritten().await;
    suite.a_change_by_hand_is_found().await;
    suite.only_what_was_seen_is_removed().await;
    suite.a_batch_is_one_change().await;
    suite.nothing_starts_after_its_deadline().await;
    suite.checks_change_nothing().await;
    for seconds in [None, Some(1), Some(7)] {
        suite.passing_trouble_on_a_look(Trouble::Throttled(seconds)).await;
        suite.passing_trouble_on_a_write(Trouble::Throttled(seconds)).await;
    }
    for trouble in [Trouble::Broken(500), Trouble::Broken(503), Trouble::Unheard, Trouble::Unanswered] {
        suite.passing_trouble_on_a_look(trouble).await;
        suite.passing_trouble_on_a_write(trouble).await;
    }
    suite.an_expired_login_is_told(On::Read).await;
    suite.an_expired_login_is_told(On::Write).await;
    suite.nothing_shows_a_secret();
}

struct Suite<'b> {
    bench: &'b dyn Bench,
    secrets: std::cell::RefCell<Vec<Secret>>,
    errors: std::cell::RefCell<Vec<SinkError>>,
}

/// One version of a token.
struct Version {
    secret: Secret,
    marker: Marker,
}

fn soon() -> Deadline {
    Deadline::by(elapsed, Duration::from_mins(2))
}

impl Suite<'_> {
    fn version(&self, id: &TokenId, version: u32) -> Version {
        let secret = Secret::mint(&Prefix::default(), id, &SystemEntropy).unwrap();
        self.secrets.borrow_mut().push(Secret::parse(secret.expose()).unwrap());
        let marker = Marker { token_id: id.clone(), version, fingerprint: secret.fingerprint() };
        Version { secret, marker }
    }

    fn first(&self) -> Version {
        self.version(&TokenId::mint(&SystemEntropy).unwrap(), 1)
    }

    fn next(&self, version: &Version) -> Version {
        self.version(&version.marker.token_id, version.marker.version + 1)
    }

    async fn place(&self, name: &str) -> Place {
        self.bench.sink().place(&self.bench.push(name)).await.expect("a place")
    }

    /// A look by a run that knows nothing yet; the list that plans use says the same.
    async fn look(&self, place: &Place) -> Seen {
        let seen = self.bench.sink().look(&[place]).await.remove(0).expect("a look");
        let surveyed = self.bench.sink().survey(&[place]).await.remove(0).expect("a survey");
        let plain = |seen: &Seen| match seen {
            Seen::Absent => None,
            Seen::Holds(held) => Some((held.fingerprint.clone(), held.receipt.clone())),
        };
        assert_eq!(plain(&surveyed), plain(&seen), "the list and the entry itself differ");
        seen
    }

    async fn held(&self, place: &Place) -> SeenEntry {
        match self.look(place).await {
            Seen::Holds(held) => held,
            Seen::Absent => panic!("{place:?} is empty"),
        }
    }

    async fn write_all(
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

    async fn write(&self, place: &Place, version: &Version, seen: &Seen) -> Result<Receipt, SinkError> {
        self.write_all(&[(place, version, seen)], soon()).await.remove(0)
    }

    async fn remove(&self, place: &Place, seen: &Seen) -> Result<(), SinkError> {
        let done = self.bench.sink().remove(&[Removal { place, seen }], soon()).await.remove(0);
        self.errors.borrow_mut().extend(done.clone().err());
        done
    }

    /// An entry of that name with a first version in it.
    async fn delivered(&self, name: &str) -> (Place, Version, Receipt) {
        let (place, version) = (self.place(name).await, self.first());
        let receipt = self.write(&place, &version, &Seen::Absent).await.unwrap();
        (place, version, receipt)
    }

    async fn what_is_written_is_seen(&self) {
        let (place, version) = (self.place("WRITTEN").await, self.first());
        assert_eq!(self.look(&place).await, Seen::Absent);
        let receipt = self.write(&place, &version, &Seen::Absent).await.unwrap();
        assert!(receipt.0.len() <= 200, "{receipt:?}");
        let held = self.held(&place).await;
        assert_eq!(held.fingerprint.as_ref(), Some(&version.marker.fingerprint));
        assert_eq!(held.token_id.as_ref(), Some(&version.marker.token_id));
        assert_eq!(held.receipt, receipt, "an entry as it was written has the receipt of that write");
        assert_eq!(self.bench.value(&place).await.as_deref(), Some(version.secret.expose()));
        let read = self.bench.sink().read(&place, &version.marker).await.unwrap();
        if place.readable {
            assert_eq!(read.expect("what can be read is read back").expose(), version.secret.expose());
        } else {
            println!("{}: not read back, as nobody can", place.kind);
            assert!(read.is_none());
        }
    }

    async fn twice_is_once(&self) {
        let (place, version, receipt) = self.delivered("TWICE").await;
        let changes = self.bench.changes().await;
        for seen in [Seen::Absent, self.look(&place).await] {
            // As after a crash: what was seen before the first write, and what a new run sees.
            assert_eq!(self.write(&place, &version, &seen).await.unwrap(), receipt, "{seen:?}");
        }
        assert_eq!(self.bench.changes().await, changes, "the same value again is no change");
        assert_eq!(self.bench.value(&place).await.as_deref(), Some(version.secret.expose()));
    }

    async fn a_newer_version_takes_over(&self) {
        let (place, first, _) = self.delivered("NEWER").await;
        let second = self.next(&first);
        let seen = self.look(&place).await;
        let receipt = self.write(&place, &second, &seen).await.unwrap();
        let held = self.held(&place).await;
        assert_eq!((held.fingerprint.as_ref(), held.receipt), (Some(&second.marker.fingerprint), receipt));
        assert_eq!(self.bench.value(&place).await.as_deref(), Some(second.secret.expose()));
        self.bench.sink().ended(&place, &first.marker).await.unwrap();
        assert_eq!(
            self.bench.value(&place).await.as_deref(),
            Some(second.secret.expose()),
            "the newer one is left alone"
        );
    }

    async fn neighbours_stay_as_they_are(&self) {
        let neighbour = self.place("NEIGHBOUR").await;
        self.bench.by_hand(&neighbour, STRANGE).await;
        let (place, first, _) = self.delivered("BESIDE").await;
        let seen = self.look(&place).await;
        self.write(&place, &self.next(&first), &seen).await.unwrap();
        assert_eq!(self.bench.value(&neighbour).await.as_deref(), Some(STRANGE));
        let seen = self.look(&place).await;
        self.remove(&place, &seen).await.unwrap();
        assert_eq!(self.bench.value(&neighbour).await.as_deref(), Some(STRANGE));
    }

    async fn what_is_foreign_is_not_taken_for_ours(&self) {
        let place = self.place("FOREIGN").await;
        self.bench.by_hand(&place, STRANGE).await;
        let held = self.held(&place).await;
        let known = Digest::of(STRANGE.as_bytes()).fingerprint();
        assert!(held.fingerprint.is_none_or(|shown| shown == known), "it says what it is, or nothing");
        assert_eq!(held.token_id, None);
        // A plan lets a foreign entry be written only where its push says `adopt`; the sink is then told what was seen.
        let (version, seen) = (self.first(), self.look(&place).await);
        let adopted = self.write(&place, &version, &seen).await;
        assert_eq!(self.held(&place).await.receipt, adopted.unwrap());
        assert_eq!(self.bench.value(&place).await.as_deref(), Some(version.secret.expose()));
    }

    async fn what_changed_since_the_look_is_not_overwritten(&self) {
        let place = self.place("CHANGED").await;
        self.bench.by_hand(&place, "somebody-elses").await;
        let late = self.write(&place, &self.first(), &Seen::Absent).await;
        assert!(matches!(late, Err(SinkError::Changed)), "{late:?}");
        assert_eq!(self.bench.value(&place).await.as_deref(), Some("somebody-elses"));
    }

    async fn a_change_by_hand_is_found(&self) {
        let (place, version, receipt) = self.delivered("DRIFTED").await;
        self.bench.by_hand(&place, "edited-by-hand").await;
        let held = self.held(&place).await;
        assert!(
            held.fingerprint.as_ref() != Some(&version.marker.fingerprint) || held.receipt != receipt,
            "an edited entry looks like the one that was written: {held:?}"
        );
        self.bench.removed_by_hand(&place).await;
        let gone = self.bench.sink().look(&[&place]).await.remove(0);
        match gone {
            Ok(Seen::Absent) => {}
            // A vault may keep the name for a while.
            Err(SinkError::BeingDeleted { .. }) => println!("{}: a deleted name is kept for a while", place.kind),
            other => panic!("a removed entry is seen as {other:?}"),
        }
    }

    async fn only_what_was_seen_is_removed(&self) {
        let (place, _, _) = self.delivered("REMOVED").await;
        let ours = self.look(&place).await;
        self.bench.by_hand(&place, "edited-by-hand").await;
        let changed = self.remove(&place, &ours).await;
        assert!(matches!(changed, Err(SinkError::Changed)), "{changed:?}");
        assert_eq!(self.bench.value(&place).await.as_deref(), Some("edited-by-hand"));
        let (other, _, _) = self.delivered("LEAVING").await;
        let seen = self.look(&other).await;
        self.remove(&other, &seen).await.unwrap();
        assert_eq!(self.bench.value(&other).await, None);
        let again = self.remove(&other, &seen).await;
        assert!(
            matches!(again, Ok(()) | Err(SinkError::BeingDeleted { .. })),
            "an entry that is gone is gone: {again:?}"
        );
    }

    async fn a_batch_is_one_change(&self) {
        let sink = self.bench.sink();
        let (one, two) = (self.place("BATCH_ONE").await, self.place("BATCH_TWO").await);
        let batched = sink.capabilities().batch > 1 && sink.unit(&one) == sink.unit(&two);
        if !batched {
            println!("{}: each entry is a unit of its own", one.kind);
            return;
        }
        let (first, second) = (self.first(), self.first());
        let changes = self.bench.changes().await;
        let done = self.write_all(&[(&one, &first, &Seen::Absent), (&two, &second, &Seen::Absent)], soon()).await;
        assert!(done.iter().all(Result::is_ok), "{done:?}");
        for (place, version) in [(&one, &first), (&two, &second)] {
            assert_eq!(self.bench.value(place).await.as_deref(), Some(version.secret.expose()));
        }
        if sink.capabilities().restarts {
            assert_eq!(self.bench.changes().await, changes + 1, "each change restarts the consumers");
        }
    }

    async fn nothing_starts_after_its_deadline(&self) {
        let place = self.place("LATE").await;
        let changes = self.bench.changes().await;
        let over = Deadline::by(elapsed, Duration::ZERO);
        let late = self.write_all(&[(&place, &self.first(), &Seen::Absent)], over).await.remove(0);
        assert!(matches!(late, Err(SinkError::Late)), "{late:?}");
        let (kept, version, _) = self.delivered("KEPT").await;
        let seen = self.look(&kept).await;
        let late = self.bench.sink().remove(&[Removal { place: &kept, seen: &seen }], over).await.remove(0);
        assert!(matches!(late, Err(SinkError::Late)), "{late:?}");
        assert_eq!(self.bench.value(&place).await, None);
        assert_eq!(self.bench.value(&kept).await.as_deref(), Some(version.secret.expose()));
        assert_eq!(self.bench.changes().await, changes + 1);
    }

    async fn checks_change_nothing(&self) {
        let changes = self.bench.changes().await;
        let (new, held) = (self.place("CHECKED").await, self.place("WRITTEN").await);
        let ready = self.bench.sink().prepare(&[&new, &held]).await;
        assert!(ready.iter().all(Result::is_ok), "{ready:?}");
        assert_eq!(self.bench.changes().await, changes);
        assert_eq!(self.look(&new).await, Seen::Absent);
    }

    async fn passing_trouble_on_a_look(&self, trouble: Trouble) {
        if !self.bench.trouble(trouble, On::Read) {
            println!("no {trouble:?} on reading");
            return;
        }
        let place = self.place("WRITTEN").await;
        let seen = self.bench.sink().look(&[&place]).await.remove(0);
        assert!(matches!(seen, Ok(Seen::Holds(_))), "{trouble:?}: {seen:?}");
    }

    /// What passes by itself is waited for; where that cannot be, a second run ends well. Never is the value lost, and
    /// never is there a second change.
    async fn passing_trouble_on_a_write(&self, trouble: Trouble) {
        let name = format!("TROUBLE_{}", self.secrets.borrow().len());
        let (place, version) = (self.place(&name).await, self.first());
        let changes = self.bench.changes().await;
        if !self.bench.trouble(trouble, On::Write) {
            println!("{}: no {trouble:?} on writing", place.kind);
            return;
        }
        match self.write(&place, &version, &Seen::Absent).await {
            Ok(_) => {}
            Err(SinkError::Unreachable { reason }) => {
                assert!(!reason.is_empty());
                let seen = self.look(&place).await;
                self.write(&place, &version, &seen).await.unwrap();
            }
            Err(other) => panic!("{trouble:?}: {other:?}"),
        }
        assert_eq!(self.bench.value(&place).await.as_deref(), Some(version.secret.expose()), "{trouble:?}");
        assert_eq!(self.bench.changes().await, changes + 1, "{trouble:?}");
        assert_eq!(self.held(&place).await.fingerprint.as_ref(), Some(&version.marker.fingerprint));
    }

    async fn an_expired_login_is_told(&self, on: On) {
        let (place, version, _) = self.delivered(if on == On::Read { "LOGIN_READ" } else { "LOGIN_WRITE" }).await;
        let (seen, newer) = (self.look(&place).await, self.next(&version));
        if !self.bench.trouble(Trouble::LoginExpired, on) {
            println!("{}: no login", place.kind);
            return;
        }
        let error = match on {
            On::Read => self.bench.sink().look(&[&place]).await.remove(0).map(|_| ()),
            On::Write => self.write(&place, &newer, &seen).await.map(|_| ()),
        };
        match error {
            // A fresh one was at hand.
            Ok(()) => {}
            Err(error @ SinkError::Login { .. }) => {
                assert!(error.hint().is_some_and(|hint| !hint.is_empty()), "{error:?}");
                let held = self.bench.value(&place).await;
                assert_eq!(held.as_deref(), Some(version.secret.expose()), "it holds what it held");
            }
            Err(other) => panic!("an expired login is told as such: {other:?}"),
        }
    }

    fn nothing_shows_a_secret(&self) {
        let mut said = self.bench.spoken();
        for error in self.errors.borrow().iter() {
            writeln!(said, "{error} {error:?} {:?}", error.hint()).unwrap();
        }
        for secret in self.secrets.borrow().iter() {
            assert!(!said.contains(secret.expose()), "a secret was shown");
        }
        assert!(!said.contains("somebody-elses") && !said.contains("edited-by-hand"), "somebody's value was shown");
    }
}
