//! `exit-codes.md`: the codes as the command knows them, and a table by command that names no other.

use std::collections::BTreeSet;

use provisioner::commands::{Code, Topic};
use regex::Regex;

use super::{hold, path, table};

fn codes() -> Vec<(String, String)> {
    Topic::ExitCodes.parts().into_iter().flat_map(|(_, rows)| rows).collect()
}

#[test]
fn exit_codes_are_those_that_the_command_has() {
    let rows = codes().into_iter().map(|(number, meaning)| [number, meaning]);
    hold("exit-codes.md", &[("codes", table(["code", "meaning"], rows))]);
}

/// What no code can be written about by hand: one that is not there, or a command that is not.
#[test]
fn the_table_by_command_has_every_code_and_no_other() {
    let text = std::fs::read_to_string(path("exit-codes.md")).unwrap();
    let (_, by_hand) = text.split_once("## By command").unwrap();
    let (by_hand, _) = by_hand.split_once("\n## ").unwrap_or((by_hand, ""));
    let row = Regex::new(r"(?m)^\| (\d+) \|").unwrap();
    let listed: BTreeSet<u8> = row.captures_iter(by_hand).map(|found| found[1].parse().unwrap()).collect();
    assert_eq!(listed, Code::ALL.map(Code::number).into());
    let names: BTreeSet<String> =
        provisioner::commands::grammar().into_iter().map(|(words, _)| words.join(" ")).collect();
    let head = by_hand.lines().find(|line| line.starts_with("| code |")).unwrap();
    let named = Regex::new("`([a-z ]+)`").unwrap();
    let heads: Vec<&str> = named.captures_iter(head).map(|found| found.get(1).unwrap().as_str()).collect();
    assert!(heads.len() >= 5, "{heads:?}");
    for name in heads {
        assert!(names.contains(name), "there is no `provision {name}`");
    }
}
