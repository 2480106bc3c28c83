//! Promises about entries: what is written, seen, changed by somebody else, and removed.

use std::time::Duration;

use latchkey::secret::Digest;

use super::bench::Bench;
use super::suite::{EDITED, SOMEBODY_ELSES, Suite, left_out};
use crate::login::Login;
use crate::reading::is_plain;
use crate::{Seen, SinkError};

/// What people keep beside our entries.
const STRANGE: &str = "grün \"quoted\" 'single' $HOME `id` #no \\n end";

/// After a write a look shows its version and its receipt, consumers read its value, and what can be read is read back.
pub async fn what_is_written_is_seen(bench: &dyn Bench) {
    Suite::run(bench, async |suite| {
        let (place, version) = (suite.place("WRITTEN").await, suite.first());
        assert_eq!(suite.look(&place).await, Seen::Absent);
        let receipt = suite.write(&place, &version, &Seen::Absent).await.expect("a first write");
        assert!(receipt.0.len() <= 200, "{receipt:?}");
        let held = suite.held(&place).await;
        assert_eq!(held.fingerprint.as_ref(), Some(&version.marker.fingerprint));
        assert_eq!(held.token_id.as_ref(), Some(&version.marker.token_id));
        assert_eq!(held.receipt, receipt, "an entry as it was written has the receipt of that write");
        suite.assert_consumers_read(&place, &version).await;
        let read = bench.sink().read(&place, &version.marker).await.expect("an answer");
        if place.readable {
            assert_eq!(read.expect("what can be read is read back").expose(), version.secret.expose());
        } else {
            left_out(&place, "not read back, as nobody can");
            assert!(read.is_none());
        }
    })
    .await;
}

/// Writing the same value again is success and no change, whatever was seen before: as after a crash.
pub async fn a_second_write_changes_nothing(bench: &dyn Bench) {
    Suite::run(bench, async |suite| {
        let (place, version, receipt) = suite.delivered("TWICE").await;
        let changes = bench.changes().await;
        for seen in [Seen::Absent, suite.look(&place).await] {
            // What was seen before the first write, and what a new run sees.
            assert_eq!(suite.write(&place, &version, &seen).await.expect("a second write"), receipt, "{seen:?}");
        }
        assert_eq!(bench.changes().await, changes, "the same value again is no change");
        suite.assert_consumers_read(&place, &version).await;
    })
    .await;
}

/// A newer version replaces the one that was seen, and the end of the older one leaves it alone.
pub async fn a_newer_version_takes_over(bench: &dyn Bench) {
    Suite::run(bench, async |suite| {
        let (place, first, _) = suite.delivered("NEWER").await;
        let second = suite.next(&first);
        let seen = suite.look(&place).await;
        let receipt = suite.write(&place, &second, &seen).await.expect("a newer version");
        let held = suite.held(&place).await;
        assert_eq!((held.fingerprint.as_ref(), held.receipt), (Some(&second.marker.fingerprint), receipt));
        suite.assert_consumers_read(&place, &second).await;
        bench.sink().ended(&place, &first.marker).await.expect("the older one has ended");
        suite.assert_consumers_read(&place, &second).await;
    })
    .await;
}

/// Entries of others stay as the bytes they are.
pub async fn neighbours_stay_as_they_are(bench: &dyn Bench) {
    Suite::run(bench, async |suite| {
        let neighbour = suite.place("NEIGHBOUR").await;
        bench.by_hand(&neighbour, STRANGE).await;
        let (place, first, _) = suite.delivered("BESIDE").await;
        let seen = suite.look(&place).await;
        suite.write(&place, &suite.next(&first), &seen).await.expect("a newer version");
        assert_eq!(bench.value(&neighbour).await.as_deref(), Some(STRANGE));
        let seen = suite.look(&place).await;
        suite.remove(&place, &seen).await.expect("a removal");
        assert_eq!(bench.value(&neighbour).await.as_deref(), Some(STRANGE));
    })
    .await;
}

/// A value that somebody else put there is told by its own fingerprint or by none, and is written over only when asked.
pub async fn what_is_foreign_is_not_taken_for_ours(bench: &dyn Bench) {
    Suite::run(bench, async |suite| {
        let place = suite.place("FOREIGN").await;
        bench.by_hand(&place, STRANGE).await;
        let held = suite.held(&place).await;
        let known = Digest::of(STRANGE.as_bytes()).fingerprint();
        assert!(held.fingerprint.is_none_or(|shown| shown == known), "it says what it is, or nothing");
        assert_eq!(held.token_id, None);
        // A plan lets a foreign entry be written only where its push says `adopt`; the sink is then told what was seen.
        let (version, seen) = (suite.first(), suite.look(&place).await);
        let adopted = suite.write(&place, &version, &seen).await.expect("an adoption");
        assert_eq!(suite.held(&place).await.receipt, adopted);
        suite.assert_consumers_read(&place, &version).await;
    })
    .await;
}

/// A write refuses with [`SinkError::Changed`] where the place contains anything but what was seen.
pub async fn what_changed_since_the_look_is_not_overwritten(bench: &dyn Bench) {
    Suite::run(bench, async |suite| {
        let place = suite.place("CHANGED").await;
        bench.by_hand(&place, SOMEBODY_ELSES).await;
        let late = suite.write(&place, &suite.first(), &Seen::Absent).await;
        assert!(matches!(late, Err(SinkError::Changed)), "{late:?}");
        assert_eq!(bench.value(&place).await.as_deref(), Some(SOMEBODY_ELSES));
    })
    .await;
}

/// An entry that somebody edits or removes does not look like the one that was written.
pub async fn a_change_by_hand_is_found(bench: &dyn Bench) {
    Suite::run(bench, async |suite| {
        let (place, version, receipt) = suite.delivered("DRIFTED").await;
        bench.by_hand(&place, EDITED).await;
        let held = suite.held(&place).await;
        assert!(
            held.fingerprint.as_ref() != Some(&version.marker.fingerprint) || held.receipt != receipt,
            "an edited entry looks like the one that was written: {held:?}"
        );
        bench.removed_by_hand(&place).await;
        match bench.sink().look(&[&place]).await.remove(0) {
            Ok(Seen::Absent) => {}
            // A vault may keep the name for a while.
            Err(SinkError::BeingDeleted { .. }) => left_out(&place, "a deleted name is kept for a while"),
            other => panic!("a removed entry is seen as {other:?}"),
        }
    })
    .await;
}

/// Whoever moves in is shown what the entries are called, ours and those of others, and nothing of what they contain.
pub async fn what_is_there_is_listed_by_its_name_and_never_with_its_value(bench: &dyn Bench) {
    Suite::run(bench, async |suite| {
        let (place, version, _) = suite.delivered("LISTED").await;
        let by_hand = suite.place("BY_HAND").await;
        bench.by_hand(&by_hand, SOMEBODY_ELSES).await;
        let changes = bench.changes().await;
        let listed = match bench.sink().entries("").await {
            Err(SinkError::Refused { .. }) => return left_out(&place, "not listed, as no entries of the type are"),
            listed => listed.expect("a list"),
        };
        for place in [&place, &by_hand] {
            let name = place.part("name").unwrap_or_default();
            let found = listed.iter().filter(|entry| entry.name == name).count();
            assert_eq!(found, 1, "`{name}` among {listed:?}");
            let prefixed = bench.sink().entries(name).await.expect("a list");
            assert!(prefixed.iter().any(|entry| entry.name == name), "{prefixed:?}");
            assert!(prefixed.iter().all(|entry| entry.name.starts_with(name)), "{prefixed:?}");
        }
        let shown = format!("{listed:?}");
        assert!(!shown.contains(version.secret.expose()) && !shown.contains(SOMEBODY_ELSES), "{shown}");
        assert_eq!(bench.changes().await, changes, "a list changes nothing");
    })
    .await;
}

/// A removal refuses what was changed since the look; what is gone is gone, however often it is removed.
pub async fn only_what_was_seen_is_removed(bench: &dyn Bench) {
    Suite::run(bench, async |suite| {
        let (place, _, _) = suite.delivered("REMOVED").await;
        let ours = suite.look(&place).await;
        bench.by_hand(&place, EDITED).await;
        let changed = suite.remove(&place, &ours).await;
        assert!(matches!(changed, Err(SinkError::Changed)), "{changed:?}");
        assert_eq!(bench.value(&place).await.as_deref(), Some(EDITED));
        let (other, _, _) = suite.delivered("LEAVING").await;
        let seen = suite.look(&other).await;
        suite.remove(&other, &seen).await.expect("a removal");
        assert_eq!(bench.value(&other).await, None);
        let second = suite.remove(&other, &seen).await;
        assert!(
            matches!(second, Ok(()) | Err(SinkError::BeingDeleted { .. })),
            "an entry that is gone is gone: {second:?}"
        );
    })
    .await;
}

/// Entries of one unit are written together, and where a change restarts consumers it is one change.
pub async fn a_batch_is_one_change(bench: &dyn Bench) {
    Suite::run(bench, async |suite| {
        let sink = bench.sink();
        let (one, two) = (suite.place("BATCH_ONE").await, suite.place("BATCH_TWO").await);
        if sink.capabilities().batch <= 1 || sink.unit(&one) != sink.unit(&two) {
            return left_out(&one, "each entry is a unit of its own");
        }
        let (first, second) = (suite.first(), suite.first());
        let changes = bench.changes().await;
        let done = suite.write_together(&[(&one, &first, &Seen::Absent), (&two, &second, &Seen::Absent)]).await;
        assert!(done.iter().all(Result::is_ok), "{done:?}");
        for (place, version) in [(&one, &first), (&two, &second)] {
            suite.assert_consumers_read(place, version).await;
        }
        if sink.capabilities().restarts {
            assert_eq!(bench.changes().await, changes + 1, "each change restarts the consumers");
        }
    })
    .await;
}

/// Nothing is written or removed once the deadline has passed.
pub async fn nothing_starts_after_its_deadline(bench: &dyn Bench) {
    Suite::run(bench, async |suite| {
        let place = suite.place("LATE").await;
        let changes = bench.changes().await;
        let over = suite.deadline(Duration::ZERO);
        let late = suite.write_all(&[(&place, &suite.first(), &Seen::Absent)], over).await.remove(0);
        assert!(matches!(late, Err(SinkError::Late)), "{late:?}");
        let (kept, version, _) = suite.delivered("KEPT").await;
        let seen = suite.look(&kept).await;
        let late = suite.remove_by(&kept, &seen, over).await;
        assert!(matches!(late, Err(SinkError::Late)), "{late:?}");
        assert_eq!(bench.value(&place).await, None);
        suite.assert_consumers_read(&kept, &version).await;
        assert_eq!(bench.changes().await, changes + 1, "one write was in time");
    })
    .await;
}

/// Checks pass for a new entry and for one of ours, and change nothing.
pub async fn checks_change_nothing(bench: &dyn Bench) {
    Suite::run(bench, async |suite| {
        let (held, version, _) = suite.delivered("HELD").await;
        let changes = bench.changes().await;
        let new = suite.place("CHECKED").await;
        let ready = bench.sink().prepare(&[&new, &held]).await;
        assert!(ready.iter().all(Result::is_ok), "{ready:?}");
        assert_eq!(bench.changes().await, changes);
        assert_eq!(suite.look(&new).await, Seen::Absent);
        suite.assert_consumers_read(&held, &version).await;
    })
    .await;
}

/// A sink that only this machine reaches, or by what only it has, says so in a clause: the scheduled job leaves it alone.
pub async fn what_only_this_machine_reaches_is_told(bench: &dyn Bench) {
    Suite::run(bench, async |suite| {
        let place = suite.place("REACHED").await;
        let Some(facts) = bench.facts() else { return left_out(&place, "no manifest declares it") };
        let told = facts.unpublishable();
        let is_stored = |login: &Login| matches!(login, Login::Secret { .. });
        let near = ["machine", "endpoint"].iter().any(|part| place.part(part).is_some())
            || facts.file().is_some()
            || !facts.logins().iter().all(|(_, login)| is_stored(login));
        assert!(!near || told.is_some(), "the job would be sent there: {place:?}");
        let is_clause = |reason: &String| !reason.is_empty() && is_plain(reason) && !reason.ends_with('.');
        assert!(told.iter().all(is_clause), "{told:?}");
    })
    .await;
}
