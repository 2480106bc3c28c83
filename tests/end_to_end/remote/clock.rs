//! What a run by URL meets of the server's clock, and what it records there of its places.

use tests::provision::{DAY, HOUR};

use super::Remote;

#[test]
fn a_server_whose_clock_was_set_back_checks_and_creates_nothing_and_says_what_to_do() {
    let remote = Remote::start();
    remote.run("apply").exits(0);
    let secret = remote.world.entry(".env", "BUILD_TOKEN");
    remote.world.clock(3 * DAY);
    // A create an hour later is what writes the time.
    remote.admin("token set laptop").exits(0);
    remote.world.clock(HOUR);
    for (command, code) in [("rotate build-api", 4), ("plan", 1), ("status", 0), ("doctor", 1)] {
        let ran = remote.run(command).exits(code);
        let told = format!("{}{}", ran.stdout, ran.stderr);
        assert!(told.contains("the table was already in use at") && told.contains("--clock-is-right"), "{told}");
    }
    let made = remote.admin("token set tablet").exits(1);
    assert!(made.stderr.contains("the table was already in use at"), "{}", made.stderr);
    assert!(made.stderr.contains("--clock-is-right"), "{}", made.stderr);
    let unneeded = remote.run("rotate build-api --clock-is-right").exits(1);
    assert!(unneeded.stderr.contains("provision serve --clock-is-right"), "{}", unneeded.stderr);
    assert_eq!(remote.world.entry(".env", "BUILD_TOKEN"), secret);
    assert!(remote.is_valid(&secret));
    remote.admin("token list").exits(0);
    // Somebody at the table says that it is right; the server that runs on takes it from there.
    remote.world.run("token set phone --clock-is-right --service embedded:latchkey.db").exits(0);
    remote.run("rotate build-api").exits(0);
    assert_ne!(remote.world.entry(".env", "BUILD_TOKEN"), secret);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_is_recorded_with_what_it_is() {
    let remote = Remote::start();
    remote.run("apply").exits(0);
    let service = remote.world.service("latchkey.db").await;
    let tokens = service.managed_tokens(&"acme".parse().unwrap()).await.unwrap();
    let identities: Vec<_> =
        tokens.iter().flat_map(|token| token.places.values()).map(|place| &place.identity).collect();
    assert_eq!(identities.len(), 2);
    assert!(identities.iter().all(|identity| identity.as_ref().is_some_and(|identity| identity.len() == 16)));
    assert_ne!(identities[0], identities[1]);
}
