//! `environment.md`: every variable, from the list that a test of the command holds against its sources.

use std::fmt::Write as _;

use provisioner::commands::Topic;

use super::{code, hold, table};

#[test]
fn variables_are_those_that_the_command_reads() {
    let mut text = String::new();
    for (head, rows) in Topic::Environment.parts() {
        let rows = rows.into_iter().map(|(name, about)| {
            let (about, default) = match about.split_once(" [default: ") {
                Some((about, default)) => (about.to_owned(), default.trim_end_matches(']').to_owned()),
                None => (about, String::new()),
            };
            [code(&name), about, default]
        });
        let _ = write!(text, "## {head}\n\n{}\n", table(["variable", "what it is", "default"], rows));
    }
    hold("environment.md", &[("variables", text)]);
}

/// Those of the functions are listed by hand: each that a function reads, and no other.
#[test]
fn variables_of_the_functions_are_those_that_they_read() {
    let page = std::fs::read_to_string(super::path("environment.md")).unwrap();
    let (_, by_hand) = page.split_once("## Functions on AWS").unwrap();
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../functions/src/lambda");
    let read = regex::Regex::new(r#"(?:given|needed|var|var_os|variable)\("((?:LATCHKEY|AWS)_[A-Z_]+)"\)"#).unwrap();
    let mut found = std::collections::BTreeSet::new();
    for entry in std::fs::read_dir(source).unwrap() {
        let entry = entry.unwrap().path();
        if entry.is_file() {
            let text = std::fs::read_to_string(entry).unwrap();
            let text = text.split("#[cfg(test)]").next().unwrap();
            found.extend(read.captures_iter(text).map(|found| found[1].to_owned()));
        }
    }
    let listed = regex::Regex::new(r"(?m)^\| `([A-Z_]+)` \|").unwrap();
    let listed: std::collections::BTreeSet<String> =
        listed.captures_iter(by_hand).map(|found| found[1].to_owned()).collect();
    assert_eq!(listed, found);
}
