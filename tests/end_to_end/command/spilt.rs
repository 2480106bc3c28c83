//! A secret among the arguments is said by nobody: whatever it was given for, to whichever command, in any format.

use provisioner::commands::grammar;
use tests::provision::{Ran, World, finish};

/// With a good checksum, and of no service.
const SECRET: &str = "lk_amc7q7333nwjw2wt_00000000000000000000000000000000000000000000vFuxk";
/// The same, mistyped.
const MISTYPED: &str = "lk_amc7q7333nwjw2wt_00000000000000000000000000000000000000000000vFuxx";
/// What nobody may read of either.
const PARTS: [&str; 3] = ["amc7q7333nwjw2wt", "00000000000000000000", "hunter2"];

fn run(world: &World, words: &[String]) -> Ran {
    let mut command = world.command(words);
    command.env("LATCHKEY_LOG", "trace").env("GITHUB_ACTIONS", "true");
    command.env("GITHUB_STEP_SUMMARY", world.path("summary.md"));
    finish(command.spawn().unwrap(), None)
}

#[track_caller]
fn says_nothing_of_it(world: &World, words: &[String]) {
    let ran = run(world, words);
    assert!(matches!(ran.code, Some(1 | 2)), "{words:?}: {ran:?}");
    for part in PARTS {
        assert!(!ran.stdout.contains(part) && !ran.stderr.contains(part), "{words:?}: {ran:?}");
    }
    assert!(ran.stderr.contains("help: "), "what to do is told: {words:?}: {ran:?}");
}

/// All ways to give `value` to one argument.
fn forms(long: Option<&str>, short: Option<char>, takes_value: bool, value: &str) -> Vec<Vec<String>> {
    let mut forms = Vec::new();
    if let Some(long) = long {
        forms.push(vec![format!("--{long}={value}")]);
        if takes_value {
            forms.push(vec![format!("--{long}"), value.to_owned()]);
        }
    }
    forms.extend(short.map(|short| vec![format!("-{short}{value}")]));
    if long.is_none() && short.is_none() {
        forms.push(vec![value.to_owned()]);
    }
    forms
}

#[test]
fn no_argument_of_any_command_is_said_again_when_it_is_a_secret() {
    let world = World::with(&format!("{}{}", super::START, super::TWO));
    let mut tried = 0;
    for (path, command) in grammar() {
        let with = |words: &[String]| [&path[..], words].concat();
        let arguments: Vec<_> = command.get_arguments().collect();
        let formats = arguments.iter().any(|argument| argument.get_id() == "format");
        for argument in arguments {
            let takes_value = argument.get_action().takes_values();
            for form in forms(argument.get_long(), argument.get_short(), takes_value, SECRET) {
                says_nothing_of_it(&world, &with(&form));
                tried += 1;
                if formats && argument.is_positional() {
                    let json = ["--format".to_owned(), "json".to_owned()];
                    says_nothing_of_it(&world, &with(&[&form[..], &json].concat()));
                }
            }
        }
        // Where no argument is: a command that there is not, one more word, an option that was mistyped.
        for word in [SECRET.to_owned(), MISTYPED.to_owned(), format!("--tokn={SECRET}"), format!("x={MISTYPED},y")] {
            says_nothing_of_it(&world, &with(&[word]));
        }
        says_nothing_of_it(&world, &with(&["--tokn".to_owned(), SECRET.to_owned()]));
    }
    assert!(tried >= 150, "{tried} arguments were tried");
    assert!(!world.path("summary.md").exists() && !world.path("latchkey.db").exists());
}

#[test]
fn a_url_with_a_password_is_not_said_again() {
    let world = World::with(&format!("{}{}", super::START, super::TWO));
    let url = "https://ana:hunter2@example.org/x";
    for (path, command) in grammar() {
        if !["plan", "copy", "token", "serve"].contains(&path.first().map_or("", String::as_str)) {
            continue;
        }
        for argument in command.get_arguments() {
            let takes_value = argument.get_action().takes_values();
            for form in forms(argument.get_long(), argument.get_short(), takes_value, url) {
                says_nothing_of_it(&world, &[&path[..], &form].concat());
            }
        }
    }
    // What stands for an argument in the environment is shown by help pages too.
    for value in [url, SECRET] {
        for words in ["--help", "role list"] {
            let ran = world.run_in(&[("LATCHKEY_SERVICE", value)], words).exits(1);
            assert!(!PARTS.iter().any(|part| ran.stdout.contains(part) || ran.stderr.contains(part)), "{ran:?}");
        }
    }
}
