//! The sink for Vercel on its fake.

mod answers;
mod deployments;

use std::sync::Arc;

use latchkey::lifetime::Seconds;
use latchkey::place::Place;
use latchkey_sinks::conformance::{Bench as _, On, Trouble};
use latchkey_sinks::deadline::Deadline;
use latchkey_sinks::vercel::{Environment, Settings};
use latchkey_sinks::{DeclaredSink as _, PushDeclaration, Seen, SeenEntry, Sink as _, SinkError};
use serde_json::json;
use tests::clock::ManualClock;
use tests::sinks::slept;
use tests::sinks::vercel::VercelBench;
use tests::world::START;

use super::{Version, held, look, remove, soon, words, write, write_all};

type Sink = latchkey_sinks::vercel::Vercel;

fn preview(branch: Option<&str>) -> Environment {
    Environment::Preview { branch: branch.map(str::to_owned) }
}

async fn place(sink: &Sink, name: &str, environment: Environment) -> Place {
    sink.place(&PushDeclaration { environment: Some(environment), ..PushDeclaration::plain("web", name) })
        .await
        .unwrap()
}

/// A place whose value may be read back.
async fn readable(sink: &Sink, name: &str, environment: Environment) -> Place {
    let push =
        PushDeclaration { environment: Some(environment), sensitive: false, ..PushDeclaration::plain("web", name) };
    sink.place(&push).await.unwrap()
}

/// A bench whose clock the test moves, and its sink.
async fn moved() -> (VercelBench, Arc<ManualClock>, Sink) {
    let clock = Arc::new(ManualClock::at(START));
    let bench = VercelBench::at(clock.clone()).await;
    let sink = bench.sink_for(&bench.settings());
    (bench, clock, sink)
}

async fn started() -> (VercelBench, Sink) {
    let bench = VercelBench::start().await;
    let sink = bench.sink_for(&bench.settings());
    (bench, sink)
}

#[tokio::test]
async fn each_environment_and_branch_has_a_row_of_its_own_made_in_one_request() {
    let (bench, sink) = started().await;
    bench.vercel.vendor().environment("env_staging", "staging");
    let environments =
        [Environment::Production, preview(None), preview(Some("next/v2")), Environment::Custom("staging".to_owned())];
    let mut places = Vec::new();
    for environment in environments {
        places.push(place(&sink, "API_TOKEN", environment).await);
    }
    let version = Version::first();
    let writes: Vec<_> = places.iter().map(|place| (place, &version, &Seen::Absent)).collect();
    let receipts: Vec<_> = write_all(&sink, &writes).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(bench.vercel.count("POST /v10/projects/acme-web/env"), 1);
    assert_eq!(bench.vercel.vendor().ids("API_TOKEN").len(), 4);
    for (place, receipt) in places.iter().zip(&receipts) {
        let held = held(&sink, place).await;
        assert_eq!(held.fingerprint.as_ref(), Some(&version.marker.fingerprint));
        assert_eq!(held.token_id.as_ref(), Some(&version.marker.token_id));
        assert_eq!(&held.receipt, receipt);
        assert_eq!(bench.value(place).await.as_deref(), Some(version.secret.expose()));
        assert_eq!(
            sink.read(place, &version.marker).await.unwrap().map(|_| ()),
            None,
            "nobody reads what is sensitive"
        );
    }
    let comment = bench.vercel.vendor().comment("API_TOKEN", "production").unwrap();
    assert!(
        comment.contains("manifest=acme-platform token=production-api") && comment.contains("version=1"),
        "{comment}"
    );
    // The next version edits the rows that there are.
    let (ids, next) = (bench.vercel.vendor().ids("API_TOKEN"), version.next());
    let seen = look(&sink, &places[0]).await.unwrap();
    let receipt = write(&sink, &places[0], &next, &seen).await.unwrap();
    assert_eq!(bench.vercel.vendor().ids("API_TOKEN"), ids);
    assert_eq!(bench.value(&places[0]).await.as_deref(), Some(next.secret.expose()));
    assert_eq!(bench.value(&places[1]).await.as_deref(), Some(version.secret.expose()));
    // Once more is success and changes nothing, whatever was seen before.
    let changes = bench.changes().await;
    for seen in [seen, look(&sink, &places[0]).await.unwrap()] {
        assert_eq!(write(&sink, &places[0], &next, &seen).await.unwrap(), receipt);
    }
    assert_eq!(bench.changes().await, changes);
    let seen = look(&sink, &places[0]).await.unwrap();
    remove(&sink, &places[0], &seen).await.unwrap();
    assert_eq!(look(&sink, &places[0]).await.unwrap(), Seen::Absent);
    assert_eq!(bench.vercel.vendor().ids("API_TOKEN").len(), 3);
    remove(&sink, &places[0], &seen).await.unwrap();
}

#[tokio::test]
async fn a_batch_that_fails_in_part_is_told_row_by_row() {
    let (bench, sink) = started().await;
    let good = place(&sink, "GOOD", Environment::Production).await;
    let bad = place(&sink, "BAD", Environment::Development).await;
    let (one, two) = (Version::first(), Version::first());
    let mut results = write_all(&sink, &[(&good, &one, &Seen::Absent), (&bad, &two, &Seen::Absent)]).await;
    let told = words(results.pop().unwrap(), &[&one, &two]);
    assert!(told.contains("`BAD_REQUEST`"), "{told}");
    results.pop().unwrap().unwrap();
    assert_eq!(bench.value(&good).await.as_deref(), Some(one.secret.expose()));
    assert_eq!(look(&sink, &bad).await.unwrap(), Seen::Absent);
    // All of it refused, with a body that repeats the value.
    let told = words(write(&sink, &bad, &two, &Seen::Absent).await, &[&two]);
    assert!(told.contains("`BAD_REQUEST`"), "{told}");
}

#[tokio::test]
async fn rows_of_others_are_never_written_and_the_reason_is_told() {
    let (bench, sink) = started().await;
    let vendor = bench.vercel.vendor();
    let foreign = [
        (json!({ "configurationId": "icfg_1" }), "belongs to an integration"),
        (json!({ "vsmValue": "x" }), "belongs to an integration"),
        (json!({ "contentHint": { "type": "postgres-url" } }), "belongs to an integration"),
        (json!({ "type": "system" }), "one of Vercel's own"),
        (json!({ "target": ["production", "preview"] }), "also set for preview"),
    ];
    let version = Version::first();
    for (number, (fields, why)) in foreign.into_iter().enumerate() {
        let mut row = json!({ "key": format!("THEIRS_{number}"), "target": ["production"], "type": "sensitive" });
        row.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        vendor.foreign(&row);
        let place = place(&sink, &format!("THEIRS_{number}"), Environment::Production).await;
        let told = words(sink.prepare(&[&place]).await.remove(0), &[]);
        assert!(told.contains(why), "{told}");
        let seen = look(&sink, &place).await.unwrap();
        assert!(matches!(&seen, Seen::Holds(SeenEntry { token_id: None, .. })), "{seen:?}");
        let told = words(write(&sink, &place, &version, &seen).await, &[&version]);
        assert!(told.contains(why), "{told}");
        words(remove(&sink, &place, &seen).await, &[]);
        assert_eq!(bench.value(&place).await.as_deref(), Some("theirs"));
    }
    assert_eq!(bench.changes().await, 0);
}

#[tokio::test]
async fn what_somebody_makes_between_look_and_write_is_not_overwritten() {
    let (bench, sink) = started().await;
    let place = place(&sink, "API_TOKEN", Environment::Production).await;
    let version = Version::first();
    bench.by_hand(&place, "theirs").await;
    assert!(matches!(write(&sink, &place, &version, &Seen::Absent).await, Err(SinkError::Changed)));
    let seen = look(&sink, &place).await.unwrap();
    bench.by_hand(&place, "theirs again").await;
    assert!(matches!(write(&sink, &place, &version, &seen).await, Err(SinkError::Changed)));
    assert!(matches!(remove(&sink, &place, &seen).await, Err(SinkError::Changed)));
    // Adopted, as the engine does when it is told to.
    let seen = look(&sink, &place).await.unwrap();
    write(&sink, &place, &version, &seen).await.unwrap();
    assert_eq!(bench.value(&place).await.as_deref(), Some(version.secret.expose()));
}

#[tokio::test]
async fn a_value_changed_by_hand_is_not_hidden_by_the_comment_that_was_left() {
    let (bench, clock, sink) = moved().await;
    let place = place(&sink, "API_TOKEN", Environment::Production).await;
    let version = Version::first();
    let receipt = write(&sink, &place, &version, &Seen::Absent).await.unwrap();
    // Right after the write only the receipt tells.
    bench.by_hand(&place, "by hand").await;
    let soon_after = held(&sink, &place).await;
    assert_eq!(soon_after.fingerprint.as_ref(), Some(&version.marker.fingerprint));
    assert_ne!(soon_after.receipt, receipt);
    // The engine takes the marker away then, and a write of the very same version goes through.
    let disbelieved = Seen::Holds(SeenEntry { fingerprint: None, ..soon_after });
    write(&sink, &place, &version, &disbelieved).await.unwrap();
    assert_eq!(bench.value(&place).await.as_deref(), Some(version.secret.expose()));
    // Later the sink itself knows.
    clock.advance(Seconds::minutes(10));
    bench.by_hand(&place, "by hand").await;
    let later = held(&sink, &place).await;
    assert_eq!((later.fingerprint, later.token_id), (None, Some(version.marker.token_id.clone())));
    assert!(later.lagging.unwrap().contains("is unknown"));
}

#[tokio::test]
async fn a_readable_row_tells_what_it_holds_and_gives_it_back() {
    let (bench, clock, sink) = moved().await;
    let place = readable(&sink, "API_TOKEN", Environment::Development).await;
    assert!(place.readable);
    let version = Version::first();
    write(&sink, &place, &version, &Seen::Absent).await.unwrap();
    let secret = sink.read(&place, &version.marker).await.unwrap().unwrap();
    assert_eq!(secret.expose(), version.secret.expose());
    assert!(sink.read(&place, &version.next().marker).await.unwrap().is_none());
    // A person puts an older version back: it is told by its value, as the comment is no longer true.
    clock.advance(Seconds::minutes(10));
    let older = version.next();
    bench.by_hand(&place, older.secret.expose()).await;
    let held = held(&sink, &place).await;
    assert_eq!(held.fingerprint, Some(older.marker.fingerprint));
    assert_eq!(held.lagging, None);
}

#[tokio::test]
async fn a_policy_that_makes_rows_sensitive_is_told_after_the_run() {
    let (bench, sink) = started().await;
    bench.vercel.vendor().policy();
    let place = readable(&sink, "API_TOKEN", Environment::Production).await;
    let version = Version::first();
    let receipt = write(&sink, &place, &version, &Seen::Absent).await.unwrap();
    assert!(receipt.0.ends_with(" sensitive"), "{receipt:?}");
    assert!(sink.read(&place, &version.marker).await.unwrap().is_none());
    assert_eq!(held(&sink, &place).await.fingerprint, Some(version.marker.fingerprint.clone()));
    let told = sink.written(&[&place]).await.unwrap().unwrap();
    assert!(told.contains("`API_TOKEN`") && told.contains("cannot be read back"), "{told}");
    assert!(told.contains("sensitive (type Secret on Vercel)") && told.contains("type Config"), "{told}");
    assert_eq!(sink.written(&[&place]).await.unwrap(), None, "said once");
    // What is sensitive stays so, also where the push says otherwise.
    let seen = look(&sink, &place).await.unwrap();
    write(&sink, &place, &version.next(), &seen).await.unwrap();
}

#[tokio::test]
async fn a_variable_that_exists_is_told_apart_from_a_missing_right() {
    let (bench, sink) = started().await;
    let place = place(&sink, "API_TOKEN", Environment::Production).await;
    let version = Version::first();
    for (status, code) in [(403, "ENV_ALREADY_EXISTS"), (400, "ENV_ALREADY_EXISTS"), (403, "env_already_exists")] {
        bench.vercel.vendor().refuse_rows(status, code);
        let refused = write(&sink, &place, &version, &Seen::Absent).await;
        assert!(matches!(refused, Err(SinkError::Changed)), "{status} {code}: {refused:?}");
    }
    bench.vercel.vendor().refuse_rows(403, "forbidden");
    let refused = write(&sink, &place, &version, &Seen::Absent).await;
    let refused = refused.map_err(SinkError::of_write);
    assert!(matches!(refused, Err((SinkError::Denied { .. }, true))), "{refused:?}");
}

#[tokio::test]
async fn a_custom_environment_that_is_not_there_is_absent_and_cannot_be_written() {
    let (_bench, sink) = started().await;
    let place = place(&sink, "API_TOKEN", Environment::Custom("staging".to_owned())).await;
    assert_eq!(look(&sink, &place).await.unwrap(), Seen::Absent);
    let told = words(sink.prepare(&[&place]).await.remove(0), &[]);
    assert!(told.contains("no custom environment `staging`"), "{told}");
    let version = Version::first();
    words(write(&sink, &place, &version, &Seen::Absent).await, &[&version]);
}

#[tokio::test]
async fn the_deploy_hook_is_called_once_and_never_shown() {
    let bench = VercelBench::start().await;
    let sink = bench.sink_for(&bench.with_hook());
    let places = [place(&sink, "A", Environment::Production).await, place(&sink, "B", Environment::Production).await];
    assert_eq!(sink.written(&[]).await.unwrap(), None, "nothing was written, so nothing is deployed");
    let told = sink.written(&[&places[0], &places[1]]).await.unwrap().unwrap();
    assert_eq!(told, "started a deployment of `acme-web`, which reads what was written");
    assert_eq!(bench.vercel.vendor().hooked(), 1);
    assert!(!format!("{sink:?}").contains("hunter2"));
}

/// Whoever pastes an older value into a row leaves its comment, and Vercel's times are only so exact.
#[tokio::test]
async fn a_readable_row_is_told_by_its_value_however_fresh_its_marker_is() {
    let (bench, sink) = started().await;
    let place = readable(&sink, "API_TOKEN", Environment::Production).await;
    let older = Version::first();
    let newer = older.next();
    write(&sink, &place, &newer, &Seen::Absent).await.unwrap();
    bench.vercel.vendor().by_hand("API_TOKEN", "production", None, older.secret.expose());
    let seen = held(&sink, &place).await;
    assert_eq!(seen.fingerprint.as_ref(), Some(&older.marker.fingerprint));
    // And mending it writes, although the comment shows the version already.
    write(&sink, &place, &newer, &Seen::Holds(seen)).await.unwrap();
    assert_eq!(bench.value(&place).await.as_deref(), Some(newer.secret.expose()));
}
