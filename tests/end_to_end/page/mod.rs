//! The page, in Debian's Chromium: what people do with it, what they may not, and how it looks.
//!
//! Each test serves a table of its own and hands a script the address and secrets on stdin; the script fails by its exit
//! code. `LATCHKEY_PICTURES=write` writes the pictures of the documents anew.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use serde_json::json;
use tests::deployment::root;
use tests::programs::find;
use tests::provision::World;
use tests::remote::Served;

/// A manifest with places, so that there is something to look at.
const MANIFEST: &str = r#"manifest = "acme-platform"
[service]
embedded = "latchkey.db"
[roles.documents-writer]
permissions = ["documents:read", "documents:write"]
[users."ci@example.com"]
kind = "service"
roles = ["documents-writer"]
[sinks.dev]
type = "dotenv"
path = ".env"
[tokens.production-api]
user = "ci@example.com"
description = "Renders invoices for the shop"
push = [{ sink = "dev", name = "API_TOKEN" }]
[tokens.nightly-report]
user = "ci@example.com"
push = [{ sink = "dev", name = "REPORT_TOKEN" }]
"#;

/// A served table with an admin `ana`, a `bob` who may read documents, and what there is to see of them.
struct Shown {
    world: World,
    server: Served,
    secrets: BTreeMap<&'static str, String>,
}

impl Shown {
    fn new() -> Self {
        let world = World::with(MANIFEST);
        for words in [
            "apply",
            "role set administrator --permission admin:*,tokens:*",
            "role set reader --permission documents:read",
            "role set writer --permission documents:write,invoices:*",
            "user set ana --role administrator,reader,writer",
            "user set bob --role reader --max-tokens 2",
            "token create backup-server-eu --user ana --role reader -e 60d",
            "token create old-laptop --user ana",
            "token delete old-laptop --user ana --yes",
        ] {
            let _ = world.run(words).exits(0);
        }
        let mut secrets = BTreeMap::new();
        for (name, words) in [
            ("admin", "token create admin-laptop --user ana -e 60d"),
            ("bob", "token create dev-bob-local --user bob -e 60d"),
            ("soon", "token create soon-gone --user ana --role reader -e 3d"),
        ] {
            secrets.insert(name, world.run(words).exits(0).stdout.trim().to_owned());
        }
        // A server writes what it has counted when it ends.
        let counting = Served::start(&world, "latchkey.db");
        for _ in 0..3 {
            use_once(counting.url(), &secrets["admin"]);
        }
        drop(counting);
        let server = Served::start(&world, "latchkey.db");
        Self { world, server, secrets }
    }

    /// Runs a script of this folder; `None` when this machine lacks what it needs.
    fn run(&self, script: &str) -> Option<String> {
        let engines = root().join("target/engines/page");
        if !engines.join("installed").exists() {
            tests::skip!("needs `playwright-core`: run `tests/engines.sh` (it needs npm)");
        }
        let Some(chromium) = find("chromium") else { tests::skip!("needs `chromium`: run `tests/engines.sh`") };
        let given = json!({
            "url": self.server.url(), "secrets": self.secrets, "chromium": chromium, "engines": engines,
            "pictures": std::env::var_os("LATCHKEY_PICTURES").map(|_| root().join("docs/pictures")),
            "folder": self.world.folder(),
        });
        let mut command = Command::new("node");
        command.arg(root().join("tests/end_to_end/page").join(script)).env("NO_COLOR", "1");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(given.to_string().as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        println!("{stdout}");
        assert!(output.status.success(), "{script}: {stdout}{stderr}");
        assert!(stdout.trim_end().ends_with("done"), "{script} ended early: {stdout}");
        Some(stdout)
    }
}

fn use_once(url: &str, secret: &str) {
    let mut stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap();
    let head =
        format!("GET /v1/me HTTP/1.1\r\nhost: here\r\nauthorization: Bearer {secret}\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn a_person_signs_in_and_creates_copies_finds_rotates_and_deletes_a_token() {
    let shown = Shown::new();
    let Some(_) = shown.run("owner.mjs") else { return };
    let listed = shown.world.run("token list --user ana --format json").exits(0).json();
    let names: Vec<&str> = listed["active"].as_array().unwrap().iter().filter_map(|one| one["name"].as_str()).collect();
    assert!(!names.contains(&"made-by-hand"), "what the page deleted is gone: {names:?}");
}

#[test]
fn who_has_no_rights_sees_no_admin_part_and_who_has_no_token_sees_nothing() {
    let shown = Shown::new();
    shown.run("rights.mjs");
}

#[test]
fn an_admin_manages_users_roles_manifests_and_settings() {
    let shown = Shown::new();
    shown.run("admin.mjs");
}

#[test]
fn text_from_anywhere_is_shown_as_text() {
    let shown = Shown::new();
    for words in [
        vec!["token", "create", "attacked", "--user", "ana", "--description", "<img src=x onerror=window.pwned=1>"],
        vec!["token", "update", "attacked", "--user", "ana", "--label", "<b>k</b>=<script>window.pwned=1</script>"],
    ] {
        let output = shown.world.command(words).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    shown.run("hostile.mjs");
}

#[test]
fn every_state_is_readable_for_everybody_in_light_and_dark_on_every_width() {
    let shown = Shown::new();
    // A token with all that one can have: two versions, a place, and uses.
    let _ = shown.world.run("rotate production-api").exits(0);
    let counting = Served::start(&shown.world, "latchkey.db");
    for _ in 0..12 {
        use_once(counting.url(), &shown.world.entry(".env", "API_TOKEN"));
    }
    drop(counting);
    shown.run("looks.mjs");
}

#[test]
fn many_tokens_are_counted_narrowed_by_label_and_held_to_a_limit_that_its_person_sees() {
    let mut shown = Shown::new();
    let run = |words: &str| shown.world.run(&format!("{words} --service embedded:latchkey.db")).exits(0);
    run("user set eve --role reader");
    let eve = run("token create dev-eve-local --user eve").stdout.trim().to_owned();
    shown.secrets.insert("eve", eve);
    shown.run("many.mjs");
}
