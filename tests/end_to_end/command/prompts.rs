//! Every question of a command at a terminal: what is asked, what each answer does, and how one leaves it.

use rustix::process::Signal;
use tests::provision::World;
use tests::terminal::Terminal;

use super::{START, TWO, applied};

fn at_a_terminal(world: &World, words: &str) -> Option<Terminal> {
    Terminal::start(&world.command(words.split_whitespace()))
}

/// A world where one of [`TWO`] tokens is no longer declared.
fn with_one_less() -> World {
    let world = applied();
    let text = world.read("tokens.toml");
    let (rest, _) = text.split_once("\n[tokens.deploy-api]").unwrap();
    world.write("tokens.toml", rest);
    world
}

#[test]
fn a_person_who_prunes_confirms_what_is_deleted() {
    let world = with_one_less();
    // An empty line, no, what is no yes here, and the end of input.
    for keys in ["\n", "no\n", "y\n", "\u{4}"] {
        let Some(mut terminal) = at_a_terminal(&world, "apply --prune") else { return };
        terminal.wait_for("Delete 1 token and 1 entry? Type `yes` to confirm: ");
        terminal.presses(keys);
        let (code, screen) = terminal.end();
        assert!(code == Some(4) && screen.contains("Nothing was changed"), "{keys:?}: {screen}");
        assert!(!screen.contains("error"), "a no is none: {screen}");
        assert!(world.read(".env").contains("DEPLOY_TOKEN=lk_"));
    }
    let mut terminal = at_a_terminal(&world, "apply --prune").unwrap();
    terminal.wait_for("Type `yes` to confirm: ");
    terminal.types("yes");
    let (code, screen) = terminal.end();
    assert_eq!(code, Some(0), "{screen}");
    assert_eq!(screen.matches("prune, no longer declared").count(), 1, "the plan is shown once: {screen}");
    assert!(!world.read(".env").contains("DEPLOY_TOKEN"));
}

#[test]
fn who_confirmed_beforehand_or_is_no_person_is_not_asked() {
    let world = with_one_less();
    let Some(terminal) = at_a_terminal(&world, "apply --prune --yes") else { return };
    let (code, screen) = terminal.end();
    assert!(code == Some(0) && !screen.contains("to confirm"), "{screen}");
    let world = with_one_less();
    assert!(!world.run("apply --prune").exits(0).stderr.contains("confirm"));
}

#[test]
fn a_plan_that_changed_while_somebody_thought_is_asked_about_again() {
    let world = with_one_less();
    let Some(mut terminal) = at_a_terminal(&world, "apply --prune") else { return };
    terminal.wait_for("Type `yes` to confirm: ");
    let build = world.entry(".env", "BUILD_TOKEN");
    world.write(".env", &world.read(".env").replace(&build, "lk_changed"));
    terminal.types("yes");
    terminal.wait_for("rotate to version 2, as `.env BUILD_TOKEN` lacks the current version");
    terminal.wait_for("Type `yes` to confirm: ");
    terminal.types("no");
    assert_eq!(terminal.end().0, Some(4));
}

#[test]
fn ctrl_c_at_a_question_exits_130_and_does_nothing() {
    let world = with_one_less();
    let Some(mut terminal) = at_a_terminal(&world, "apply --prune") else { return };
    terminal.wait_for("Type `yes` to confirm: ");
    terminal.presses("\u{3}");
    let (code, screen) = terminal.end();
    assert!(code == Some(130) && screen.contains("interrupted at a question"), "{code:?}: {screen}");
    assert!(world.read(".env").contains("DEPLOY_TOKEN=lk_"));
    // Its lease is given back.
    world.run("apply --wait 0").exits(0);
    let mut terminal = at_a_terminal(&world, "token delete build-api -u ci").unwrap();
    terminal.wait_for("[y/N]");
    terminal.presses("\u{3}");
    // A shell shows 130 for one that this signal has ended.
    assert!(matches!(terminal.end().0, None | Some(130)));
    world.run("token show build-api -u ci").exits(0);
}

#[test]
fn a_token_is_deleted_and_a_leak_replaced_only_after_the_answer_for_it() {
    let world = applied();
    let Some(mut terminal) = at_a_terminal(&world, "token delete deploy-api -u ci") else { return };
    terminal.wait_for("Delete `ci/deploy-api`? Its secrets are revoked at once, for good [y/N] ");
    terminal.types("n");
    let (code, screen) = terminal.end();
    assert!(code == Some(4) && screen.contains("Nothing was changed") && !screen.contains("error"), "{screen}");
    let leaked = world.entry(".env", "BUILD_TOKEN");
    for (answer, code) in [("deploy-api", 4), ("build-api", 0)] {
        let mut terminal = at_a_terminal(&world, "rotate --compromised build-api").unwrap();
        terminal.wait_for("Type the token's name to confirm: ");
        terminal.types(answer);
        let (ended, screen) = terminal.end();
        assert_eq!(ended, Some(code), "{screen}");
        assert_eq!(world.is_valid(&leaked), code == 4);
        assert!(tests::provision::secrets_in(&screen).is_empty(), "{screen}");
    }
}

/// The commands that ask for a yes before they take something away, with what they ask.
const ASKED: [(&str, &str); 7] = [
    ("token delete by-hand -u ana", "Delete `ana/by-hand`? Its secrets are revoked at once, for good [y/N] "),
    ("user set ana --remove-role writer", "Change `ana` at once? [y/N] "),
    ("role set reader --permission other:read", "Change the role `reader` at once? [y/N] "),
    ("role remove wide wide:read", "Change the role `wide` at once? [y/N] "),
    ("settings unset older_prefixes", "Refuse secrets that start with "),
    ("role delete spare", "Delete the role `spare`, which no user has and which allows spare:read? [y/N] "),
    ("user delete bob", "Delete the person `bob`, who has no roles? [y/N] "),
];

/// A world where each of [`ASKED`] has something to take away.
fn with_people() -> World {
    let world = applied();
    for role in ["writer", "spare", "wide"] {
        world.run(&format!("role set {role} --permission {role}:read")).exits(0);
    }
    world.run("user set ana --role reader --role writer").exits(0);
    world.run("user set bob").exits(0);
    world.run("token create by-hand -u ana").exits(0);
    world.run("settings set prefix acme").exits(0);
    world
}

fn records(world: &World) -> Vec<String> {
    let all = ["user list", "role list", "token list -u ana", "settings show"];
    all.iter().map(|words| world.run(&format!("{words} --format json")).exits(0).stdout).collect()
}

#[test]
fn what_takes_something_away_does_so_only_after_a_yes() {
    let world = with_people();
    let before = records(&world);
    let also = [("settings set older_prefixes none", "Refuse secrets that start with ")];
    for (words, question) in ASKED.into_iter().chain(also) {
        // No, an empty line, what is no answer, and the end of input.
        for keys in ["n\n", "\n", "yess\n", "\u{4}"] {
            let Some(mut terminal) = at_a_terminal(&world, words) else { return };
            terminal.wait_for(question);
            terminal.presses(keys);
            let (code, screen) = terminal.end();
            assert!(code == Some(4) && screen.contains("Nothing was changed"), "{words} {keys:?}: {screen}");
        }
        let mut terminal = at_a_terminal(&world, words).unwrap();
        terminal.wait_for(question);
        terminal.presses("\u{3}");
        assert!(matches!(terminal.end().0, None | Some(130)), "{words}");
    }
    assert_eq!(records(&world), before);
    for (words, question) in ASKED {
        let before = records(&world);
        let mut terminal = at_a_terminal(&world, words).unwrap();
        terminal.wait_for(question);
        terminal.types("y");
        let (code, screen) = terminal.end();
        assert_eq!(code, Some(0), "{words}: {screen}");
        assert!(tests::provision::secrets_in(&screen).is_empty(), "{screen}");
        assert_ne!(records(&world), before, "{words}");
    }
}

#[test]
fn a_secret_that_is_typed_is_not_shown_and_the_terminal_is_as_before_however_it_ends() {
    let world = applied();
    let secret = world.entry(".env", "BUILD_TOKEN");
    let Some(mut terminal) = at_a_terminal(&world, "token verify") else { return };
    // Pasted before anything is asked, and mistyped first.
    terminal.wait_for("Secret: ");
    terminal.types(&format!("oops\u{15}{secret}x\u{7f}"));
    let (code, screen, shows) = terminal.end_with_mode();
    assert!(code == Some(0) && shows, "{screen}");
    assert!(
        screen.contains("Valid: `ci/build-api`") && !screen.contains(&secret) && !screen.contains("oops"),
        "{screen}"
    );
    for (signal, code) in [(Signal::TERM, 143), (Signal::HUP, 129), (Signal::INT, 130)] {
        let mut terminal = at_a_terminal(&world, "token verify").unwrap();
        terminal.wait_for("Secret: ");
        terminal.signal(signal);
        let (ended, screen, shows) = terminal.end_with_mode();
        assert!(shows, "the terminal stays silent after {signal:?}");
        assert_eq!(ended, Some(code), "{screen}");
    }
    let mut terminal = at_a_terminal(&world, "token verify").unwrap();
    terminal.wait_for("Secret: ");
    terminal.presses("\u{3}");
    let (code, screen, shows) = terminal.end_with_mode();
    assert!(code == Some(130) && shows, "{code:?}: {screen}");
}

#[test]
fn a_dry_run_shows_the_plan_asks_nothing_and_changes_nothing() {
    let world = with_one_less();
    let Some(terminal) = at_a_terminal(&world, "apply --prune --dry-run") else { return };
    let (code, screen) = terminal.end();
    assert!(
        code == Some(0) && screen.contains("prune, no longer declared") && !screen.contains("to confirm"),
        "{screen}"
    );
    assert!(world.run("rotate build-api --dry-run").exits(0).stdout.contains("rotate to version 2, as requested"));
    assert!(world.read(".env").contains("DEPLOY_TOKEN=lk_"));
    assert_eq!(world.run("token show build-api -u ci --format json").json()["versions"].as_array().unwrap().len(), 1);
    let fresh = World::with(&format!("{START}{TWO}"));
    fresh.run("apply --dry-run").exits(0);
    assert!(!fresh.path("latchkey.db").exists());
}
