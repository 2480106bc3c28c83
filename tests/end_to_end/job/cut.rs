//! Turns that have to stop before they are through: the next one goes on, and does nothing again.

use latchkey::token::Token;
use tests::world::{key, managed_token, name};

use super::*;

/// Tokens of a manifest that publishes nothing: whatever the job does, they stay due.
async fn neglected(scene: &Scene, of: &str, tokens: usize) {
    let world = &scene.world;
    let max = u32::try_from(tokens).unwrap();
    let change = UserChange { max_tokens: Some(Some(max)), ..UserChange::default() };
    world.change_user(of, change).await;
    for number in 0..tokens {
        let life = Life::Managed { manifest: name(of), terms: TERMS };
        let new = NewToken { life, ..managed_token(of, &format!("t{number}"), &[]) };
        let token = world.create(new).await.token.reference();
        world.service.promote(&world.admin, &token, 1).await.unwrap();
    }
}

async fn tokens(scene: &Scene, of: &str) -> Vec<Token> {
    scene.world.service.managed_tokens(&name(of)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_has_to_stop_costs_what_it_does_and_tells_nothing_of_what_it_did_not_come_to() {
    let scene = Scene::new().await;
    let manifest = scene.apply(&manifest("acme", 24)).await;
    scene.publish(&manifest).await;
    neglected(&scene, "zzz", 300).await;
    scene.world.clock.advance(Seconds::days(32));
    let (mut rotated, mut cut) = (0, Vec::new());
    for _ in 0..2 {
        scene.cut_at(1);
        let turn = scene.turn().await;
        assert!(turn.report.stopped && (1..=8).contains(&turn.report.done), "{turn:?}");
        assert_eq!((events(&scene, "token.overdue").await, turn.report.due), (0, 324 - rotated), "{turn:?}");
        rotated += turn.report.rotated;
        cut.push(turn.calls);
    }
    // Less than one call for each that was read; a version that was staged and not delivered takes two.
    assert!(cut.iter().all(|calls| *calls < 200), "{cut:?}");
    let whole = scene.turn().await;
    assert_eq!((whole.report.rotated, whole.report.stopped), (24 - rotated, false), "{whole:?}");
    assert_eq!(events(&scene, "token.overdue").await, 300, "of those that nobody rotates, and no other");
    let again = scene.turn().await;
    assert_eq!((again.report.due, again.report.unpublished, again.report.rotated), (300, 300, 0), "{again:?}");
    assert_eq!((events(&scene, "token.overdue").await, events(&scene, "version.promote").await), (300, 48 + 300));
    println!("{rotated} of 24 in two cut turns of {cut:?} calls, the others in {}, then {}", whole.calls, again.calls);
}

/// More than are read at once are due, and most of them for ever.
#[tokio::test(flavor = "multi_thread")]
async fn the_next_turn_begins_where_one_had_to_stop_and_comes_to_everything_once() {
    let scene = Scene::new().await;
    let manifest = scene.apply(&manifest("acme", 90)).await;
    scene.publish(&manifest).await;
    neglected(&scene, "zzz", 1200).await;
    scene.world.clock.advance(Seconds::days(30));
    let service = &scene.world.service;
    let page = service.due(scene.world.now(), 1000, None).await.unwrap();
    let first = page.tokens.iter().filter(|token| token.user == name("acme")).count();
    let shard = page.next.unwrap().shard();
    scene.cut_at(first + 1);
    let turn = scene.turn().await;
    assert!(turn.report.stopped && turn.report.due == 1290 && turn.report.done > first, "{first}: {turn:?}");
    assert_eq!(service.last_turn().await.unwrap().unwrap().due_from, shard);
    let done = turn.report.done;
    // Of the shards before nothing is read.
    scene.cut_at(1);
    let turn = scene.turn().await;
    assert!(turn.report.stopped && turn.report.due < 1290 - 900, "{turn:?}");
    let done = done + turn.report.done;
    let whole = scene.turn().await;
    assert_eq!((whole.report.due, whole.report.unpublished), (1290 - done, 1200), "each once: {whole:?}");
    assert_eq!((whole.report.rotated, whole.report.stopped), (90 - done, false), "{whole:?}");
    assert!(tokens(&scene, "acme").await.iter().all(|token| token.due() > Some(scene.world.now())));
    assert_eq!(service.last_turn().await.unwrap().unwrap().due_from, 0);
}

/// On a Saturday those of which a version would expire before the window opens are rotated, and the others wait.
#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_put_off_although_the_turn_has_to_stop() {
    let scene = Scene::new().await;
    let text = manifest("acme", 20).replace("[users", "[rotation]\nwindow = \"Mon-Fri 09:00-16:00 UTC\"\n[users");
    let short = (0..16).fold(text, |text, number| {
        text.replace(&format!("[tokens.token-{number}]\n"), &format!("[tokens.token-{number}]\nexpires_in = \"36d\"\n"))
    });
    let manifest = scene.apply(&short).await;
    scene.publish(&manifest).await;
    scene.world.clock.advance(Seconds::days(34));
    scene.cut_at(1);
    let turn = scene.turn().await;
    let (report, done) = (&turn.report, turn.report.done);
    assert!(report.stopped && report.due == 20 && report.waiting == 4 && (1..=8).contains(&done), "{turn:?}");
    let waits = async |number: u32| {
        let token = scene.world.service.holder(&key("acme", &format!("token-{number}"))).await.unwrap().unwrap();
        token.retry.is_some_and(|retry| retry.waits)
    };
    assert!(waits(19).await && waits(16).await);
    let turn = scene.turn().await;
    assert_eq!((turn.report.due, turn.report.done, turn.report.waiting), (16 - done, 16 - done, 0), "{turn:?}");
}
