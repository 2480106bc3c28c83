//! What goes wrong between a notice and its receiver.

use std::sync::atomic::AtomicBool;

use latchkey::lifetime::Seconds;
use latchkey::notice::TRIED_FOR;
use provisioner::notify::Post;
use tests::receiver::verified;
use tests::world::key;

use super::{SIGNING, Told};

const CREATED: &str = "on = [\"created\"]\n";

#[tokio::test]
async fn what_a_job_had_when_it_died_is_sent_by_the_next_one_with_the_same_id() {
    let told = Told::start().await;
    told.set("ops", &told.webhook("/ops", CREATED)).await;
    told.world.user("ana", &[]).await;
    told.world.token("ana", "laptop").await;
    let service = told.world.another(2).await;
    let waiting = service.notices(told.world.now(), 10).await.unwrap().remove(0);
    assert!(service.claim_notice(&waiting, Seconds::minutes(5).after(told.world.now())).await.unwrap());
    assert_eq!(told.job(3).await.sent, 0, "somebody has it");
    told.world.clock.advance(Seconds::minutes(5));
    assert_eq!(told.job(4).await.sent, 1);
    let got = told.receiver.got("/ops");
    assert_eq!((got.len(), got[0].id()), (1, waiting.notice.id));
    assert_eq!(told.job(5).await.sent, 0, "it was taken");
}

#[tokio::test]
async fn a_receiver_that_never_answers_well_is_told_and_given_up_after_a_week() {
    let told = Told::start().await;
    told.set("ops", &told.webhook("/ops", CREATED)).await;
    told.set("gone", &told.webhook("/gone/secret-path", CREATED)).await;
    told.receiver.answer("/gone/secret-path", 410);
    told.world.user("ana", &[]).await;
    told.world.token("ana", "laptop").await;
    let (mut lost, mut turns) = (Vec::new(), 0);
    for hour in 0..=(TRIED_FOR.0 / 3600 + 8) {
        let sent = told.job(hour).await;
        let shown = serde_json::to_string(&sent).unwrap();
        assert!(!shown.contains("secret-path") && !shown.contains("http"), "{shown}");
        if sent.waiting > 0 {
            turns += 1;
            assert!(sent.down[0].reason.ends_with("answered 410"), "{shown}");
        }
        lost.extend(sent.given_up);
        told.world.clock.advance(Seconds::hours(1));
    }
    assert_eq!(lost.len(), 1, "it is told once");
    assert_eq!(
        (lost[0].receivers.as_slice(), lost[0].token.clone()),
        (["gone".to_owned()].as_slice(), key("ana", "laptop"))
    );
    assert!((20..60).contains(&turns), "{turns}");
    assert_eq!(told.receiver.got("/gone/secret-path").len(), turns + 1);
    assert_eq!(told.receiver.got("/ops").len(), 1, "the other one has it from the first day");
}

/// The table goes away at each request of the turn that gives a notice up, and after it.
#[tokio::test]
async fn what_is_given_up_is_told_although_the_table_goes_away_before_the_turn_ends() {
    let told = Told::start().await;
    told.set("gone", &told.webhook("/gone", CREATED)).await;
    told.receiver.answer("/gone", 410);
    told.world.user("ana", &[]).await;
    told.world.token("ana", "laptop").await;
    for turn in 0..TRIED_FOR.0 / (6 * 3600) {
        assert_eq!(told.job(turn).await.given_up, [], "a week is not over");
        told.world.clock.advance(Seconds::hours(6));
    }
    told.world.clock.advance(Seconds::hours(1));
    let (mut lost, mut broken) = (Vec::new(), 0);
    for cut in 0..60 {
        let service = told.world.another(100 + cut).await;
        let stop = AtomicBool::new(false);
        let post = Post { service: &service, at_hand: None, published: &[], allowances: &told.allowances, stop: &stop };
        told.world.store.faults.cut_after(cut);
        let sent = post.turn().await;
        told.world.store.faults.mend();
        if let Ok(sent) = sent {
            broken += usize::from(sent.broke_off.is_some());
            lost.extend(sent.given_up);
        }
        told.world.clock.advance(Seconds::hours(6));
        if service.notices(told.world.now(), 10).await.unwrap().is_empty() {
            break;
        }
    }
    assert_eq!(lost.len(), 1, "it waits no longer, and nobody was told");
    assert!(broken > 1, "{broken}");
}

#[tokio::test]
async fn no_redirect_is_followed_and_nothing_but_success_is_success() {
    let told = Told::start().await;
    told.set("ops", &told.webhook("/ops", CREATED)).await;
    told.world.user("ana", &[]).await;
    told.world.token("ana", "laptop").await;
    for status in [301, 302, 307, 308, 400, 404, 429, 500, 503] {
        told.receiver.answer("/ops", status);
        let sent = told.job(u64::from(status)).await;
        assert_eq!((sent.sent, sent.waiting, sent.down.len()), (0, 1, 1), "{status}");
        assert!(sent.down[0].reason.contains(&format!("answered {status}")), "{:?}", sent.down);
        told.world.clock.advance(Seconds::hours(6));
    }
    told.receiver.answer("/ops", 202);
    assert_eq!(told.job(1).await.sent, 1);
    assert!(told.receiver.got("/elsewhere").is_empty());
    let got = told.receiver.got("/ops");
    assert!(got.iter().all(|other| other.id() == got[0].id() && other.body == got[0].body));
    if let Some(good) = verified(&got, SIGNING) {
        assert_eq!(good, 10);
    }
}

/// The settings may have been written by another version, or name a file that is gone.
#[tokio::test]
async fn a_receiver_that_cannot_be_read_loses_nothing_and_delays_nobody() {
    let told = Told::start().await;
    told.set("ops", &told.webhook("/ops", CREATED)).await;
    told.set("away", "type = \"slack\"\nurl = { file = \"/no/such/file\" }\non = [\"created\"]\n").await;
    let mut service = told.world.another(8).await;
    let mut policy = service.policy().as_ref().clone();
    policy.notices.set("newer", "type = \"pigeon\"\n").unwrap();
    service.set_policy(policy).await.unwrap();
    told.world.user("ana", &[]).await;
    told.world.token("ana", "laptop").await;
    let sent = told.job(2).await;
    assert_eq!((sent.sent, sent.waiting), (1, 1));
    let down: Vec<&str> = sent.down.iter().map(|down| down.receiver.as_str()).collect();
    assert_eq!(down, ["away", "newer"]);
    assert!(sent.down[1].reason.contains("`pigeon` is not a type of receiver"), "{:?}", sent.down);
    // Once they can be, they get it, and the other one does not get it again.
    told.set("away", &told.slack("/away", CREATED)).await;
    told.set("newer", &told.slack("/newer", CREATED)).await;
    told.world.clock.advance(Seconds::hours(1));
    assert_eq!(told.job(3).await.sent, 2);
    assert_eq!(["/ops", "/away", "/newer"].map(|path| told.receiver.got(path).len()), [1, 1, 1]);
}

#[tokio::test]
async fn nothing_is_sent_to_this_machine_unless_whoever_runs_the_job_allows_it() {
    let mut told = Told::start().await;
    told.set("ops", &told.webhook("/ops", CREATED)).await;
    told.world.user("ana", &[]).await;
    told.world.token("ana", "laptop").await;
    let allowed = std::mem::take(&mut told.allowances);
    let sent = told.job(2).await;
    assert_eq!((sent.sent, sent.waiting), (0, 1));
    assert!(sent.down[0].reason.contains("an address on `127.0.0.1`, which is not a public host"), "{:?}", sent.down);
    assert!(told.receiver.all().is_empty());
    told.allowances = allowed;
    told.world.clock.advance(Seconds::hours(1));
    assert_eq!(told.job(3).await.sent, 1);
}
