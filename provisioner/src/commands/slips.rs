//! Command lines that are almost right: what was meant instead. Of other errors in a line clap's own words are shown,
//! without any value that looks like a secret.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::arguments::grammar;
use super::exit::Fault;
use super::suspect;
use crate::output::{Format, Printer};

/// What people call what a command does, and what it is called here. The first that the command has is meant.
const VERBS: &[(&[&str], &[&str], &str)] = &[
    (&["new", "add", "create", "make", "issue", "generate"], &["set", "grant"], "create"),
    (&["edit", "update", "change", "modify", "put"], &["set", "grant"], "change"),
    (&["rm", "remove", "del", "destroy", "revoke", "drop"], &["delete", "unset"], "delete"),
    (&["ls", "all"], &["list", "show"], "list"),
    (&["get", "info", "describe", "view", "cat", "inspect"], &["show", "list"], "show"),
];

/// What people type first, and what to run instead.
const COMMANDS: &[(&[&str], &str)] = &[
    (&["version"], "print the version with `provision --version`"),
    (
        &["ls", "list", "show"],
        "list your tokens with `provision token list`, and those of the manifest with `provision status`",
    ),
    (
        &["revoke", "delete", "rm", "remove"],
        "revoke a token with `provision token delete NAME`, or replace a leaked secret of the manifest with `provision \
         rotate --compromised NAME`",
    ),
    (
        &["create", "new", "add"],
        "create a token with `provision token create NAME`, or a manifest with `provision init`",
    ),
    (&["diff", "preview"], "show what would change with `provision plan`"),
    (&["sync", "deploy", "push", "up", "update"], "make everything match the manifest with `provision apply`"),
    (&["validate", "lint"], "check a manifest with `provision check`"),
    (&["verify"], "verify a secret with `provision token verify`, which reads it from stdin"),
    (&["auth", "signin"], "log in with `provision login --server HOST`"),
    (&["destroy"], "delete what is no longer declared with `provision apply --prune`"),
    (&["server", "start"], "serve the API with `provision serve`"),
];

/// Options that people know from other tools, and what to pass instead.
const OPTIONS: &[(&[&str], &str)] = &[
    (
        &["--auto-approve", "-auto-approve", "--approve", "--no-confirm", "--assume-yes"],
        "pass `--yes` to confirm beforehand",
    ),
    (&["--file", "-f", "--manifest", "--config"], "pass the manifest's file itself: `provision apply FILE`"),
    (&["--check", "--preview", "--plan-only", "--noop"], "pass `--dry-run`, or run `provision plan`"),
    (&["--json"], "pass `--format json`"),
    (&["--no-color", "--no-colour", "--colour"], "pass `--color never`"),
    (&["--chdir", "--cwd", "--dir"], "pass `--directory FOLDER`"),
    (&["--url", "--host", "--endpoint"], "pass `--service URL`, and to `provision login` `--server HOST`"),
    (&["--debug"], "set `LATCHKEY_LOG=provisioner=debug`"),
];

/// Prints what is wrong with a command line.
pub(super) fn show(words: &[OsString], error: &clap::Error) {
    let printer = Printer { format: Format::Text };
    let words: Vec<String> = words.iter().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    if let Some(fault) = meant(&words, error) {
        return printer.error(&fault.message, fault.hint.as_deref());
    }
    let rendered = error.render();
    let text = if printer.colour() { rendered.ansi().to_string() } else { rendered.to_string() };
    printer.rendered(suspect::masked(text.trim_end(), &words).trim_end());
}

/// What was meant, where that is known.
fn meant(words: &[String], error: &clap::Error) -> Option<Fault> {
    let path = path(words);
    let at = path.join(" ");
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    match error.kind() {
        ErrorKind::UnknownArgument => {
            let unknown = context(ContextKind::InvalidArg)?;
            if suspect::names_a_secret(unknown) {
                let hint = match at.as_str() {
                    "login" => {
                        "leave it out to be asked for the token, or pipe it in: `printenv API_TOKEN | provision login \
                         --server HOST --with-token`"
                    }
                    _ => {
                        "pipe a secret in: `printenv API_TOKEN | provision token verify`; a token for the service is read \
                          from `LATCHKEY_TOKEN`"
                    }
                };
                return Some(
                    Fault::new("a secret cannot be passed as an argument, where other users of the machine can see it")
                        .hint(hint),
                );
            }
            if at == "login" && !unknown.starts_with('-') {
                return Some(
                    Fault::new("`provision login` takes the server as an option")
                        .hint("run `provision login --server HOST`"),
                );
            }
            let typed = |name: &&&str| **name == unknown || (name.len() > 2 && words.iter().any(|word| word == **name));
            let (name, hint) =
                OPTIONS.iter().find_map(|(names, hint)| names.iter().find(typed).map(|name| (*name, *hint)))?;
            Some(Fault::new(format!("there is no option `{name}`")).hint(hint))
        }
        ErrorKind::InvalidSubcommand => {
            let unknown = context(ContextKind::InvalidSubcommand)?;
            if path.is_empty() {
                let (names, hint) = COMMANDS.iter().find(|(names, _)| names.contains(&unknown))?;
                let name = names.iter().find(|name| **name == unknown)?;
                return Some(Fault::new(format!("there is no command `provision {name}`")).hint(*hint));
            }
            let (names, ours, verb) = VERBS.iter().find(|(names, ..)| names.contains(&unknown))?;
            let name = names.iter().find(|name| **name == unknown)?;
            let target =
                ours.iter().find(|name| command(&path).is_some_and(|found| found.find_subcommand(name).is_some()))?;
            Some(
                Fault::new(format!("there is no command `provision {at} {name}`"))
                    .hint(format!("{verb} with `provision {at} {target}`, see `provision {at} {target} --help`")),
            )
        }
        _ => None,
    }
}

/// The command that words lead to. Options of every command may come before.
fn path(words: &[String]) -> Vec<&str> {
    let (mut path, mut command) = (Vec::new(), grammar());
    let mut rest = words.iter().map(String::as_str);
    while let Some(word) = rest.clone().next() {
        let takes_value = |argument: &&clap::Arg| {
            let is_it = |dashes: &str, name: String| word == format!("{dashes}{name}");
            let named = argument.get_long().is_some_and(|long| is_it("--", long.to_owned()))
                || argument.get_short().is_some_and(|short| is_it("-", short.to_string()));
            named && argument.get_action().takes_values()
        };
        if word.starts_with('-') {
            rest.next();
            if grammar().get_arguments().any(|argument| takes_value(&argument)) {
                rest.next();
            }
            continue;
        }
        let Some(below) = command.find_subcommand(word).cloned() else { break };
        path.push(word);
        command = below;
        rest.next();
    }
    path
}

fn command(path: &[&str]) -> Option<clap::Command> {
    path.iter().try_fold(grammar(), |command, name| command.find_subcommand(name).cloned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(line: &str) -> Option<Fault> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let error =
            grammar().try_get_matches_from(std::iter::once("provision".to_owned()).chain(words.clone())).unwrap_err();
        meant(&words, &error)
    }

    #[test]
    fn every_word_of_other_tools_leads_to_a_command_that_there_is() {
        let hints = COMMANDS.iter().map(|(_, hint)| *hint).chain(OPTIONS.iter().map(|(_, hint)| *hint));
        for hint in hints {
            for quoted in hint.split('`').skip(1).step_by(2).filter_map(|quoted| quoted.strip_prefix("provision ")) {
                let words: Vec<String> = quoted.split(' ').map(str::to_owned).collect();
                let found = path(&words);
                assert!(!found.is_empty() || quoted.starts_with("--"), "`{quoted}` is no command");
                let tried = grammar().try_get_matches_from(std::iter::once("provision".to_owned()).chain(words));
                let is_one = tried.is_ok_and(|_| true)
                    || quoted.starts_with("--version")
                    || quoted.contains("HOST")
                    || quoted.contains("NAME");
                assert!(is_one, "`{quoted}` is refused");
            }
        }
        // None of them is a command by now: then it would never be told.
        for name in COMMANDS.iter().flat_map(|(names, _)| *names) {
            assert!(grammar().find_subcommand(name).is_none(), "`{name}` is a command");
        }
    }

    #[test]
    fn a_slip_is_answered_with_the_command_that_was_meant() {
        for (line, part) in [
            ("-C /tmp user add ana", "`provision user set`"),
            ("login tokens.example.com", "provision login --server HOST"),
            ("version", "provision --version"),
            ("apply --auto-approve", "`--yes`"),
            ("apply -auto-approve", "`--yes`"),
            ("apply -f tokens.toml", "provision apply FILE"),
            ("plan --file tokens.toml", "provision apply FILE"),
            ("revoke laptop", "provision token delete NAME"),
            ("ls", "provision token list"),
            ("--color never list", "provision token list"),
        ] {
            let fault = told(line).unwrap_or_else(|| panic!("`{line}` is not known"));
            assert!(fault.hint.as_ref().is_some_and(|hint| hint.contains(part)), "{line}: {fault:?}");
        }
        let fault = told("login --token abc123abc123").unwrap();
        assert!(!format!("{fault:?}").contains("abc123") && fault.message.contains("a secret"), "{fault:?}");
    }
}
