//! What Vercel answers: lists, limits, refused logins and answers that are lost.

use super::*;

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
    let other = super::place(&sink, "OTHER", Environment::Production).await;
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
