//! The system's keyring; what is particular to it.

use std::time::Duration;

use latchkey::entropy::SystemEntropy;
use latchkey::secret::{Prefix, Secret, TokenId};
use latchkey_sinks::deadline::Deadline;
use latchkey_sinks::keyring::{Keyring, Session, Settings};
use latchkey_sinks::{DeclaredSink as _, Marker, PushDeclaration, Seen, Sink as _, SinkError, Write};
use tests::sinks::elapsed;
use tests::sinks::keyring::{PrivateKeyring, settings};

/// An error and its hint, as a user reads them; each on a line.
fn told(error: &SinkError) -> String {
    format!("{error}\n{}", error.hint().unwrap_or("no hint"))
}

async fn look(session: Session, name: &str) -> Result<Seen, SinkError> {
    let sink = Keyring::new(settings(), session);
    let place = sink.place(&PushDeclaration::plain("desk", name)).await.unwrap();
    let prepared = sink.prepare(&[&place]).await.remove(0);
    let seen = sink.look(&[&place]).await.remove(0);
    assert_eq!(prepared.is_ok(), seen.is_ok(), "a check says what a look says");
    seen
}

/// Writes a first version and answers its secret.
async fn write(session: Session, name: &str, seen: &Seen) -> Result<Secret, SinkError> {
    let sink = Keyring::new(settings(), session);
    let place = &sink.place(&PushDeclaration::plain("desk", name)).await.unwrap();
    let id = TokenId::mint(&SystemEntropy).unwrap();
    let secret = Secret::mint(&Prefix::default(), &id, &SystemEntropy).unwrap();
    let marker = &Marker { token_id: id, version: 1, fingerprint: secret.fingerprint() };
    let write = Write { place, secret: &secret, marker, token_name: "production-api", manifest: "acme", seen };
    sink.write(&[write], Deadline::by(elapsed, Duration::from_mins(2))).await.remove(0).map(|_| secret)
}

#[tokio::test]
async fn a_place_that_is_a_login_of_ours_is_neither_read_nor_written() {
    let Some(keyring) = PrivateKeyring::start() else { return };
    let settings = Settings { service: "latchkey:tokens.example.com".to_owned(), allow_ci: true };
    let sink = Keyring::new(settings, keyring.session());
    let place = sink.place(&PushDeclaration::plain("desk", "ana")).await.unwrap();
    for answer in [sink.prepare(&[&place]).await.remove(0), sink.look(&[&place]).await.remove(0).map(drop)] {
        let error = answer.unwrap_err();
        assert!(told(&error).contains("one of Latchkey's own logins"), "{error}");
    }
}

#[tokio::test]
async fn a_person_sees_what_it_is_and_programs_find_it_by_their_own_names() {
    let Some(keyring) = PrivateKeyring::start() else { return };
    let secret = write(keyring.session(), "api token", &Seen::Absent).await.unwrap();
    assert_eq!(keyring.label("api token").as_deref(), Some("Latchkey: production-api of acme"));
    for attribute in ["username", "account"] {
        assert_eq!(keyring.lookup(attribute, "api token").as_deref(), Some(secret.expose()), "{attribute}");
    }
    let seen = look(keyring.session(), "api token").await.unwrap();
    let next = write(keyring.session(), "api token", &seen).await.unwrap();
    assert_eq!(keyring.lookup("username", "api token").as_deref(), Some(next.expose()), "one entry, with a new value");
}

#[tokio::test]
async fn two_entries_of_one_name_are_not_chosen_from() {
    let Some(keyring) = PrivateKeyring::start() else { return };
    keyring.store("api", "one");
    keyring.store_beside("api", "another");
    let error = look(keyring.session(), "api").await.unwrap_err();
    insta::assert_snapshot!(told(&error), @"
    the keyring has several entries `api` of `acme`
    delete all but one: programs may read any of them
    ");
}

#[tokio::test]
async fn a_locked_keyring_is_told_at_once_and_not_waited_for() {
    let Some(mut keyring) = PrivateKeyring::start() else { return };
    keyring.lock();
    let error = look(keyring.session(), "held").await.unwrap_err();
    assert!(matches!(error, SinkError::Denied { .. }), "{error:?}");
    insta::assert_snapshot!(told(&error), @"
    the keyring is locked
    unlock it: log in to the desktop, or open its password manager (`seahorse`); without a desktop `gnome-keyring-daemon --unlock` reads the password from stdin
    ");
    let refused = write(keyring.session(), "held", &Seen::Absent).await;
    assert!(matches!(refused, Err(SinkError::Denied { .. })), "{refused:?}");
}

#[tokio::test]
async fn without_a_keyring_it_is_said_what_is_missing() {
    let Some(empty) = PrivateKeyring::without_service() else { return };
    let no_service = look(empty.session(), "api").await.unwrap_err();
    let nowhere = Session { bus: Some("unix:path=/no/such/socket".to_owned()), ..empty.session() };
    let no_bus = look(nowhere, "api").await.unwrap_err();
    insta::assert_snapshot!(format!("{}\n\n{}", told(&no_service), told(&no_bus)), @"
    no keyring was found: no program on the D-Bus session is a Secret Service
    install and start one, for instance `gnome-keyring`

    no keyring was found: there is no D-Bus session
    run in a desktop session; on a server use another type of sink, or `dbus-run-session` with an unlocked `gnome-keyring-daemon`
    ");
}

#[tokio::test]
async fn a_machine_for_jobs_has_none_unless_the_manifest_says_so() {
    let Some(keyring) = PrivateKeyring::start() else { return };
    let session = Session { in_ci: true, ..keyring.session() };
    let error = look(session.clone(), "api").await.unwrap_err();
    insta::assert_snapshot!(told(&error), @"
    `CI` is set, and CI machines rarely have a keyring that lasts
    run on the machine of the keyring, or set `allow_ci = true` in the sink if this one keeps it
    ");
    let allowed = Keyring::new(Settings { allow_ci: true, ..settings() }, session);
    let place = allowed.place(&PushDeclaration::plain("desk", "api")).await.unwrap();
    assert_eq!(allowed.look(&[&place]).await.remove(0).unwrap(), Seen::Absent);
}

#[tokio::test]
async fn another_machine_s_keyring_is_told_as_such() {
    let Some(keyring) = PrivateKeyring::start() else { return };
    let there = Keyring::new(settings(), Session { machine: "laptop".to_owned(), ..keyring.session() });
    let place = there.place(&PushDeclaration::plain("desk", "api")).await.unwrap();
    // Also where this machine has none: nothing is opened.
    let here = Keyring::new(settings(), Session { in_ci: true, ..keyring.session() });
    assert!(here.reaches(&place).await);
    let seen = here.look(&[&place]).await.remove(0);
    assert!(matches!(&seen, Err(SinkError::OtherMachine { machine }) if machine == "laptop"), "{seen:?}");
}
