//! What people see: screens of several widths, progress, and colour.

use std::time::Duration;

use tests::provision::{World, finish};
use tests::terminal::Terminal;

use super::{START, TWO, applied};

fn screen(world: &World, words: &str, columns: u16, term: &str) -> Option<String> {
    let mut command = world.command(words.split_whitespace());
    let (_, mut screen) = Terminal::start_wide(command.env("TERM", term), columns)?.end_on_screen(columns);
    // What differs from run to run may be cut too; an id may begin with letters only.
    for id in ids(world) {
        for kept in (5..id.len()).rev() {
            screen = screen.replace(&format!("{}…", &id[..kept]), "<id>…");
        }
    }
    let screen = regex::Regex::new("20[0-9]{2}-[-0-9]*(?: [0-9:]*)?…").unwrap().replace_all(&screen, "<date>…");
    Some(format!("$ provision {words}  # {columns} columns, TERM={term}\n{}\n", world.redact(&screen)))
}

/// The ids of the tokens that are there.
fn ids(world: &World) -> Vec<String> {
    let listed = world.run("token list -u ci --format json").stdout;
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap_or_default();
    let tokens = listed["active"].as_array().cloned().unwrap_or_default();
    tokens.iter().map(|token| token["id"].as_str().unwrap().to_owned()).collect()
}

/// A world with names as long as people have them, and all that a table can show.
fn crowded() -> World {
    let long = TWO.replace("build-api]", "production-invoice-rendering-api]").replace("deploy-api]", "nightly-report]");
    let text = format!("{START}{long}").replace("[tokens.nightly-report]\n", "[tokens.nightly-report]\ndescription = \"Reads documents for the report that is sent to all customers at night\"\n");
    World::with(&text)
}

#[test]
fn what_is_printed_fits_the_screen() {
    let world = crowded();
    let mut screens = Vec::new();
    for columns in [60, 80, 120] {
        let Some(screen) = screen(&world, "plan", columns, "xterm-256color") else { return };
        screens.push(screen);
    }
    screens.push(screen(&world, "apply", 80, "xterm-256color").unwrap());
    world.run("rotate production-invoice-rendering-api").exits(0);
    world.write(".env", &world.read(".env").replace("DEPLOY_TOKEN=lk", "DEPLOY_TOKEN=xx"));
    for (words, columns, term) in [
        ("status", 60, "xterm-256color"),
        ("status", 80, "xterm-256color"),
        ("status", 120, "dumb"),
        ("token list -u ci", 60, "xterm-256color"),
        ("token list -u ci", 80, "dumb"),
        ("token list -u ci", 120, "xterm-256color"),
        ("apply --dry-run", 60, "dumb"),
    ] {
        screens.push(screen(&world, words, columns, term).unwrap());
    }
    for screen in &screens {
        let columns: usize = screen.split(" # ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
        // What was replaced may be longer than it was.
        let fits = |line: &str| line.chars().count() <= columns || line.contains('<');
        assert!(screen.lines().skip(1).all(fits), "{screen}");
    }
    insta::assert_snapshot!(screens.join("\n"));
    // Where nobody looks nothing is cut.
    assert!(world.run("token list -u ci").exits(0).stdout.contains("sent to all customers at night"));
}

#[test]
fn results_stay_below_a_bar_that_moves_and_is_gone_at_the_end() {
    let world = World::with(&format!("{}{TWO}", START.replace("\".env\"", "\"env/.env\"")));
    std::fs::create_dir(world.path("env")).unwrap();
    // Somebody else writes to that file, so the first push waits.
    let site = latchkey_sinks::files::Site::open(&world.path("env/.env")).unwrap();
    let lock = site.lock(Duration::from_secs(5)).unwrap();
    let mut command = world.command(["apply"]);
    let Some(mut terminal) = Terminal::start_wide(command.env("TERM", "xterm-256color"), 80) else { return };
    // It is there before anything is done, and is drawn again while nothing is.
    for _ in 0..3 {
        terminal.wait_for("0/2 tokens");
    }
    drop(lock);
    let (code, screen) = terminal.end_on_screen(80);
    assert_eq!(code, Some(0), "{screen}");
    assert_eq!(screen.matches("\ndone token `ci/").count(), 2, "{screen}");
    assert!(screen.ends_with("Done: 4 changed") && !screen.contains("/2 tokens"), "{screen}");
}

#[test]
fn no_bar_is_drawn_where_nobody_wants_or_can_see_one() {
    for (words, term) in [("apply", "dumb"), ("apply --quiet", "xterm-256color")] {
        let world = World::with(&format!("{START}{TWO}"));
        let mut command = world.command(words.split_whitespace());
        let Some(terminal) = Terminal::start_wide(command.env("TERM", term), 80) else { return };
        let (code, stream) = terminal.end();
        assert!(code == Some(0) && !stream.contains("/2 tokens"), "{stream}");
        assert_eq!(stream.contains("done token"), term == "dumb", "{stream}");
        let redraws = ["\u{1b}[2K", "\u{1b}[1A"].iter().any(|code| stream.contains(code));
        assert!(!redraws, "{stream:?}");
    }
}

#[test]
fn colour_is_where_it_is_wanted_and_says_nothing_that_words_do_not() {
    let world = applied();
    world.write(".env", &world.read(".env").replace("DEPLOY_TOKEN=lk", "DEPLOY_TOKEN=xx"));
    let run = |words: &str, environment: &[(&str, &str)]| {
        let mut command = world.command(words.split_whitespace());
        finish(command.envs(environment.iter().copied()).spawn().unwrap(), None)
    };
    let strip = |text: &str| regex::Regex::new("\u{1b}\\[[0-9;]*m").unwrap().replace_all(text, "").into_owned();
    for words in ["status", "doctor", "plan", "token list -u ci", "plan --help"] {
        let plain = run(words, &[]).stdout;
        assert!(!plain.contains('\u{1b}'), "{words}: {plain:?}");
        for (flag, environment) in [("--color always", &[("NO_COLOR", "1")]), ("", &[("CLICOLOR_FORCE", "1")])] {
            let coloured = run(&format!("{words} {flag}"), environment).stdout;
            let is_flat = words == "token list -u ci";
            assert!(is_flat || coloured.contains("\u{1b}["), "{words} {flag}: {coloured:?}");
            assert_eq!(strip(&coloured), plain, "{words}");
        }
        for environment in [("NO_COLOR", "1"), ("TERM", "dumb")] {
            let mut command = world.command(words.split_whitespace());
            let command = command.env("TERM", "xterm-256color").env(environment.0, environment.1);
            let Some(terminal) = Terminal::start_wide(command, 200) else { return };
            let (_, stream) = terminal.end();
            assert!(!stream.contains("\u{1b}[3"), "{words}: {stream:?}");
        }
    }
    let status = run("status --color always", &[]).stdout;
    assert!(status.contains("\u{1b}[31mchanged") && status.contains("\u{1b}[32m1"), "{status:?}");
    let refused = run("plan --color always --nope", &[]).stderr;
    assert!(refused.contains("\u{1b}["), "{refused:?}");
}

#[test]
fn who_stops_reading_is_not_told_of_it() {
    let world = applied();
    let mut shell = std::process::Command::new("sh");
    world.prepare(&mut shell);
    let provision = world.command(["man"]).get_program().to_owned();
    shell
        .arg("-c")
        .arg("for words in man --help 'help environment' 'completions bash' schema; do \"$0\" $words | head -1; done");
    let ran = finish(shell.arg(provision).spawn().unwrap(), None).exits(0);
    assert!(ran.stderr.is_empty(), "{}", ran.stderr);
    assert_eq!(ran.stdout.lines().count(), 5, "{}", ran.stdout);
}
