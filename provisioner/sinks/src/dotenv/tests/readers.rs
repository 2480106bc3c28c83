//! What we read is what python-dotenv reads. That all readers see what we write is tested end to end.

use std::process::{Command, Stdio};

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::super::document::Document;
use super::put;

/// Prints each file's entries as one JSON object a line.
const PYTHON: &str = "
import json, logging, sys
from dotenv import dotenv_values
logging.disable(logging.CRITICAL)
for path in sys.argv[1:]:
    print(json.dumps(dotenv_values(path, interpolate=False)))
";

/// What python-dotenv reads from each text; `None` where it is not installed, which skips the test.
fn python_dotenv(texts: &[String]) -> Option<Vec<serde_json::Value>> {
    let folder = tempfile::tempdir().unwrap();
    let paths: Vec<_> = (0..texts.len()).map(|at| folder.path().join(format!("{at}.env"))).collect();
    for (path, text) in paths.iter().zip(texts) {
        put(path, text.as_bytes());
    }
    // `tests/run` names the one that it has installed.
    let python = std::env::var_os("LATCHKEY_TEST_PYTHON").unwrap_or_else(|| "python3".into());
    let output = Command::new(python).arg("-c").arg(PYTHON).args(&paths).stderr(Stdio::null()).output();
    let Some(output) = output.ok().filter(|output| output.status.success()) else {
        println!("SKIPPED: needs `python3` with the module `dotenv`: run `tests/engines.sh`");
        return None;
    };
    let lines = String::from_utf8(output.stdout).unwrap();
    let found: Vec<_> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(found.len(), texts.len());
    Some(found)
}

/// Lines on whose meaning we and python-dotenv should agree: no backticks, which it does not know.
fn lines() -> impl Strategy<Value = String> {
    let line = (
        "(| |\t)(export |export\t |)(API_TOKEN|A|B_1|é)( |)=( |)",
        prop_oneof![
            "[a-z#$:=\\\\]?[a-z#$:=\\\\'\"]{0,4}( [a-z]{1,2})?",
            "'([a-z #=\n\"]|\\\\n|\\\\'|\\\\\\\\a){0,5}'",
            "\"([a-z #=\n']|\\\\n|\\\\t|\\\\\"|\\\\\\\\a|\\\\x){0,5}\"",
        ],
        "( | # c'\"|\t#c|)(\n|\r\n|\n\n# c\n|\n  \n)",
    )
        .prop_map(|(name, value, end)| format!("{name}{value}{end}"));
    let junk = prop::sample::select(vec!["# API_TOKEN=1\n", "A\n", "export B\n", "A B\n", "\n", "=x\n", "A: 'x'\n"]);
    let any = prop_oneof![5 => line, 1 => junk.prop_map(str::to_owned)];
    prop::collection::vec(any, 0..6).prop_map(|lines| lines.concat())
}

/// Where the two may differ: a comment or a quote right behind `=`.
fn is_disputed(text: &str) -> bool {
    text.split('\n').any(|line| {
        let value = line.split_once('=').map_or("", |(_, value)| value).trim_start();
        value.starts_with('#')
    })
}

#[test]
fn python_dotenv_reads_the_same_values() {
    let mut runner = TestRunner::deterministic();
    let mut texts = Vec::new();
    while texts.len() < 600 {
        let text = lines().new_tree(&mut runner).unwrap().current();
        if !is_disputed(&text) && Document::parse(&text).is_ok() {
            texts.push(text);
        }
    }
    let Some(found) = python_dotenv(&texts) else { return };
    let mut values = 0;
    for (text, found) in texts.iter().zip(found) {
        let document = Document::parse(text).unwrap();
        for name in ["API_TOKEN", "A", "B_1", "é"] {
            let ours = document.get(name).map(|value| value.replace("\r\n", "\n"));
            if ours.as_deref().is_some_and(|value| value.starts_with(['\'', '"'])) {
                // Text behind a closing quote: python-dotenv drops the line.
                continue;
            }
            let theirs = found[name].as_str();
            if theirs.is_none() && found.get(name).is_some() {
                // A later line without `=`, which python-dotenv takes as an entry without a value.
                continue;
            }
            assert_eq!(ours.as_deref(), theirs, "{name} in {text:?}");
            values += usize::from(theirs.is_some());
        }
    }
    assert!(values > 500, "only {values} values were compared");
}
