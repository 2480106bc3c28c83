//! What the API, the table or a file says is text to a terminal and to a runner, in every command and every format.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use tests::provision::{DAY, Ran, World};
use tests::remote::Served;

use super::{START, TWO};

/// What is put for [`MARK`] into every answer of the server.
const HOSTILE: &str =
    "x\u{1b}]0;t\u{7}\u{1b}[2J\r\n::error::pwned\n##[error]pwned\t\u{202e}\u{2066}\u{61c}\u{2028}\u{85}\u{7f}y";
const MARK: &str = "MARKED";

/// A server that says hostile things: it passes on what `serve` answers, with [`HOSTILE`] for [`MARK`].
fn hostile(upstream: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let upstream = upstream.trim_start_matches("http://").to_owned();
    std::thread::spawn(move || {
        for near in listener.incoming().flatten() {
            let upstream = upstream.clone();
            std::thread::spawn(move || pass(near, &upstream));
        }
    });
    url
}

fn pass(mut near: TcpStream, upstream: &str) -> Option<()> {
    let (head, body) = message(&mut near)?;
    let mut far = TcpStream::connect(upstream).ok()?;
    let head = head.trim_end();
    far.write_all(format!("{head}\r\nconnection: close\r\n\r\n").as_bytes()).ok()?;
    far.write_all(&body).ok()?;
    let (head, body) = message(&mut far)?;
    let inner = serde_json::to_string(HOSTILE).unwrap();
    let body = String::from_utf8(body).ok()?.replace(MARK, inner.trim_matches('"'));
    let kept = |line: &&str| {
        let line = line.to_ascii_lowercase();
        !line.starts_with("content-length:") && !line.starts_with("connection:")
    };
    let head: Vec<&str> = head.trim_end().lines().filter(kept).collect();
    let head = format!("{}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", head.join("\r\n"), body.len());
    near.write_all(head.as_bytes()).ok()?;
    near.write_all(body.as_bytes()).ok()
}

/// Reads a head and a body of the length that it states.
fn message(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut read = Vec::new();
    let mut byte = [0; 1];
    while !read.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        read.push(byte[0]);
    }
    let head = String::from_utf8(read).ok()?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).ok()?;
    Some((head, body))
}

fn is_odd(character: char) -> bool {
    let turns = matches!(
        character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}'
    );
    character != '\n' && (character.is_control() || turns)
}

/// Asserts that nothing of a text is more than text.
#[track_caller]
fn is_plain(actions: bool, words: &str, text: &str) {
    assert_eq!(text.chars().find(|character| is_odd(*character)), None, "{words}: {text:?}");
    for line in text.lines() {
        let is_command = line.trim_start().starts_with("::error::") || line.contains("##[");
        assert!(!actions || !is_command, "{words}: {line}");
        assert!(!line.trim_start().starts_with("pwned"), "{words}: a line was broken: {text}");
    }
}

const COMMANDS: [&str; 20] = [
    "plan",
    "plan --prune",
    "plan --at 2090-01-01",
    "plan --offline",
    "status",
    "doctor",
    "doctor --policy",
    "check",
    "apply",
    "apply --only build-api",
    "rotate build-api",
    "rotate --compromised deploy-api --yes",
    "token list --user ci --ended 10",
    "token show by-hand --user ci",
    "token show build-api --user ci",
    "token roles by-hand --user ci",
    "token usage by-hand --user ci",
    "user list",
    "role list",
    "manifest show acme",
];

#[test]
fn nothing_that_a_server_says_is_more_than_text_in_any_command_and_format() {
    let world = World::new();
    let direct = "--service embedded:latchkey.db";
    let admin = world.run(&format!("bootstrap --user root {direct}")).exits(0).stdout.trim().to_owned();
    let served = Served::start(&world, "latchkey.db");
    let url = hostile(served.url());
    let run = |actions: bool, words: &str| -> Ran {
        let summary = world.path("summary.md").display().to_string();
        let mut environment = vec![("LATCHKEY_URL", url.as_str()), ("LATCHKEY_TOKEN", admin.as_str())];
        if actions {
            environment.extend([("GITHUB_ACTIONS", "true"), ("GITHUB_STEP_SUMMARY", summary.as_str())]);
        }
        world.run_in(&environment, words)
    };
    let described =
        TWO.replace("user = \"ci\"", "user = \"ci\"\ndescription = \"MARKED\"\nlabels = { team = \"MARKED\" }");
    let manifest = START.replace("embedded = \"latchkey.db\"", &format!("url = \"{url}\"")) + &described;
    world.write("tokens.toml", &manifest.replace("path = \".env\"", "path = \"MARKED.env\""));
    run(false, "manifest grant acme -p documents:read").exits(0);
    run(false, "apply").exits(0);
    // What was delivered there is known by the record only, whose path is hostile by now.
    world.write("tokens.toml", &manifest);
    let made = ["token", "set", "by-hand", "--user", "ci", "--description", "MARKED", "--label", "team=MARKED"];
    let mut command = world.command(made);
    command.env("LATCHKEY_URL", &url).env("LATCHKEY_TOKEN", &admin);
    assert!(command.status().unwrap().success());
    let mut seen = 0;
    for words in COMMANDS {
        for form in ["text", "json", "markdown"] {
            let takes_all = words.starts_with(|first: char| "pdscar".contains(first)) && !words.starts_with("role");
            if form == "markdown" && !takes_all {
                continue;
            }
            for actions in [false, true] {
                let ran = run(actions, &format!("{words} --format {form}"));
                is_plain(actions, words, &ran.stderr);
                seen += usize::from(ran.stdout.contains("pwned") || ran.stderr.contains("pwned"));
                match form {
                    "json" => {
                        assert_eq!(ran.stdout.chars().find(|character| is_odd(*character)), None, "{words}");
                        if !ran.stdout.is_empty() {
                            let _ = ran.json();
                        }
                    }
                    _ => is_plain(actions, words, &ran.stdout),
                }
            }
        }
    }
    assert!(seen >= 12, "hostile words were printed {seen} times only");
    world.clock(100 * DAY);
    for words in ["plan", "status", "doctor"] {
        let ran = run(true, words);
        is_plain(true, words, &format!("{}{}", ran.stdout, ran.stderr));
    }
    is_plain(false, "the step's summary", &world.read("summary.md"));
}

#[test]
fn nothing_that_a_file_says_is_more_than_text() {
    let world = World::with(&format!("{START}{TWO}"));
    world.run("plan --out plan.json").exits(0);
    let mut plan: serde_json::Value = serde_json::from_str(&world.read("plan.json")).unwrap();
    plan["lines"] = serde_json::json!([HOSTILE]);
    plan["plan_id"] = serde_json::json!("0".repeat(32));
    world.write("plan.json", &plan.to_string());
    for environment in [&[][..], &[("GITHUB_ACTIONS", "true")]] {
        for form in ["text", "json", "markdown"] {
            let ran = world.run_in(environment, &format!("apply --plan plan.json --format {form}")).exits(5);
            assert!(ran.stderr.contains("pwned"), "{}", ran.stderr);
            is_plain(!environment.is_empty(), form, &ran.stderr);
            if form != "json" {
                is_plain(!environment.is_empty(), form, &ran.stdout);
            }
        }
    }
    // A manifest's lines are shown with its faults.
    world.write("tokens.toml", &format!("# {HOSTILE}\n{START}\u{1b}[2J = \u{202e}\n"));
    let colours = regex::Regex::new("\u{1b}\\[[0-9;]*m").unwrap();
    for environment in [&[][..], &[("GITHUB_ACTIONS", "true")], &[("CLICOLOR_FORCE", "1")]] {
        let ran = world.run_in(environment, "check").exits(1);
        is_plain(
            environment.iter().any(|(name, _)| *name == "GITHUB_ACTIONS"),
            "check",
            &colours.replace_all(&ran.stderr, ""),
        );
    }
}
