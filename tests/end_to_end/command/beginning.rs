//! A newcomer's way: from the binary and an empty folder to a token that is checked over HTTP.

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tests::provision::{Ran, World, finish, secrets_in};
use tests::remote::Served;
use tests::terminal::Terminal;

use super::assert_told;

fn shell(world: &World, line: &str) -> Ran {
    let mut command = Command::new("sh");
    world.prepare(&mut command);
    command.args(["-c", line]);
    finish(command.spawn().unwrap(), None)
}

/// The lines to paste, as they are printed.
fn printed(ran: &Ran) -> Vec<String> {
    ran.stdout
        .lines()
        .filter_map(|line| line.strip_prefix("  "))
        .skip_while(|line| *line != "provision serve &")
        .map(str::to_owned)
        .collect()
}

#[test]
fn three_commands_lead_to_a_token_that_is_checked_with_one_that_may_do_nothing_else() {
    let world = World::new();
    let began = Instant::now();
    let ran = world.run("quickstart acme-first").exits(0);
    assert!(secrets_in(&format!("{}{}", ran.stdout, ran.stderr)).is_empty());
    assert_told!(world);
    let lines = printed(&ran);
    let [_, check] = lines.as_slice() else { panic!("{lines:?}") };
    let served = Served::start(&world, "latchkey.db");
    let check = check.replace("http://127.0.0.1:8787", served.url());
    let answer = shell(&world, &check).exits(0).json();
    assert_eq!((&answer["active"], &answer["scope"]), (&true.into(), &"documents:read".into()), "{answer}");
    let taken = began.elapsed();
    assert!(taken < Duration::from_secs(20), "three commands took {taken:?}");
    // The secrets are in the file alone, which is its owner's, and no argument has one.
    assert_eq!(std::fs::metadata(world.path(".env")).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!check.contains("lk_"));
    // The checker checks, and may do nothing else; the token cannot even check.
    let call = |entry: &str, path: &str, data: &str| {
        let url = served.url();
        let line = format!(
            "(. ./.env && printf 'header = \"Authorization: Bearer %s\"\\n{data}' \"${entry}\" | curl -s -o /dev/null \
             -w '%{{http_code}}' --config - {url}{path})"
        );
        shell(&world, &line).exits(0).stdout
    };
    assert_eq!(call("LATCHKEY_CHECK_TOKEN", "/v1/me", ""), "200");
    assert_eq!(call("LATCHKEY_CHECK_TOKEN", "/v1/users", ""), "403");
    assert_eq!(call("LATCHKEY_CHECK_TOKEN", "/v1/users/report-service/tokens", ""), "404");
    assert_eq!(call("API_TOKEN", "/v1/introspect", "data = \"token=x\"\\n"), "403");
}

#[test]
fn what_is_to_be_pasted_is_whole_on_a_narrow_terminal() {
    let world = World::new();
    let command = world.command(["quickstart"]);
    let Some(terminal) = Terminal::start_wide(&command, 60) else { return };
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(0), "{shown}");
    let whole = |line: &str| line.starts_with("  (. ./.env && ") && line.ends_with("/v1/introspect)");
    assert!(shown.lines().any(whole), "{shown}");
}

#[test]
fn a_second_quickstart_changes_nothing_and_says_so() {
    let world = World::new();
    world.run("quickstart").exits(0);
    let (manifest, secrets) = (world.read("tokens.toml"), world.read(".env"));
    let again = world.run("quickstart").exits(0);
    assert!(again.stdout.starts_with("No changes: 2 tokens"), "{}", again.stdout);
    assert_eq!(printed(&again).len(), 2, "how to go on is shown again");
    assert_eq!((world.read("tokens.toml"), world.read(".env")), (manifest, secrets));
}

#[test]
fn a_quickstart_replaces_nothing_that_is_there() {
    let refused = |world: &World, words: &str| {
        let list = || {
            let mut files: Vec<_> =
                std::fs::read_dir(world.folder()).unwrap().map(|file| file.unwrap().file_name()).collect();
            files.sort();
            files
        };
        let before = list();
        world.run(words).exits(1);
        assert_eq!(list(), before, "{words}");
    };
    let world = World::new();
    world.write("tokens.toml", "manifest = \"mine\"\n");
    refused(&world, "quickstart");
    assert_eq!(world.read("tokens.toml"), "manifest = \"mine\"\n");
    std::fs::remove_file(world.path("tokens.toml")).unwrap();
    world.write("latchkey.db", "");
    refused(&world, "quickstart");
    std::fs::remove_file(world.path("latchkey.db")).unwrap();
    world.write(".env", "A=1\nAPI_TOKEN=mine\n");
    refused(&world, "quickstart");
    assert_eq!(world.read(".env"), "A=1\nAPI_TOKEN=mine\n");
    refused(&world, "quickstart Bad_Name");
    refused(&world, "quickstart --service embedded:other.db");
    assert_told!(world);
}

fn git(world: &World, words: &[&str]) -> Ran {
    let mut command = Command::new("git");
    world.prepare(&mut command);
    command.args(words).stdin(Stdio::null());
    finish(command.spawn().unwrap(), None)
}

/// What the table leaves beside it is found by using it, not by a list.
#[test]
fn after_init_or_quickstart_git_offers_nothing_but_the_manifest() {
    for begin in ["init", "quickstart"] {
        let world = World::new();
        git(&world, &["init", "--quiet"]).exits(0);
        world.write(".gitignore", "target\r\n.env\r\n");
        let told = world.run(begin).exits(0).stdout;
        assert!(told.contains("Added `latchkey.db*`, `*.latchkey-*` to `.gitignore`"), "{told}");
        assert_eq!(world.read(".gitignore"), "target\r\n.env\r\nlatchkey.db*\r\n*.latchkey-*\r\n");
        world.run("apply").exits(0);
        let served = Served::start(&world, "latchkey.db");
        let offered = git(&world, &["status", "--porcelain", "--untracked-files=all"]).exits(0).stdout;
        drop(served);
        assert_eq!(offered, "?? .gitignore\n?? tokens.toml\n", "{begin}");
    }
    let world = World::new();
    world.run("init").exits(0);
    assert!(!world.path(".gitignore").exists(), "nothing outside of a work tree");
    let world = World::new();
    git(&world, &["init", "--quiet"]).exits(0);
    world.run("init --no-gitignore").exits(0);
    assert!(!world.path(".gitignore").exists(), "nor where it is not wanted");
}
