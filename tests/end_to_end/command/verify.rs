//! `token verify`: valid is 0, not valid is 1, and whatever keeps it from telling is 2.

use std::process::Stdio;

use tests::provision::{World, finish};

use super::{applied, assert_told};

#[test]
fn every_reason_has_its_words_and_its_exit_code() {
    let world = applied();
    let secret = world.entry(".env", "BUILD_TOKEN");
    world.pipe("token verify", &secret).exits(0);
    // What pipes and editors add is no part of a secret.
    world.pipe("token verify", &format!("  {secret}\r\n")).exits(0);
    let flipped = if secret.ends_with('A') { "B" } else { "A" };
    for wrong in [
        "nonsense",
        &format!("{}{flipped}", &secret[..secret.len() - 1]),
        &secret[..secret.len() - 2],
        &secret.replacen("lk_", "xy_", 1),
        &"x".repeat(1 << 20),
        "\0\u{feff}",
    ] {
        world.pipe("token verify", wrong).exits(1);
    }
    world.run("rotate tokens.toml build-api").exits(0);
    world.clock(25 * 3600);
    world.run("rotate").exits(0);
    let _ = world.told();
    world.pipe("token verify", &secret).exits(1);
    let current = world.entry(".env", "BUILD_TOKEN");
    world.run("user set ci --suspend").exits(0);
    world.pipe("token verify", &current).exits(1);
    world.run("user set ci --restore").exits(0);
    world.run("token delete build-api -u ci -y").exits(0);
    world.pipe("token verify", &current).exits(1);
    assert_told!(world);
}

#[test]
fn malformed_secrets_are_refused_with_the_reason() {
    let world = applied();
    let secret = world.entry(".env", "BUILD_TOKEN");
    let changed = if &secret[30..31] == "a" { "b" } else { "a" };
    world.pipe("token verify", "nonsense").exits(1);
    world.pipe("token verify", &format!("{}{changed}{}", &secret[..30], &secret[31..])).exits(1);
    world.pipe("token verify --format json", "nonsense").exits(1);
    // Signed for nobody: a good checksum, and no such token.
    world.pipe("token verify", &other_secret()).exits(1);
    assert_told!(world);
}

fn other_secret() -> String {
    let world = applied();
    world.entry(".env", "BUILD_TOKEN")
}

#[test]
fn what_keeps_it_from_telling_is_never_not_valid() {
    let world = applied();
    let secret = world.entry(".env", "BUILD_TOKEN");
    world.pipe("token verify", "").exits(2);
    world.pipe("token verify --nope", &secret).exits(2);
    world.pipe("--service embedded:missing.db token verify", &secret).exits(2);
    assert!(!world.path("missing.db").exists());
    world.write("text.db", "not a table\n");
    world.pipe("--service embedded:text.db token verify", &secret).exits(2);
    world.pipe("--service nonsense token verify", &secret).exits(2);
    world.write("tokens.toml", "manifest = ");
    world.pipe("token verify", &secret).exits(2);
    let elsewhere = World::new();
    elsewhere.pipe("token verify", &secret).exits(2);
    assert_told!(world);
    assert_told!(elsewhere, "without_a_service");
}

#[test]
fn a_damaged_table_is_never_not_valid() {
    let world = applied();
    let secret = world.entry(".env", "BUILD_TOKEN");
    let mut bytes = std::fs::read(world.path("latchkey.db")).unwrap();
    // All but the first page.
    for byte in bytes.iter_mut().skip(4096) {
        *byte = 0x5a;
    }
    replace(&world, "latchkey.db", &bytes);
    world.pipe("token verify", &secret).exits(2);
    replace(&world, "latchkey.db", &bytes[..bytes.len() / 3]);
    world.pipe("token verify", &secret).exits(2);
    // Nothing is made anew where something was.
    world.run("apply").exits(1);
}

#[expect(clippy::disallowed_methods, reason = "nobody reads it meanwhile")]
fn replace(world: &World, name: &str, bytes: &[u8]) {
    std::fs::write(world.path(name), bytes).unwrap();
}

#[test]
fn a_secret_as_an_argument_is_refused_and_not_repeated() {
    let world = applied();
    let secret = world.entry(".env", "BUILD_TOKEN");
    for words in
        [vec!["token", "verify", &secret], vec!["token", "set", "build", &secret], vec!["token", "set", &secret]]
    {
        let mut command = world.command(&words);
        let ran = finish(command.stdin(Stdio::null()).spawn().unwrap(), None);
        assert_eq!(ran.code, Some(if words[1] == "verify" { 2 } else { 1 }));
        assert!(!ran.stderr.contains(&secret[20..]) && ran.stdout.is_empty(), "{}", ran.stderr);
        world.note("provision token verify SECRET", &ran);
    }
    assert_told!(world);
}

#[test]
fn verifying_counts_no_use() {
    let world = applied();
    let secret = world.entry(".env", "BUILD_TOKEN");
    world.pipe("token verify", &secret).exits(0);
    let shown = world.run("token show build-api -u ci -t json").exits(0).json();
    assert!(shown["last_used"].is_null(), "{shown}");
}
