//! A token in the environment goes to the server that the environment names, and to no other.

use tests::provision::World;
use tests::remote::{Proxy, Trouble};

use super::{Remote, manifest};

/// Whoever listens here must never hear of a token.
fn assert_nothing_was_sent(elsewhere: &Proxy) {
    let sent = elsewhere.sent();
    assert!(sent.is_empty(), "{sent:?}");
}

#[test]
fn a_manifest_cannot_send_a_token_elsewhere() {
    let remote = Remote::start();
    let elsewhere = Proxy::before(&remote.url);
    let manifest = manifest(&format!("url = \"{}\"", elsewhere.url()));
    remote.world.write("tokens.toml", &manifest);
    for words in ["plan", "apply", "status", "rotate tokens.toml --all", "token list", "role list", "user list"] {
        let refused = remote.admin(words).exits(1);
        assert!(refused.stderr.contains("refusing to send your token to"), "{words}: {}", refused.stderr);
    }
    assert_nothing_was_sent(&elsewhere);
    // Nor with the flag, nor where nobody named a server.
    let flag = format!("role list --service {}", elsewhere.url());
    remote.admin(&flag).exits(1);
    let alone = remote.world.run_in(&[("LATCHKEY_TOKEN", &remote.admin)], "plan").exits(1);
    assert!(alone.stderr.contains("`LATCHKEY_URL` is not set"), "{}", alone.stderr);
    assert_nothing_was_sent(&elsewhere);
    // A secret that is to be verified is one too.
    let mut command = remote.world.command(["token", "verify"]);
    command.stdin(std::process::Stdio::piped());
    let ran = tests::provision::finish(command.spawn().unwrap(), Some(&remote.job)).exits(2);
    assert!(ran.stderr.contains("refusing to send your token to"), "{}", ran.stderr);
    assert_nothing_was_sent(&elsewhere);
}

#[test]
fn a_redirect_is_told_and_not_followed() {
    let remote = Remote::start();
    let proxy = Proxy::before(&remote.url);
    proxy.trouble("GET", "/v1/me", Trouble::Redirected, 9);
    let refused = remote.world.run_in(
        &[("LATCHKEY_URL", &proxy.url()), ("LATCHKEY_TOKEN", &remote.admin)],
        &format!("role list --service {}", proxy.url()),
    );
    assert!(refused.stderr.contains("a token is not sent on"), "{}", refused.stderr);
    assert_eq!(proxy.sent().len(), 1);
}

#[test]
fn what_is_no_token_or_would_be_read_on_the_way_is_sent_nowhere() {
    let world = World::with(&manifest("url = \"https://api.invalid\""));
    let cases = [
        ("https://api.invalid", "not-a-token", "`LATCHKEY_TOKEN` is not a Latchkey token"),
        ("https://api.invalid", "", "no token is set for `https://api.invalid`"),
        ("http://api.invalid", "x", "`LATCHKEY_URL` is not the address of a server"),
    ];
    for (url, token, words) in cases {
        let ran = world.run_in(&[("LATCHKEY_URL", url), ("LATCHKEY_TOKEN", token)], "plan").exits(1);
        assert!(ran.stderr.contains(words), "{}", ran.stderr);
        assert!(token.is_empty() || token.len() == 1 || !ran.stderr.contains(token), "{}", ran.stderr);
    }
    let plain = world.run("role list --service http://api.invalid").exits(1);
    assert!(plain.stderr.contains("plain `http`"), "{}", plain.stderr);
}

#[test]
fn a_token_that_is_not_valid_is_told_with_the_way_back() {
    let remote = Remote::start();
    remote.world.run("token delete main-pipeline --user pipeline --yes --service embedded:latchkey.db").exits(0);
    let refused = remote.run("plan").exits(1);
    assert!(refused.stderr.contains("does not accept the token in `LATCHKEY_TOKEN` (request "), "{}", refused.stderr);
    assert!(refused.stderr.contains("provision bootstrap --replace"), "{}", refused.stderr);
}

#[test]
fn the_server_of_the_environment_needs_no_manifest() {
    let remote = Remote::start();
    std::fs::remove_file(remote.world.path("tokens.toml")).unwrap();
    remote.admin("role list").exits(0);
    let down = remote.world.run_in(&[("LATCHKEY_URL", &remote.url)], "role list").exits(1);
    assert!(down.stderr.contains("set `LATCHKEY_TOKEN`"), "{}", down.stderr);
}
