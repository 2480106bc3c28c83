//! Promises about trouble: what passes by itself, logins that expire, and what is said of it all.

use super::bench::{Bench, On, Trouble};
use super::suite::{SOMEBODY_ELSES, Suite, left_out};
use crate::{Seen, SinkError};

/// Trouble that passes by itself is waited for by a look.
pub async fn passing_trouble_on_a_look_is_waited_for(bench: &dyn Bench) {
    Suite::run(bench, async |suite| {
        let (place, _, _) = suite.delivered("TROUBLED").await;
        for trouble in Trouble::PASSING {
            if !bench.trouble(trouble, On::Read) {
                left_out(&place, &format!("no {trouble:?} on reading"));
                continue;
            }
            let seen = bench.sink().look(&[&place]).await.remove(0);
            assert!(matches!(seen, Ok(Seen::Holds(_))), "{trouble:?}: {seen:?}");
        }
    })
    .await;
}

/// Trouble that passes by itself is waited for by a write; where that cannot be, a second run ends well. Never is the
/// value lost, and never is there a second change.
pub async fn passing_trouble_on_a_write_loses_and_repeats_nothing(bench: &dyn Bench) {
    Suite::run(bench, async |suite| {
        for (number, trouble) in Trouble::PASSING.into_iter().enumerate() {
            let (place, version) = (suite.place(&format!("TROUBLE_{number}")).await, suite.first());
            let changes = bench.changes().await;
            if !bench.trouble(trouble, On::Write) {
                left_out(&place, &format!("no {trouble:?} on writing"));
                continue;
            }
            match suite.write(&place, &version, &Seen::Absent).await {
                Ok(_) => {}
                Err(SinkError::Unreachable { reason }) => {
                    assert!(!reason.is_empty());
                    let seen = suite.look(&place).await;
                    suite.write(&place, &version, &seen).await.expect("a second run ends well");
                }
                Err(other) => panic!("{trouble:?}: {other:?}"),
            }
            suite.assert_consumers_read(&place, &version).await;
            assert_eq!(bench.changes().await, changes + 1, "{trouble:?}");
            assert_eq!(suite.held(&place).await.fingerprint.as_ref(), Some(&version.marker.fingerprint));
        }
    })
    .await;
}

/// A look with a login that has expired finds a fresh one, or says that it has expired and what to do.
pub async fn an_expired_login_is_told_by_a_look(bench: &dyn Bench) {
    expired_login(bench, On::Read).await;
}

/// The same of a write, which changes nothing then.
pub async fn an_expired_login_is_told_by_a_write(bench: &dyn Bench) {
    expired_login(bench, On::Write).await;
}

async fn expired_login(bench: &dyn Bench, on: On) {
    Suite::run(bench, async |suite| {
        let (place, version, _) = suite.delivered("LOGIN").await;
        let (seen, newer) = (suite.look(&place).await, suite.next(&version));
        if !bench.trouble(Trouble::LoginExpired, on) {
            return left_out(&place, "no login");
        }
        let done = match on {
            On::Read => bench.sink().look(&[&place]).await.remove(0).map(|_| ()),
            On::Write => suite.write(&place, &newer, &seen).await.map(|_| ()).map_err(|error| error.of_write().0),
        };
        match done {
            // A fresh one was at hand.
            Ok(()) => {}
            Err(error @ SinkError::Login { .. }) => {
                assert!(error.hint().is_some_and(|hint| !hint.is_empty()), "{error:?}");
                suite.assert_consumers_read(&place, &version).await;
            }
            Err(other) => panic!("an expired login is told as such: {other:?}"),
        }
    })
    .await;
}

/// A write that the vendor refuses is told as one of which nothing can arrive, and changes nothing; never so where an
/// earlier try of it may still arrive.
pub async fn a_refusal_is_certain_only_where_nothing_can_arrive(bench: &dyn Bench) {
    Suite::run(bench, async |suite| {
        let (place, version, _) = suite.delivered("REFUSED").await;
        let (seen, newer) = (suite.look(&place).await, suite.next(&version));
        if !bench.trouble(Trouble::Forbidden, On::Write) {
            return left_out(&place, "no refusal of a write");
        }
        let refused = suite.write(&place, &newer, &seen).await;
        assert!(matches!(refused, Err(SinkError::Rejected(_))), "{refused:?}");
        suite.assert_consumers_read(&place, &version).await;
        suite.write(&place, &newer, &seen).await.expect("once it is allowed");
        for (number, trouble) in Trouble::PASSING.into_iter().enumerate() {
            let (place, version) = (suite.place(&format!("REFUSED_{number}")).await, suite.first());
            if !bench.trouble(trouble, On::Write) {
                continue;
            }
            assert!(bench.trouble(Trouble::Forbidden, On::Write));
            let answer = suite.write(&place, &version, &Seen::Absent).await;
            assert!(!matches!(answer, Err(SinkError::Rejected(_))), "{trouble:?}: {answer:?}");
            // Where the refusal was not met yet, another write meets it.
            for _ in 0..2 {
                let _ =
                    suite.write(&suite.place(&format!("REFUSED_{number}_AFTER")).await, &version, &Seen::Absent).await;
            }
        }
    })
    .await;
}

/// No error and no log contains a value, ours or somebody else's, whatever goes wrong. Every promise is held to this;
/// here as much goes wrong as can.
pub async fn nothing_shows_a_secret(bench: &dyn Bench) {
    Suite::run(bench, async |suite| {
        let foreign = suite.place("FOREIGN").await;
        bench.by_hand(&foreign, SOMEBODY_ELSES).await;
        let refused = suite.write(&foreign, &suite.first(), &Seen::Absent).await;
        assert!(refused.is_err(), "{refused:?}");
        let (place, version, _) = suite.delivered("SHOWN").await;
        let seen = suite.look(&place).await;
        for trouble in Trouble::PASSING.into_iter().chain([Trouble::LoginExpired]) {
            // Whether it meets this trouble or none, and how it ends, is another promise's business.
            bench.trouble(trouble, On::Write);
            let _ = suite.write(&place, &suite.next(&version), &seen).await;
        }
        let _ = suite.remove(&foreign, &Seen::Absent).await;
        assert!(suite.errors() > 0, "nothing went wrong, so nothing was tested");
    })
    .await;
}
