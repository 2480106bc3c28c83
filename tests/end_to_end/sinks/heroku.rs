//! The sink for Heroku on its fake.

use latchkey::place::Place;
use latchkey_sinks::conformance::{Bench as _, On, Trouble};
use latchkey_sinks::heroku::{HOST, Settings, Stage, Target};
use latchkey_sinks::host::Queues;
use latchkey_sinks::transport::Address;
use latchkey_sinks::{DeclaredSink as _, PushDeclaration, Removal, Seen, Sink as _, SinkError};
use tests::sinks::heroku::{HerokuBench, PIPELINE};
use tests::sinks::slept;

use super::{Version, held, look, remove, soon, words, write, write_all};

type Sink = latchkey_sinks::heroku::Heroku;

const APP: &str = "acme-worker";

fn app() -> Target {
    Target::App(APP.to_owned())
}

async fn place(sink: &Sink, name: &str) -> Place {
    sink.place(&PushDeclaration::plain("worker", name)).await.unwrap()
}

async fn started() -> (HerokuBench, Sink) {
    let bench = HerokuBench::start().await;
    let sink = bench.sink_for(app());
    (bench, sink)
}

#[tokio::test]
async fn all_entries_of_a_run_make_one_release_and_what_is_there_makes_none() {
    let (bench, sink) = started().await;
    let vendor = bench.heroku.vendor();
    vendor.by_hand(APP, "THEIRS", Some("kept"));
    let (one, two) = (place(&sink, "ONE").await, place(&sink, "TWO").await);
    let (first, second) = (Version::first(), Version::first());
    let releases = vendor.releases(APP);
    for result in write_all(&sink, &[(&one, &first, &Seen::Absent), (&two, &second, &Seen::Absent)]).await {
        result.unwrap();
    }
    assert_eq!((vendor.releases(APP), bench.heroku.count("PATCH")), (releases + 1, 1));
    assert_eq!(vendor.running(APP, "ONE").as_deref(), Some(first.secret.expose()));
    assert_eq!(vendor.running(APP, "TWO").as_deref(), Some(second.secret.expose()));
    let held = held(&sink, &one).await;
    assert_eq!(
        (held.fingerprint, held.token_id),
        (Some(first.marker.fingerprint.clone()), Some(first.marker.token_id.clone()))
    );
    assert_eq!(sink.read(&one, &first.marker).await.unwrap().unwrap().expose(), first.secret.expose());
    assert!(sink.read(&one, &second.marker).await.unwrap().is_none());
    // The same once more: nothing is sent.
    let seen = look(&sink, &one).await.unwrap();
    for seen in [Seen::Absent, seen] {
        write(&sink, &one, &first, &seen).await.unwrap();
    }
    assert_eq!((vendor.releases(APP), bench.heroku.count("PATCH")), (releases + 1, 1));
    // One that is there and one that is not: only that one is sent.
    let next = second.next();
    let (seen_one, seen_two) = (look(&sink, &one).await.unwrap(), look(&sink, &two).await.unwrap());
    let _ = write_all(&sink, &[(&one, &first, &seen_one), (&two, &next, &seen_two)]).await;
    assert_eq!(vendor.releases(APP), releases + 2);
    // Removals go together too.
    let (seen_one, seen_two) = (look(&sink, &one).await.unwrap(), look(&sink, &two).await.unwrap());
    let removals = [Removal { place: &one, seen: &seen_one }, Removal { place: &two, seen: &seen_two }];
    for result in sink.remove(&removals, soon()).await {
        result.unwrap();
    }
    assert_eq!(vendor.releases(APP), releases + 3);
    assert_eq!(look(&sink, &one).await.unwrap(), Seen::Absent);
    remove(&sink, &one, &seen_one).await.unwrap();
    assert_eq!(vendor.releases(APP), releases + 3);
    assert_eq!(vendor.value(APP, "THEIRS").as_deref(), Some("kept"));
}

#[tokio::test]
async fn what_somebody_changed_since_the_look_stays_and_the_rest_is_written() {
    let (bench, sink) = started().await;
    let (one, two) = (place(&sink, "ONE").await, place(&sink, "TWO").await);
    bench.by_hand(&one, "theirs").await;
    let version = Version::first();
    let mut results = write_all(&sink, &[(&one, &version, &Seen::Absent), (&two, &version, &Seen::Absent)]).await;
    results.pop().unwrap().unwrap();
    assert!(matches!(results.pop().unwrap(), Err(SinkError::Changed)));
    assert_eq!(bench.value(&one).await.as_deref(), Some("theirs"));
    let foreign = held(&sink, &one).await;
    assert_eq!(foreign.token_id, None);
    assert!(foreign.fingerprint.is_some_and(|fingerprint| fingerprint != version.marker.fingerprint));
}

#[tokio::test]
async fn a_release_is_waited_for_and_out_of_sight_until_it_has_finished() {
    let (bench, sink) = started().await;
    let vendor = bench.heroku.vendor();
    let place = place(&sink, "API_TOKEN").await;
    let version = Version::first();
    vendor.release_pending(9);
    let before = slept();
    write(&sink, &place, &version, &Seen::Absent).await.unwrap();
    assert_eq!(vendor.running(APP, "API_TOKEN").as_deref(), Some(version.secret.expose()));
    assert!(slept().saturating_sub(before).as_secs() >= 15, "it asked again at intervals");
    // Somebody else's release is under way.
    vendor.release_pending(3);
    let seen = look(&sink, &place).await.unwrap();
    let (next, late) = (version.next(), bench.sink_for(app()));
    let (_, while_pending) = tokio::join!(write(&sink, &place, &next, &seen), async {
        tokio::task::yield_now().await;
        while bench.heroku.count("PATCH") < 2 {
            tokio::task::yield_now().await;
        }
        look(&late, &place).await
    });
    if let Err(error) = while_pending {
        assert!(error.to_string().contains("has not finished"), "{error}");
    }
    assert_eq!(held(&sink, &place).await.fingerprint, Some(next.marker.fingerprint.clone()));
}

#[tokio::test]
async fn a_release_that_never_finishes_is_given_up_after_twenty_minutes() {
    let (bench, sink) = started().await;
    bench.heroku.vendor().release_pending(10_000);
    let place = place(&sink, "API_TOKEN").await;
    let version = Version::first();
    let before = slept();
    let told = words(write(&sink, &place, &version, &Seen::Absent).await, &[&version]);
    assert!(told.contains("release v2 has not finished"), "{told}");
    let waited = slept().saturating_sub(before).as_secs();
    assert!((1190..1300).contains(&waited), "{waited} s");
    assert!(words(look(&sink, &place).await, &[]).contains("has not finished"));
}

#[tokio::test]
async fn a_release_that_failed_leaves_dynos_with_the_older_value() {
    let (bench, sink) = started().await;
    let vendor = bench.heroku.vendor();
    let (moved, still) = (place(&sink, "MOVED").await, place(&sink, "STILL").await);
    let version = Version::first();
    for place in [&moved, &still] {
        write(&sink, place, &version, &Seen::Absent).await.unwrap();
    }
    let (next, seen) = (version.next(), look(&sink, &moved).await.unwrap());
    vendor.release_fails(3);
    let told = words(write(&sink, &moved, &next, &seen).await, &[&version, &next]);
    assert!(told.contains("release v4 failed, so dynos still run v3 with the older value"), "{told}");
    assert!(told.contains("heroku releases:output v4"), "{told}");
    assert_eq!(vendor.running(APP, "MOVED").as_deref(), Some(version.secret.expose()));
    assert_eq!(vendor.value(APP, "MOVED").as_deref(), Some(next.secret.expose()));
    // That entry is out of sight; one that is the same in both releases is not.
    assert!(words(look(&sink, &moved).await, &[&version, &next]).contains("v4 failed"));
    assert_eq!(held(&sink, &still).await.fingerprint, Some(version.marker.fingerprint.clone()));
    vendor.deploy(APP);
    assert_eq!(held(&sink, &moved).await.fingerprint, Some(next.marker.fingerprint.clone()));
}

#[tokio::test]
async fn a_pipeline_s_stages_have_entries_of_their_own() {
    let bench = HerokuBench::start().await;
    let stage = |stage| Target::Pipeline { id: PIPELINE.to_owned(), stage };
    let (test, review) = (bench.sink_for(stage(Stage::Test)), bench.sink_for(stage(Stage::Review)));
    assert!(!test.capabilities().restarts);
    let version = Version::first();
    for sink in [&test, &review] {
        let place = place(sink, "API_TOKEN").await;
        assert!(sink.reaches(&place).await);
        sink.prepare(&[&place]).await.remove(0).unwrap();
        write(sink, &place, &version, &Seen::Absent).await.unwrap();
        assert_eq!(held(sink, &place).await.fingerprint, Some(version.marker.fingerprint.clone()));
    }
    let place_of_test = place(&test, "API_TOKEN").await;
    assert!(!review.reaches(&place_of_test).await);
    let seen = look(&test, &place_of_test).await.unwrap();
    remove(&test, &place_of_test, &seen).await.unwrap();
    assert_eq!(bench.heroku.vendor().stage("test", "API_TOKEN"), None);
    assert_eq!(bench.heroku.vendor().stage("review", "API_TOKEN").as_deref(), Some(version.secret.expose()));
    assert_eq!(bench.heroku.count("GET /apps"), 0, "a pipeline has no releases");
}

/// A stage of a pipeline, and its sink.
async fn staged(stage: Stage) -> (HerokuBench, Sink) {
    let bench = HerokuBench::start().await;
    let sink = bench.sink_for(Target::Pipeline { id: PIPELINE.to_owned(), stage });
    (bench, sink)
}

#[tokio::test]
async fn review_apps_that_exist_are_waited_for_by_name_until_none_has_an_older_value() {
    let (bench, sink) = staged(Stage::Review).await;
    let vendor = bench.heroku.vendor();
    let (token, other) = (place(&sink, "API_TOKEN").await, place(&sink, "OTHER").await);
    let waits = async || held(&sink, &token).await.lagging;
    // Made before there was a token, with a value of their own, and with the version that is there.
    vendor.review_app("early", 1);
    let first = Version::first();
    write(&sink, &token, &first, &Seen::Absent).await.unwrap();
    write(&sink, &other, &Version::first(), &Seen::Absent).await.unwrap();
    let own = vendor.review_app("own-value", 2);
    vendor.by_hand(&own, "API_TOKEN", Some("a-stub"));
    let (typo, big) = (vendor.review_app("fix-typo", 24), vendor.review_app("big", 25));
    assert_eq!(waits().await, None);
    let (next, seen) = (first.next(), look(&sink, &token).await.unwrap());
    write(&sink, &token, &next, &seen).await.unwrap();
    assert_eq!(vendor.running(&typo, "API_TOKEN").as_deref(), Some(first.secret.expose()));
    vendor.review_app("late", 26);
    vendor.parts(2);
    let why = waits().await.unwrap();
    assert_eq!(why, "the review apps `fix-typo` #24, `big` #25 may still use an older value, copied from here");
    assert_eq!(held(&sink, &other).await.lagging, None, "each entry by itself");
    // One is closed, the other one set by hand, whose release fails at first.
    vendor.close_review("fix-typo");
    vendor.by_hand(&big, "API_TOKEN", Some(next.secret.expose()));
    assert_eq!(waits().await, None);
    // What nobody can tell is waited for.
    vendor.hide_app(&big);
    assert!(waits().await.unwrap().contains("the review app `big` #25 (its config vars cannot be read)"));
    vendor.close_review("big");
    vendor.review_status("late", "pending");
    assert!(waits().await.unwrap().contains("`late` #26 (being created)"));
    vendor.review_status("late", "deleted");
    assert_eq!(waits().await, None);
}

#[tokio::test]
async fn a_review_app_whose_newest_release_failed_uses_what_it_had() {
    let (bench, sink) = staged(Stage::Review).await;
    let vendor = bench.heroku.vendor();
    let token = place(&sink, "API_TOKEN").await;
    let first = Version::first();
    write(&sink, &token, &first, &Seen::Absent).await.unwrap();
    let app = vendor.review_app("fix-typo", 24);
    let (next, seen) = (first.next(), look(&sink, &token).await.unwrap());
    write(&sink, &token, &next, &seen).await.unwrap();
    // A person sets the new value there, and its release fails.
    let by_person = bench.sink_for(Target::App(app.clone()));
    let there = place(&by_person, "API_TOKEN").await;
    let seen = look(&by_person, &there).await.unwrap();
    vendor.release_fails(0);
    words(write(&by_person, &there, &next, &seen).await, &[&first, &next]);
    assert_eq!(vendor.value(&app, "API_TOKEN").as_deref(), Some(next.secret.expose()));
    assert_eq!(vendor.running(&app, "API_TOKEN").as_deref(), Some(first.secret.expose()));
    assert!(held(&sink, &token).await.lagging.unwrap().contains("`fix-typo` #24"));
    vendor.deploy(&app);
    assert_eq!(held(&sink, &token).await.lagging, None);
}

#[tokio::test]
async fn a_ci_run_that_has_not_ended_is_waited_for() {
    let (bench, sink) = staged(Stage::Test).await;
    let vendor = bench.heroku.vendor();
    let token = place(&sink, "API_TOKEN").await;
    vendor.ci_run(11, "main", "succeeded");
    write(&sink, &token, &Version::first(), &Seen::Absent).await.unwrap();
    assert_eq!(held(&sink, &token).await.lagging, None);
    for status in ["pending", "creating", "building", "running", "debugging"] {
        vendor.ci_run(12, "next", status);
        let why = held(&sink, &token).await.lagging.unwrap();
        assert!(why.starts_with("the CI run `next` #12 (it has not ended)"), "{status}: {why}");
    }
    for status in ["succeeded", "failed", "errored", "cancelled"] {
        vendor.ci_run(12, "next", status);
        assert_eq!(held(&sink, &token).await.lagging, None, "{status}");
    }
}

/// What an app contains in place of a secret may hold one all the same.
#[tokio::test]
async fn a_longer_text_that_contains_a_secret_is_not_taken_for_none() {
    let (bench, sink) = started().await;
    let place = place(&sink, "API_TOKEN").await;
    let version = Version::first();
    write(&sink, &place, &version, &Seen::Absent).await.unwrap();
    bench.by_hand(&place, &format!("https://ci:{}@api.example.com", version.secret.expose())).await;
    let within = held(&sink, &place).await;
    assert_eq!(within.token_id.as_ref(), Some(&version.marker.token_id));
    assert_ne!(within.fingerprint.as_ref(), Some(&version.marker.fingerprint));
    assert!(within.lagging.clone().unwrap().contains("contains a token's secret"));
    write(&sink, &place, &version, &Seen::Holds(within)).await.unwrap();
    assert_eq!(held(&sink, &place).await.lagging, None);
}

#[tokio::test]
async fn what_cannot_go_well_is_told_before_anything_is_staged() {
    let (bench, sink) = started().await;
    let vendor = bench.heroku.vendor();
    let place = place(&sink, "API_TOKEN").await;
    sink.prepare(&[&place]).await.remove(0).unwrap();
    vendor.scopes("read-protected");
    let told = words(sink.prepare(&[&place]).await.remove(0), &[]);
    assert!(told.contains("allowed to read the config vars") && told.contains("write-protected"), "{told}");
    let version = Version::first();
    let told = words(write(&sink, &place, &version, &Seen::Absent).await, &[&version]);
    assert!(
        told.contains("not allowed to change the config vars of app `acme-worker` (403 `forbidden`, request `"),
        "{told}"
    );
    vendor.scopes("global");
    vendor.left(5);
    let told = words(sink.prepare(&[&place]).await.remove(0), &[]);
    assert!(told.contains("has 5 requests left"), "{told}");
    vendor.left(4000);
    vendor.by_hand(APP, "LARGE", Some(&"x".repeat(32 * 1024 - 60)));
    let told = words(sink.prepare(&[&place]).await.remove(0), &[]);
    assert!(told.contains("more than 32 KB"), "{told}");
    let before = vendor.releases(APP);
    words(write(&sink, &place, &version, &Seen::Absent).await, &[&version]);
    assert_eq!(vendor.releases(APP), before);
    let nowhere = bench.sink_for(Target::App("nobody-s-app".to_owned()));
    let told = words(nowhere.prepare(&[&place]).await.remove(0), &[]);
    assert!(told.contains("app `nobody-s-app` was not found"), "{told}");
}

#[tokio::test]
async fn no_refusal_repeats_a_value() {
    let (bench, sink) = started().await;
    // A name that no manifest gets through; the fake repeats the value, as vendors do.
    let place = place(&sink, "HEROKU_TOKEN").await;
    let version = Version::first();
    let told = words(write(&sink, &place, &version, &Seen::Absent).await, &[&version]);
    assert!(told.contains("422 `invalid_params`, request `"), "{told}");
    assert_eq!(bench.heroku.vendor().releases(APP), 1);
}

#[tokio::test]
async fn trouble_on_the_way_costs_no_second_release() {
    let (bench, sink) = started().await;
    let vendor = bench.heroku.vendor();
    let place = place(&sink, "API_TOKEN").await;
    let mut version = Version::first();
    for trouble in [
        Trouble::Unanswered,
        Trouble::Unheard,
        Trouble::Broken(503),
        Trouble::Throttled(Some(9)),
        Trouble::Throttled(None),
    ] {
        version = version.next();
        let (seen, releases) = (look(&sink, &place).await.unwrap(), vendor.releases(APP));
        bench.heroku.meets(trouble, On::Write);
        write(&sink, &place, &version, &seen).await.unwrap_or_else(|error| panic!("{trouble:?}: {error}"));
        assert_eq!(vendor.running(APP, "API_TOKEN").as_deref(), Some(version.secret.expose()), "{trouble:?}");
        assert_eq!(vendor.releases(APP), releases + 1, "{trouble:?}");
    }
    bench.heroku.meets(Trouble::Throttled(Some(9)), On::Read);
    look(&sink, &place).await.unwrap();
}

#[tokio::test]
async fn a_login_that_ends_half_way_is_read_once_more() {
    let (bench, sink) = started().await;
    let place = place(&sink, "API_TOKEN").await;
    look(&sink, &place).await.unwrap();
    bench.renew("fresh-login");
    let version = Version::first();
    write(&sink, &place, &version, &Seen::Absent).await.unwrap();
    bench.heroku.vendor().accept("nobody-knows");
    let told = words(look(&sink, &place).await, &[]);
    assert!(
        told.starts_with("Heroku does not accept the credentials from the file `") && !told.contains("fresh-login"),
        "{told}"
    );
}

#[tokio::test]
async fn the_fake_is_as_strict_as_heroku_and_its_contract_is_held() {
    let (bench, _) = started().await;
    let host =
        latchkey_sinks::host::Host::new(Address::parse(&bench.heroku.url()).unwrap(), &Queues::default(), |_| None);
    let ask = |ask: latchkey_sinks::host::Ask| {
        let host = host.clone();
        async move { host.ask(&ask.header("authorization", "Bearer login-0")).await.unwrap().status }
    };
    let read = latchkey_sinks::host::Ask::read;
    assert_eq!(ask(read("/apps/acme-worker/config-vars")).await, 406, "without the third version in `Accept`");
    assert_eq!(bench.heroku.complaints(), Vec::<String>::new());
    assert_eq!(ask(read("/apps/acme-worker/secrets")).await, 406);
    let complaints = bench.heroku.complaints();
    assert!(complaints.iter().any(|complaint| complaint.contains("is not in the contract")), "{complaints:?}");
}

/// What was delivered through a proxy is where it would be without, and the run after it finds it there.
#[tokio::test]
async fn an_address_that_the_operator_names_is_asked_and_is_no_part_of_a_place() {
    let bench = HerokuBench::start().await;
    let settings = Settings { endpoint: None, ..bench.settings(app()) };
    let at = |settings: &Settings, address: &str| {
        Sink::new(settings, Address::parse(address).unwrap(), &Queues::default()).unwrap()
    };
    let through = at(&settings, &bench.heroku.url());
    let recorded = place(&at(&settings, HOST), "API").await;
    assert!(through.reaches(&recorded).await);
    assert_eq!(place(&through, "API").await, recorded);
    let version = Version::first();
    write(&through, &recorded, &version, &Seen::Absent).await.unwrap();
    assert_eq!(bench.heroku.vendor().running(APP, "API").as_deref(), Some(version.secret.expose()));
    // What a manifest declares is another place, and goes first.
    let declared = at(&bench.settings(app()), "http://127.0.0.1:1");
    assert!(!declared.reaches(&recorded).await);
    assert_eq!(held(&declared, &recorded).await.fingerprint, Some(version.marker.fingerprint));
}
