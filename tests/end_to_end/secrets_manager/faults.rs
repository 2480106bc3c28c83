//! Lost replies, throttles, deadlines, refusals; and that nothing of it ever shows a secret.

use std::io;
use std::sync::Arc;

use latchkey::mutex::Mutex;
use serde_json::json;
use tests::engines::Fault;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::*;

#[tokio::test]
async fn faults_lose_nothing_and_show_nothing() {
    let log = Log::default();
    let _logging =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(log.clone()).set_default();
    let world = World::start().await;
    let mut versions = Vec::new();
    versions.extend(a_lost_reply_is_success_all_the_same(&world).await);
    versions.extend(lost_replies_leave_a_state_to_go_on_from(&world).await);
    versions.push(throttles_and_errors_pass(&world).await);
    versions.push(nothing_starts_after_the_deadline(&world).await);
    what_others_manage_is_refused(&world).await;
    a_refused_login_says_so(&world).await;
    // Errors alone: the SDK's own trace shows what a service answers, so the command's log leaves the SDK's trace out.
    an_echo_is_not_repeated(&world).await;
    let log = log.0.lock();
    let log = String::from_utf8_lossy(&log);
    assert!(log.contains("transmitting request"), "the log holds what the SDK traces");
    for version in versions {
        assert!(!log.contains(version.secret.expose()), "a secret was logged");
    }
}

async fn a_lost_reply_is_success_all_the_same(world: &World) -> Vec<Version> {
    let name = "faults/replies";
    let (place, first) = (world.place(name).await, Version::first());
    world.manager.fail("CreateSecret", 1, Fault::LoseReply);
    world.write(&first, &place, &Seen::Absent).await.unwrap();
    let second = first.next();
    for target in ["PutSecretValue", "UpdateSecretVersionStage"] {
        world.manager.fail(target, 1, Fault::LoseReply);
    }
    world.write(&second, &place, &first.seen(&first.id())).await.unwrap();
    assert_eq!(world.value(name).await, second.secret.expose());
    assert_eq!(world.described(name).await["VersionIdsToStages"].as_object().unwrap().len(), 2);

    let (key, third) = (world.key("faults/shared", "T").await, Version::first());
    world.manager.fail("CreateSecret", 1, Fault::LoseReply);
    world.write(&third, &key, &Seen::Absent).await.unwrap();
    let fourth = third.next();
    world.manager.fail("UpdateSecretVersionStage", 1, Fault::LoseReply);
    let seen = third.seen(third.marker.fingerprint.as_str());
    world.write(&fourth, &key, &seen).await.unwrap();
    assert_eq!(world.value("faults/shared").await, json!({ "T": fourth.secret.expose() }).to_string());
    vec![first, second, third, fourth]
}

/// Every attempt's reply is lost; the run ends; the next one finds what arrived.
async fn lost_replies_leave_a_state_to_go_on_from(world: &World) -> Vec<Version> {
    let name = "faults/re-run";
    let (place, first) = (world.place(name).await, Version::first());
    for nth in 1..=5 {
        world.manager.fail("CreateSecret", nth, Fault::LoseReply);
    }
    let lost = world.write(&first, &place, &Seen::Absent).await;
    assert!(matches!(lost, Err(SinkError::Unreachable { .. })), "{lost:?}");
    world.write(&first, &place, &Seen::Absent).await.unwrap();
    let second = first.next();
    let seen = world.look(&place).await.unwrap();
    for nth in 1..=5 {
        world.manager.fail("UpdateSecretVersionStage", nth, Fault::LoseRequest);
    }
    let lost = world.write(&second, &place, &seen).await;
    assert!(matches!(lost, Err(SinkError::Unreachable { .. })), "{lost:?}");
    assert_eq!(world.look(&place).await.unwrap(), seen);
    world.write(&second, &place, &seen).await.unwrap();
    assert_eq!(world.value(name).await, second.secret.expose());
    vec![first, second]
}

async fn throttles_and_errors_pass(world: &World) -> Version {
    let (place, first) = (world.place("faults/throttled").await, Version::first());
    world.manager.fail("DescribeSecret", 1, Fault::Throttle);
    world.manager.fail("CreateSecret", 1, Fault::Throttle);
    world.manager.fail("CreateSecret", 2, Fault::ServerError);
    world.manager.fail("CreateSecret", 3, Fault::LoseRequest);
    let before = world.manager.count("CreateSecret");
    world.write(&first, &place, &Seen::Absent).await.unwrap();
    assert_eq!(world.manager.count("CreateSecret"), before + 4);
    first
}

async fn nothing_starts_after_the_deadline(world: &World) -> Version {
    let (place, first) = (world.place("faults/late").await, Version::first());
    let write = async |deadline| world.write_all(&[first.to(&place, &Seen::Absent)], deadline).await.remove(0);
    let before = world.manager.count("CreateSecret");
    assert!(matches!(write(Deadline::after(Duration::ZERO)).await, Err(SinkError::Late)));
    assert_eq!(world.manager.count("CreateSecret"), before);
    // Over while the secret is described: the write itself does not start.
    let (described, older) = (world.place("faults/late-described").await, Version::first());
    world.write(&older, &described, &Seen::Absent).await.unwrap();
    let (newer, seen) = (older.next(), world.look(&described).await.unwrap());
    let slow = || tokio::time::sleep(Duration::from_millis(300));
    world.manager.fail("DescribeSecret", 1, Fault::meanwhile(slow));
    let puts = world.manager.count("PutSecretValue");
    let late =
        world.write_all(&[newer.to(&described, &seen)], Deadline::after(Duration::from_millis(200))).await.remove(0);
    assert!(matches!(late, Err(SinkError::Late)), "{late:?}");
    assert_eq!(world.manager.count("PutSecretValue"), puts);
    let before = world.manager.count("CreateSecret");
    // Over during an attempt that gets no answer: no retry, and nobody knows whether it arrived.
    let slow = || tokio::time::sleep(Duration::from_millis(600));
    world.manager.fail("CreateSecret", 1, Fault::meanwhile(slow));
    world.manager.fail("CreateSecret", 1, Fault::Throttle);
    let lost = write(Deadline::after(Duration::from_millis(500))).await;
    assert!(matches!(lost, Err(SinkError::Unreachable { .. })), "{lost:?}");
    assert_eq!(world.manager.count("CreateSecret"), before + 1);
    first
}

async fn an_echo_is_not_repeated(world: &World) {
    let (place, first) = (world.place("faults/echo").await, Version::first());
    let echo = format!("1 validation error detected: Value '{}' is not allowed", first.secret.expose());
    world.manager.fail("CreateSecret", 1, Fault::Refuse(400.try_into().unwrap(), "ValidationException", echo));
    let refusal = world.write(&first, &place, &Seen::Absent).await;
    assert!(!format!("{refusal:?}").contains(first.secret.expose()));
    refused(refusal.map_err(|error| error.of_write().0), "was refused with `ValidationException`");
    let long = "word ".repeat(500);
    world.manager.fail("CreateSecret", 1, Fault::Refuse(400.try_into().unwrap(), "InvalidRequestException", long));
    let refused = world.write(&first, &place, &Seen::Absent).await.map_err(SinkError::of_write);
    let Err((SinkError::Refused { reason, .. }, true)) = refused else { panic!() };
    assert!(reason.contains("word word") && reason.len() < 450, "{reason}");
}

async fn what_others_manage_is_refused(world: &World) {
    let owned = json!({ "Name": "faults/owned", "SecretString": "x",
        "Tags": [{ "Key": "aws:secretsmanager:owningService", "Value": "rds" }] });
    world.person.call("CreateSecret", owned).await;
    refused(world.prepare(&world.place("faults/owned").await).await, "managed by the AWS service `rds`");
    world.by_hand("faults/rotates", "x").await;
    let rules = json!({ "SecretId": "faults/rotates", "RotationRules": { "AutomaticallyAfterDays": 7 } });
    world.person.call("RotateSecret", rules).await;
    refused(world.prepare(&world.place("faults/rotates").await).await, "AWS rotates");
    let replicated =
        json!({ "Name": "faults/replica", "SecretString": "x", "AddReplicaRegions": [{ "Region": "us-east-1" }] });
    world.person.call("CreateSecret", replicated).await;
    let there = sink(Settings { region: Some("us-east-1".to_owned()), ..settings(world.manager.url()) });
    let place = there.place("faults/replica", None).await.unwrap();
    refused(there.prepare(&[&place]).await.remove(0), "replica of the secret in `eu-west-1`");
    world.prepare(&world.place("faults/replica").await).await.unwrap();
    let kms =
        Fault::Refuse(400.try_into().unwrap(), "AccessDeniedException", "Access to KMS is not allowed".to_owned());
    world.manager.fail("GetSecretValue", 1, kms);
    let denied = world.look(&world.key("faults/owned", "T").await).await;
    assert!(matches!(&denied, Err(SinkError::Denied { hint, .. }) if hint.contains("`kms:Decrypt`")), "{denied:?}");
}

async fn a_refused_login_says_so(world: &World) {
    world.manager.refuse_logins(true);
    let place = world.place("faults/login").await;
    let refusal = world.prepare(&place).await;
    let Err(SinkError::Login { reason, hint }) = refusal else { panic!("{refusal:?}") };
    assert!(reason.contains("`UnrecognizedClientException`") && hint.contains("aws sso login"), "{reason}");
    world.manager.refuse_logins(false);
    world.prepare(&place).await.unwrap();

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let sink = sink(settings(nobody.clone()));
    let place = sink.place("any", None).await.unwrap();
    let lost = sink.look(&[&place]).await.remove(0);
    let Err(SinkError::Unreachable { reason }) = lost else { panic!("{lost:?}") };
    assert!(reason.contains(&nobody) && reason.contains("refused"), "{reason}");
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
