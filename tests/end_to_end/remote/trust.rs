//! A token in the environment goes to the server that the environment names, and to no other.

use tests::provision::World;
use tests::remote::{Proxy, Served, Trouble};

use super::{Remote, bootstrap, manifest};

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

#[test]
fn a_token_for_one_path_of_a_host_is_sent_to_no_other_path() {
    let world = World::new();
    let admin = bootstrap(&world, "embedded:latchkey.db");
    let grant = "manifest grant acme -p documents:read --new-user ci --new-role reader --service embedded:latchkey.db";
    world.run(grant).exits(0);
    let words = "serve --port 0 --base-path /tokens --service embedded:latchkey.db";
    let server = Served::run(world.command(words.split_whitespace()));
    let host = Proxy::before(server.url().strip_suffix("/tokens").unwrap());
    let at = |path: &str| format!("{}{path}", host.url());
    let declare = |path: &str| world.write("tokens.toml", &manifest(&format!("url = \"{}\"", at(path))));
    // By a login, by the environment and by the command line: all that is sent is below the path.
    let login = format!("login --with-token --insecure-storage --server {}", at("/tokens/"));
    world.pipe(&login, &admin).exits(0);
    declare("/tokens");
    let environment = [("LATCHKEY_URL", at("/tokens")), ("LATCHKEY_TOKEN", admin.clone())];
    let environment = environment.each_ref().map(|(name, value)| (*name, value.as_str()));
    world.run("apply").exits(0);
    world.run("token list").exits(0);
    world.run_in(&environment, "status").exits(0);
    world.run_in(&environment[1..], &format!("role list --service {}", at("/tokens"))).exits(0);
    let sent = host.sent();
    assert!(sent.len() > 4 && sent.iter().all(|sent| sent.target.starts_with("/tokens/v1/")), "{sent:?}");
    // Whatever a manifest says of the rest of that host, also in a spelling that others read as the path.
    let beside = ["", "/other", "/tokens/other", "/token", "/Tokens", "/tokens//", "/other/../tokens"];
    let spelled = ["/tokens/../other", "/tokens/%2e%2e/other", "/t%6fkens", "/tokens/..;/other", "/tokens?x=1"];
    for path in beside.iter().chain(&spelled) {
        declare(path);
        for words in ["plan", "apply", "token list", "whoami"] {
            assert_ne!(world.run(words).code, Some(0), "{words} {path}");
            assert_ne!(world.run_in(&environment, words).code, Some(0), "{words} {path}");
        }
        world.pipe("token verify", &admin).exits(2);
    }
    assert_nothing_was_sent(&host);
    // What can be read in two ways is sent nowhere either when a person types it.
    for path in spelled.iter().chain(&["/tokens//", "/other/../tokens", "//tokens"]) {
        let ran = world.run_in(&environment[1..], &format!("role list --service {}", at(path))).exits(1);
        assert!(ran.stderr.contains("in the path no `..`, `//` or `%`"), "{path}: {}", ran.stderr);
        let ran = world.pipe(&format!("login --with-token --insecure-storage --server {}", at(path)), &admin);
        assert_ne!(ran.code, Some(0), "{path}");
        let ran = world.run_in(&[("LATCHKEY_URL", &at(path)), ("LATCHKEY_TOKEN", &admin)], "role list").exits(1);
        assert!(
            ran.stderr.contains("`LATCHKEY_URL` is not the address of a server")
                || ran.stderr.contains("in the path no"),
            "{path}: {}",
            ran.stderr
        );
    }
    assert_nothing_was_sent(&host);
}
