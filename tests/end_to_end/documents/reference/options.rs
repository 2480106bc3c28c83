//! Every option that a document names is one that some command takes, or another program's.

use std::collections::BTreeSet;

use regex::Regex;

use super::super::{linked, read};

/// Programs of others, and scripts of this repository, whose options are their own.
const PROGRAMS: &[&str] = &[
    "cargo",
    "aws",
    "gh",
    "gnome-keyring-daemon",
    "heroku",
    "sudo",
    "systemctl",
    "tests/run",
    ".ci/run",
    "infra/deploy",
];

/// Their options, as far as a document names one alone, and options that are answered with ours or gone.
const FOREIGN: &[&str] = &[
    // infra/deploy and infra/delete
    "--arch",
    "--table",
    "--delete-table",
    // infra/restore
    "--restore-date-time",
    "--use-latest-restorable-time",
    // aws secretsmanager rotate-secret
    "--no-rotate-immediately",
    // cargo
    "--bench",
    "--workspace",
    // curl
    "--config",
    // packaging/install.sh
    "--sha256",
    // answered with `--yes`, and with `--role`
    "--auto-approve",
    "--roles",
];

/// All options of the tool.
fn known() -> BTreeSet<String> {
    let commands = provisioner::commands::grammar();
    let long = commands.iter().flat_map(|(_, command)| {
        command.get_arguments().flat_map(|arg| arg.get_long_and_visible_aliases().unwrap_or_default())
    });
    long.map(|long| format!("--{long}")).collect()
}

#[test]
fn every_option_that_a_document_names_exists() {
    let known = known();
    let spans = Regex::new("`([^`\n]+)`").unwrap();
    let option = Regex::new(r"(?:^|[\s\[(])(--[a-z][a-z0-9-]*)").unwrap();
    let (mut unknown, mut found) = (Vec::new(), BTreeSet::new());
    for file in linked::written() {
        let text = read(&file);
        // Blocks are held by tests of their own.
        let mut in_block = false;
        for (number, line) in text.lines().enumerate() {
            if line.trim_start().starts_with("```") {
                in_block = !in_block;
                continue;
            }
            if in_block {
                continue;
            }
            for span in spans.captures_iter(line) {
                // Variables may stand before a program.
                let program = span[1].split(' ').find(|word| !word.contains('=')).unwrap_or_default();
                if PROGRAMS.contains(&program) {
                    continue;
                }
                for named in option.captures_iter(&span[1]) {
                    found.insert(named[1].to_owned());
                    if !known.contains(&named[1]) && !FOREIGN.contains(&&named[1]) {
                        unknown.push(format!("{}:{}: {}", file.display(), number + 1, &named[1]));
                    }
                }
            }
        }
    }
    assert!(unknown.is_empty(), "{}", unknown.join("\n"));
    assert!(found.len() > 40, "{}", found.len());
    let unused: Vec<&str> = FOREIGN.iter().copied().filter(|name| !found.contains(*name)).collect();
    assert!(unused.is_empty(), "no document names {unused:?}");
}
