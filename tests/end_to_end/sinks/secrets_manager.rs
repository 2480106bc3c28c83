//! Secrets Manager; what is particular to it stands in a room of its own.

use latchkey_sinks::conformance::Bench as _;
use tests::sinks::SecretsManagerBench;

/// A plan of many tokens asks by list, and what the list cannot show it asks one by one.
#[tokio::test]
async fn many_secrets_are_surveyed_a_hundred_a_call() {
    let bench = SecretsManagerBench::plain().await;
    let sink = bench.sink();
    let mut places = Vec::new();
    for number in 0..130 {
        places.push(sink.place(&bench.push(&format!("MANY_{number:03}"))).await.unwrap());
    }
    for place in places.iter().take(120) {
        bench.by_hand(place, "somebody-elses").await;
    }
    bench.removed_by_hand(&places[3]).await;
    let all: Vec<_> = places.iter().collect();
    let before = bench.requests();
    let surveyed = sink.survey(&all).await;
    assert_eq!(bench.requests() - before, 2, "two pages");
    let looked = sink.look(&all).await;
    for ((surveyed, looked), place) in surveyed.iter().zip(&looked).zip(&places) {
        assert_eq!(format!("{surveyed:?}"), format!("{looked:?}"), "{place:?}");
    }
    assert!(surveyed[3].is_err() && surveyed[125].is_ok());
    // Few are asked for one by one: that needs fewer rights.
    let before = bench.requests();
    sink.survey(&all[..5]).await;
    assert_eq!(bench.requests() - before, 5);
    // So are all where listing is not allowed.
    bench.refuses_lists();
    let before = bench.requests();
    assert_eq!(format!("{:?}", sink.survey(&all).await), format!("{looked:?}"));
    assert_eq!(bench.requests() - before, 1 + 130);
}
