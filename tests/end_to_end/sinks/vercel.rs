//! The sink for Vercel on its fake.

use std::sync::Arc;

use latchkey::lifetime::Seconds;
use latchkey::place::Place;
use latchkey_sinks::conformance::{Bench as _, On, Trouble};
use latchkey_sinks::deadline::Deadline;
use latchkey_sinks::vercel::{Environment, Settings};
use latchkey_sinks::{DeclaredSink as _, ForgottenBranches, PushDeclaration, Seen, SeenEntry, Sink as _, SinkError};
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
async fn consumers_lag_until_a_deployment_of_their_environment_is_newer() {
    let (bench, sink) = started().await;
    let vendor = bench.vercel.vendor();
    let production = place(&sink, "API_TOKEN", Environment::Production).await;
    let next = place(&sink, "API_TOKEN", preview(Some("next"))).await;
    let development = readable(&sink, "API_TOKEN", Environment::Development).await;
    let version = Version::first();
    let write_everywhere = |version: &Version| {
        let (sink, places) = (&sink, [&production, &next, &development]);
        let marker = version.marker.clone();
        let version = Version { secret: latchkey::secret::Secret::parse(version.secret.expose()).unwrap(), marker };
        async move {
            for place in places {
                let seen = look(sink, place).await.unwrap();
                write(sink, place, &version, &seen).await.unwrap();
            }
        }
    };
    write_everywhere(&version).await;
    // Nothing was ever deployed, so nobody reads anything older.
    assert_eq!(held(&sink, &production).await.lagging, None);
    vendor.deploy("production", None);
    vendor.deploy("preview", Some("next"));
    assert_eq!(held(&sink, &production).await.lagging, None);
    write_everywhere(&version.next()).await;
    let asked = || ["GET /v9/projects/acme-web", "GET /v6/deployments"].map(|call| bench.vercel.count(call));
    let [project, list] = asked();
    let looks = sink.look(&[&production, &next, &development]).await;
    assert_eq!(asked(), [project + 1, list + 1], "one question a project and one for previews, none for development");
    let lagging: Vec<bool> =
        looks.iter().map(|seen| matches!(seen, Ok(Seen::Holds(SeenEntry { lagging: Some(_), .. })))).collect();
    assert_eq!(lagging, [true, true, false]);
    assert_eq!(vendor.serving("API_TOKEN", "production", None).as_deref(), Some(version.secret.expose()));
    // Others do not help: one that still builds, one that serves nobody, one of another branch.
    vendor.deployment("production", None, "BUILDING", "PROMOTED");
    vendor.deployment("production", None, "READY", "STAGED");
    vendor.deploy("preview", Some("other"));
    assert!(held(&sink, &production).await.lagging.unwrap().contains("no production deployment"));
    assert!(held(&sink, &next).await.lagging.unwrap().contains("of `next`"));
    vendor.deploy("production", None);
    vendor.deploy("preview", Some("next"));
    assert_eq!(held(&sink, &production).await.lagging, None);
    assert_eq!(held(&sink, &next).await.lagging, None);
    vendor.hide_deployments();
    let blind = held(&sink, &production).await;
    assert!(blind.lagging.unwrap().contains("cannot be read"), "what cannot be seen may lag");
    assert!(blind.fingerprint.is_some());
}

/// Whether consumers of a place are waited for, and why.
async fn waits(sink: &Sink, place: &Place) -> Option<String> {
    held(sink, place).await.lagging
}

/// Writes the next version to a place that shows one.
async fn rotate(sink: &Sink, place: &Place, version: &Version) -> Version {
    let (next, seen) = (version.next(), look(sink, place).await.unwrap());
    write(sink, place, &next, &seen).await.unwrap();
    next
}

#[tokio::test]
async fn every_branch_with_a_preview_is_waited_for_by_name() {
    let (bench, sink) = started().await;
    let vendor = bench.vercel.vendor();
    let place = place(&sink, "API_TOKEN", preview(None)).await;
    let first = Version::first();
    write(&sink, &place, &first, &Seen::Absent).await.unwrap();
    for branch in [Some("staging"), Some("fix-typo"), Some("merged"), Some("deleted"), None] {
        vendor.deploy("preview", branch);
    }
    vendor.deploy("production", None);
    assert_eq!(waits(&sink, &place).await, None);
    rotate(&sink, &place, &first).await;
    vendor.delete_previews("deleted");
    // A newer preview of another branch, and one that is not ready, help nobody.
    vendor.deploy("preview", Some("fix-typo"));
    vendor.deployment("preview", Some("staging"), "ERROR", "PROMOTED");
    let why = waits(&sink, &place).await.unwrap();
    assert!(why.starts_with("no preview deployment of `@`, `merged`, `staging` is newer than the variable"), "{why}");
    assert_eq!(vendor.serving("API_TOKEN", "preview", Some("staging")).as_deref(), Some(first.secret.expose()));
    // However many deployments there are, and whichever page a branch is on.
    vendor.deployment_pages(2);
    let before = bench.vercel.count("GET /v6/deployments");
    assert_eq!(waits(&sink, &place).await.as_deref(), Some(why.as_str()));
    assert!(bench.vercel.count("GET /v6/deployments") > before + 1);
    vendor.deploy("preview", Some("staging"));
    vendor.deploy("preview", None);
    let why = waits(&sink, &place).await.unwrap();
    assert!(why.starts_with("no preview deployment of `merged` is newer") && why.contains("--forget-branch"), "{why}");
    vendor.deploy("preview", Some("merged"));
    assert_eq!(waits(&sink, &place).await, None);
}

#[tokio::test]
async fn a_push_names_the_branches_that_count_and_a_run_those_that_do_not() {
    let (bench, sink) = started().await;
    let vendor = bench.vercel.vendor();
    let named = |branches: &[&str]| PushDeclaration {
        environment: Some(preview(None)),
        branches: Some(branches.iter().map(|branch| (*branch).to_owned()).collect()),
        ..PushDeclaration::plain("web", "API_TOKEN")
    };
    let place = sink.place(&named(&["staging", "qa"])).await.unwrap();
    assert_eq!(
        place.id(),
        super::vercel::place(&bench.sink_for(&bench.settings()), "API_TOKEN", preview(None)).await.id()
    );
    let first = Version::first();
    write(&sink, &place, &first, &Seen::Absent).await.unwrap();
    for branch in ["staging", "qa", "merged"] {
        vendor.deploy("preview", Some(branch));
    }
    rotate(&sink, &place, &first).await;
    let why = waits(&sink, &place).await.unwrap();
    assert!(why.starts_with("no preview deployment of `qa`, `staging` is newer"), "{why}");
    vendor.deploy("preview", Some("qa"));
    let forgotten = Arc::new(ForgottenBranches::new(["staging", "slip"].map(str::to_owned).into()));
    sink.forget_branches(&forgotten);
    assert_eq!(waits(&sink, &place).await, None);
    assert_eq!(forgotten.unmet(), ["slip"]);
    // Declared without them, all count.
    let all = PushDeclaration { branches: None, ..named(&[]) };
    let place = sink.place(&all).await.unwrap();
    assert!(waits(&sink, &place).await.unwrap().starts_with("no preview deployment of `merged` is newer"));
}

#[tokio::test]
async fn a_branch_with_a_row_of_its_own_reads_that_one() {
    let (bench, sink) = started().await;
    let vendor = bench.vercel.vendor();
    let (general, own) =
        (place(&sink, "API_TOKEN", preview(None)).await, place(&sink, "API_TOKEN", preview(Some("next"))).await);
    let first = Version::first();
    write(&sink, &general, &first, &Seen::Absent).await.unwrap();
    // This one still read the row for all branches.
    vendor.deploy("preview", Some("next"));
    write(&sink, &own, &Version::first(), &Seen::Absent).await.unwrap();
    rotate(&sink, &general, &first).await;
    assert!(waits(&sink, &general).await.unwrap().contains("of `next`"));
    vendor.deploy("preview", Some("next"));
    rotate(&sink, &general, &first.next()).await;
    assert_eq!(waits(&sink, &general).await, None, "it was made with the row of its own");
}

#[tokio::test]
async fn production_is_told_by_the_deployment_that_is_live() {
    let (bench, sink) = started().await;
    let vendor = bench.vercel.vendor();
    let place = place(&sink, "API_TOKEN", Environment::Production).await;
    let first = Version::first();
    write(&sink, &place, &first, &Seen::Absent).await.unwrap();
    vendor.deploy("production", None);
    vendor.deployment("production", None, "READY", "STAGED");
    let second = rotate(&sink, &place, &first).await;
    vendor.deploy("production", None);
    assert_eq!(waits(&sink, &place).await, None);
    // Gone back in an incident.
    vendor.roll_back(0);
    assert_eq!(vendor.serving("API_TOKEN", "production", None).as_deref(), Some(first.secret.expose()));
    assert!(waits(&sink, &place).await.unwrap().contains("rolled back"));
    // Until a person moves it again, what is deployed serves nobody.
    vendor.deploy("production", None);
    assert!(waits(&sink, &place).await.unwrap().contains("rolled back"));
    vendor.promote(3);
    assert_eq!(waits(&sink, &place).await, None);
    assert_eq!(vendor.serving("API_TOKEN", "production", None).as_deref(), Some(second.secret.expose()));
    // One that was made before the variable is used only now.
    vendor.promote(1);
    assert!(waits(&sink, &place).await.unwrap().contains("no production deployment is newer"));
    // An older commit that is built again reads what is there now.
    vendor.deploy("production", None);
    assert_eq!(waits(&sink, &place).await, None);
}

#[tokio::test]
async fn a_custom_environment_is_told_by_its_own_deployments() {
    let (bench, sink) = started().await;
    let vendor = bench.vercel.vendor();
    vendor.environment("env_staging", "staging");
    let place = place(&sink, "API_TOKEN", Environment::Custom("staging".to_owned())).await;
    let first = Version::first();
    write(&sink, &place, &first, &Seen::Absent).await.unwrap();
    vendor.deploy("staging", Some("main"));
    vendor.deploy("staging", Some("release"));
    rotate(&sink, &place, &first).await;
    vendor.deploy("preview", Some("release"));
    vendor.deploy("staging", Some("main"));
    let why = waits(&sink, &place).await.unwrap();
    assert!(why.starts_with("no staging deployment of `release` is newer"), "{why}");
    vendor.deploy("staging", Some("release"));
    assert_eq!(waits(&sink, &place).await, None);
    // Its address was moved back to the first.
    vendor.names("staging", 0);
    assert!(waits(&sink, &place).await.unwrap().contains("the staging deployment that is live is older"));
    vendor.names("staging", 3);
    assert_eq!(waits(&sink, &place).await, None);
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
async fn every_shape_of_a_list_is_read() {
    let (bench, sink) = started().await;
    let place = place(&sink, "API_TOKEN", Environment::Production).await;
    let version = Version::first();
    write(&sink, &place, &version, &Seen::Absent).await.unwrap();
    bench.vercel.vendor().alone();
    assert_eq!(held(&sink, &place).await.fingerprint, Some(version.marker.fingerprint.clone()));
    for number in 0..10 {
        bench.vercel.vendor().foreign(&json!({ "key": format!("THEIRS_{number}"), "target": ["production"] }));
    }
    bench.vercel.vendor().pages(3);
    let before = bench.vercel.count("GET /v10/");
    assert_eq!(held(&sink, &place).await.fingerprint, Some(version.marker.fingerprint));
    assert_eq!(bench.vercel.count("GET /v10/") - before, 4, "11 rows by threes");
}

#[tokio::test]
async fn a_team_is_named_by_id_or_slug_and_a_missing_one_is_told() {
    let bench = VercelBench::start().await;
    bench.vercel.vendor().team("team_1a2b3c", "acme");
    for team in ["acme", "team_1a2b3c"] {
        let sink = bench.sink_for(&Settings { team: Some(team.to_owned()), ..bench.settings() });
        let place = place(&sink, "API_TOKEN", Environment::Production).await;
        assert_eq!(place.part("team"), Some(team));
        assert_eq!(look(&sink, &place).await.unwrap(), Seen::Absent);
        assert!(sink.reaches(&place).await);
    }
    let sink = bench.sink_for(&bench.settings());
    let place = place(&sink, "API_TOKEN", Environment::Production).await;
    let told = words(look(&sink, &place).await, &[]);
    assert!(
        told.contains("not allowed to read the variables of `acme-web`") && told.contains("needs `team`"),
        "{told}"
    );
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

#[tokio::test]
async fn limits_are_waited_for_as_the_answers_say() {
    let (bench, sink) = started().await;
    let place = place(&sink, "API_TOKEN", Environment::Production).await;
    let version = Version::first();
    for (wait, least) in [(Some(9), 9), (None, 7)] {
        let before = slept();
        bench.vercel.meets(Trouble::Throttled(wait), On::Write);
        let seen = look(&sink, &place).await.unwrap();
        write(&sink, &place, &version.next(), &seen).await.unwrap();
        let waited = slept().saturating_sub(before).as_secs();
        assert!((least - 1..least + 3).contains(&waited), "{waited} s for {wait:?}");
    }
    // A change does not sit out a longer one, as what it was compared with would be old; the next list does.
    bench.vercel.meets(Trouble::Throttled(Some(40)), On::Write);
    let (before, newer) = (slept(), version.next());
    let seen = look(&sink, &place).await.unwrap();
    assert!(matches!(write(&sink, &place, &newer, &seen).await, Err(SinkError::Late)));
    write(&sink, &place, &newer, &seen).await.unwrap();
    assert!(slept().saturating_sub(before).as_secs() >= 39);
    // One that lasts longer than the write may take is not waited for.
    bench.vercel.meets(Trouble::Throttled(Some(600)), On::Write);
    let seen = look(&sink, &place).await.unwrap();
    let changes = bench.changes().await;
    words(write(&sink, &place, &version, &seen).await, &[&version]);
    assert_eq!(bench.changes().await, changes);
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_found_by_looking() {
    let (bench, sink) = started().await;
    let place = place(&sink, "API_TOKEN", Environment::Production).await;
    let version = Version::first();
    bench.vercel.meets(Trouble::Unanswered, On::Write);
    write(&sink, &place, &version, &Seen::Absent).await.unwrap();
    assert_eq!(bench.changes().await, 1);
    bench.vercel.meets(Trouble::Unheard, On::Write);
    let other = super::vercel::place(&sink, "OTHER", Environment::Production).await;
    let told = words(write(&sink, &other, &version, &Seen::Absent).await, &[&version]);
    assert!(told.contains("did not answer"), "{told}");
    for trouble in [Trouble::Unanswered, Trouble::Unheard, Trouble::Broken(500), Trouble::Broken(503)] {
        let next = version.next();
        bench.vercel.meets(trouble, On::Write);
        let seen = look(&sink, &place).await.unwrap();
        write(&sink, &place, &next, &seen).await.unwrap_or_else(|error| panic!("{trouble:?}: {error}"));
        assert_eq!(bench.value(&place).await.as_deref(), Some(next.secret.expose()), "{trouble:?}");
    }
    bench.vercel.meets(Trouble::Unanswered, On::Write);
    let seen = look(&sink, &place).await.unwrap();
    remove(&sink, &place, &seen).await.unwrap();
    assert_eq!(look(&sink, &place).await.unwrap(), Seen::Absent);
}

#[tokio::test]
async fn a_login_that_ends_half_way_is_read_once_more() {
    let (bench, sink) = started().await;
    let place = place(&sink, "API_TOKEN", Environment::Production).await;
    assert_eq!(look(&sink, &place).await.unwrap(), Seen::Absent);
    bench.renew("fresh-login");
    let version = Version::first();
    write(&sink, &place, &version, &Seen::Absent).await.unwrap();
    // Another one that the file does not hold is asked for no third time.
    bench.vercel.vendor().accept("nobody-knows");
    let before = bench.vercel.requests();
    let told = words(look(&sink, &place).await, &[]);
    assert!(told.starts_with("Vercel does not accept the credentials from the file `"), "{told}");
    assert!(!told.contains("fresh-login"));
    assert_eq!(bench.vercel.requests(), before + 1);
}

#[tokio::test]
async fn nothing_is_sent_when_it_is_too_late() {
    let (bench, sink) = started().await;
    let place = place(&sink, "API_TOKEN", Environment::Production).await;
    let version = Version::first();
    let over = Deadline::by(tests::sinks::elapsed, std::time::Duration::ZERO);
    let write = latchkey_sinks::Write {
        place: &place,
        secret: &version.secret,
        marker: &version.marker,
        token_name: "production-api",
        manifest: "acme-platform",
        seen: &Seen::Absent,
    };
    assert!(over.has_passed() && !soon().has_passed());
    assert!(matches!(sink.write(&[write], over).await.remove(0), Err(SinkError::Late)));
    assert_eq!(bench.vercel.requests(), 0);
}
