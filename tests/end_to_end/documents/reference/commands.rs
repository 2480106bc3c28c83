//! `commands.md`: every command with its usage, options and examples, from the grammar that reads the command line.

use std::fmt::Write as _;

use clap::{Arg, Command};
use regex::Regex;

use super::{code, hold, table};

/// Under which heading what every command has is.
const GLOBAL: &str = "Global";

/// All commands that people may see, by their words.
fn visible() -> Vec<(String, Command)> {
    let hidden: Vec<Vec<String>> = provisioner::commands::grammar()
        .into_iter()
        .filter(|(_, command)| command.is_hide_set())
        .map(|(words, _)| words)
        .collect();
    let all = provisioner::commands::grammar().into_iter();
    let seen = all.filter(|(words, _)| !hidden.iter().any(|hidden| words.starts_with(hidden)));
    let mut seen: Vec<_> =
        seen.map(|(words, command)| ([&["provision".to_owned()], &words[..]].concat().join(" "), command)).collect();
    seen.sort_by(|(one, _), (other, _)| one.cmp(other));
    seen
}

fn is_seen(arg: &Arg) -> bool {
    !arg.is_hide_set() && !["help", "version"].contains(&arg.get_id().as_str())
}

fn is_global(arg: &Arg) -> bool {
    arg.get_help_heading() == Some(GLOBAL)
}

/// An argument as it is typed.
fn typed(arg: &Arg) -> String {
    let values: Vec<&str> = arg.get_value_names().unwrap_or_default().iter().map(clap::builder::Str::as_str).collect();
    let values = values.join(" ");
    if arg.is_positional() {
        return if arg.is_required_set() { code(&values) } else { code(&format!("[{values}]")) };
    }
    let takes = arg.get_action().takes_values();
    let long = arg.get_long().map(|long| format!("--{long}")).unwrap_or_default();
    let long = if takes { format!("{long} {values}") } else { long };
    let short = arg.get_short().map(|short| format!("`-{short}`, ")).unwrap_or_default();
    format!("{short}{}", code(&long))
}

/// What an argument is for, and its default.
fn about(arg: &Arg) -> (String, String) {
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let (help, told) = match help.split_once(" [default: ") {
        Some((help, rest)) => {
            let (default, behind) = rest.rsplit_once(']').unwrap_or((rest, ""));
            let (default, more) = default.split_once("] [").unwrap_or((default, ""));
            let more = if more.is_empty() { String::new() } else { format!(" [{more}]") };
            (format!("{help}{behind}{more}"), default.to_owned())
        }
        None => (help, String::new()),
    };
    let mut help = Regex::new(r"\[env: ([A-Z_]+)\]").unwrap().replace_all(&help, "[env: `$1`]").into_owned();
    if let Some(variable) = arg.get_env() {
        let _ = write!(help, " [env: `{}`]", variable.to_string_lossy());
    }
    let named: Vec<String> = arg
        .get_possible_values()
        .iter()
        .filter(|value| !value.is_hide_set())
        .map(|value| code(value.get_name()))
        .collect();
    if !named.is_empty() && arg.get_action().takes_values() {
        let _ = write!(help, ": {}", named.join(", "));
    }
    // A flag that is not given is off.
    let values = arg.get_default_values().iter().filter(|_| arg.get_action().takes_values());
    let set = values.map(|value| code(&value.to_string_lossy()));
    let default = if told.is_empty() { set.collect::<Vec<_>>().join(" ") } else { told };
    (help, default)
}

fn rows<'a>(args: impl Iterator<Item = &'a Arg>) -> Vec<[String; 3]> {
    args.map(|arg| {
        let (help, default) = about(arg);
        [typed(arg), help, default]
    })
    .collect()
}

fn anchor(words: &str) -> String {
    words.replace(' ', "-")
}

fn overview(commands: &[(String, Command)]) -> String {
    let leaves = commands.iter().filter(|(_, command)| !command.has_subcommands());
    let rows = leaves.map(|(words, command)| {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        [format!("[`{words}`](#{})", anchor(words)), about]
    });
    table(["command", "what it does"], rows)
}

/// The options that every command has, with those that some have not.
fn global(commands: &[(String, Command)]) -> String {
    let (_, whole) = &commands[0];
    table(
        ["option", "what it does", "default"],
        rows(whole.get_arguments().filter(|arg| is_seen(arg)).filter(|arg| is_global(arg))),
    )
}

/// The commands that have no option `--service`.
fn without_service(commands: &[(String, Command)]) -> String {
    let without = commands.iter().filter(|(words, command)| {
        words.contains(' ') && !command.get_arguments().any(|arg| arg.get_id() == "service" && !arg.is_hide_set())
    });
    let named: Vec<String> = without.map(|(words, _)| code(words)).collect();
    format!("These ask no service, or name it themselves, and do not take `--service`: {}.", named.join(", "))
}

/// What stands behind the options: examples to type, and other blocks as they are.
fn after(command: &Command) -> String {
    let Some(after) = command.get_after_help() else { return String::new() };
    let mut text = String::new();
    for block in after.to_string().split("\n\n") {
        match block.split_once(":\n") {
            Some((head, lines)) => {
                let lines: Vec<&str> = lines.lines().map(|line| line.strip_prefix("  ").unwrap_or(line)).collect();
                let kind = if head == "Examples" || head == "Example" { "sh" } else { "text" };
                let _ = write!(text, "**{head}**\n\n```{kind}\n{}\n```\n\n", lines.join("\n"));
            }
            None => {
                let _ = write!(text, "{}\n\n", block.trim());
            }
        }
    }
    text
}

fn section(words: &str, command: &Command) -> String {
    let level = "#".repeat(words.split(' ').count().min(3));
    let mut text = format!("{level} {words}\n\n");
    let about = command.get_long_about().or(command.get_about()).map(ToString::to_string).unwrap_or_default();
    let _ = write!(text, "{about}.\n\n");
    if command.has_subcommands() {
        let below: Vec<String> = command
            .get_subcommands()
            .filter(|below| below.get_name() != "help" && !below.is_hide_set())
            .map(|below| {
                let words = format!("{words} {}", below.get_name());
                format!("[`{words}`](#{})", anchor(&words))
            })
            .collect();
        let _ = write!(text, "{}\n\n", below.join(", "));
        return text;
    }
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").lines().map(str::trim).collect::<Vec<_>>().join("\n");
    let _ = write!(text, "```text\n{usage}\n```\n\n");
    let own: Vec<&Arg> = command.get_arguments().filter(|arg| is_seen(arg)).filter(|arg| !is_global(arg)).collect();
    let mut headings: Vec<Option<&str>> = Vec::new();
    for arg in &own {
        let heading = arg.get_help_heading();
        if !headings.contains(&heading) {
            headings.push(heading);
        }
    }
    for heading in headings {
        let word = heading.unwrap_or("option");
        let under = rows(own.iter().filter(|arg| arg.get_help_heading() == heading).copied());
        let _ = writeln!(text, "{}", table([&word.to_lowercase(), "what it does", "default"], under));
    }
    let aliases: Vec<String> = command
        .get_visible_aliases()
        .map(|alias| code(&words.rsplit_once(' ').map_or(alias.to_owned(), |(head, _)| format!("{head} {alias}"))))
        .collect();
    if !aliases.is_empty() {
        let _ = write!(text, "The same as {}.\n\n", aliases.join(", "));
    }
    text.push_str(&after(command));
    text
}

#[test]
fn commands_are_described_as_they_are_read() {
    let commands = visible();
    let sections: Vec<String> = commands[1..].iter().map(|(words, command)| section(words, command)).collect();
    let parts = [
        ("overview", overview(&commands)),
        ("global", format!("{}\n{}", global(&commands), without_service(&commands))),
        ("commands", sections.concat()),
    ];
    hold("commands.md", &parts);
}
