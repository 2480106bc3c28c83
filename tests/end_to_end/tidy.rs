//! What ARCHITECTURE.md says of the code, held against the source. A row is an invariant: what must not stand in which
//! files, but for those that are named.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use regex::Regex;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The invariant, the files that it binds and those that it does not (both as patterns of paths), and what they must not have.
const INVARIANTS: &[(&str, &str, &str, &str)] = &[
    (
        "the rules know no I/O, no clock and nothing above them",
        r"^functions/src/(secret|name|role|lifetime|place|entry|token|protocol|user|policy|bounds)[./]",
        "",
        r"\basync\b|std::(fs|net|env)\b|aws_sdk|tokio|Timestamp::now|crate::(table|service|api|lambda|clock)\b",
    ),
    (
        "what may happen to a version is decided in `protocol`",
        r"^functions/src/",
        r"/protocol[./]",
        r"\.state = VersionState",
    ),
    ("no Scan but in `copy`", r"^functions/src/", r"/table/(copy|dynamodb)", r"\.scan\("),
    (
        "above the seam of the table nobody knows an engine",
        r"^functions/src/(service|api|table)/",
        r"/table/(dynamodb|sqlite|mod\.rs)",
        r"aws_sdk_dynamodb|rusqlite|attribute_(not_)?exists",
    ),
    (
        "what joins the table's engines knows no token",
        r"^functions/src/table/(dynamodb|sqlite)/",
        "",
        r"crate::(token|user|role)\b",
    ),
    ("the table knows nothing above it", r"^functions/src/table/", "", r"crate::(service|api|lambda)\b"),
    (
        "the service knows no HTTP, no Lambda, no command line and no sink",
        r"^functions/src/service/",
        "",
        r"crate::(api|lambda)\b|\bhttp::|\bclap\b",
    ),
    (
        "who may do what is decided in `service::rights`",
        r"^functions/src/(service|api)/",
        r"/service/rights",
        r#"\.has\(""#,
    ),
    (
        "no reply contains a digest",
        r"^functions/src/api/wire/",
        "",
        r"pub (\w+_)?digest: (Digest|Option<Digest>|Vec<u8>)",
    ),
    (
        "a sink knows no service, no plan and no manifest",
        r"^provisioner/sinks/src/",
        "",
        r"(crate|provisioner)::(manifest|plan|apply|observe|service|commands|output)\b|latchkey::(service|table|api)\b",
    ),
    (
        "which type a sink is, is asked in `kind` only",
        r"^provisioner/(sinks/)?src/",
        r"/sinks/src/(kind|(dotenv|aws_secrets_manager|vercel|heroku|azure_key_vault|keyring)/)|/tests[./]|manifest/starter",
        r"(SinkSettings|Kind)::(Dotenv|AwsSecretsManager|Vercel|Heroku|AzureKeyVault|Keyring)\b",
    ),
    (
        "transport and files know nothing above them",
        r"^provisioner/sinks/src/(transport|files)[./]",
        "",
        r"crate::(kind|reading|login|push|vercel|heroku)\b",
    ),
    ("`plan` is pure", r"^provisioner/src/plan/", r"/tests[./]", r"\basync\b|\.await|std::(fs|env|net)|Timestamp::now"),
    (
        "nothing prints but `output`",
        r"^(provisioner|functions)/(sinks/)?src/",
        r"^provisioner/src/output/|/conformance/|/tests[./]|^functions/src/lambda/",
        r"\b(stdout|stderr)\(\)|e?print(ln)?!\(",
    ),
    (
        "nothing above `service` knows whether it is a server",
        r"^provisioner/src/(plan|apply|observe)/",
        "",
        r"service::(direct|remote)\b|\b(Direct|Remote)\b",
    ),
    ("a warning is answered or expected with a reason, never allowed", r"\.rs$", r"/tidy\.rs$", r"#!?\[allow\("),
    ("a module is named for its purpose", r"/(utils?|helpers?|common|misc|types)(\.rs|/)", "", r""),
    (
        "no registry's address",
        r"\.(rs|toml|json|sh|md|yml|yaml)$",
        "",
        r"registry\.npmjs\.org|static\.crates\.io|files\.pythonhosted\.org",
    ),
];

/// Phrases that were replaced by the words of the field, and must not come back.
const PHRASES: &str = include_str!("tidy/phrases.txt");

/// All files that git knows, from the root on.
pub(crate) fn files() -> Vec<String> {
    let listed = std::process::Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(ROOT)
        .output()
        .unwrap();
    let files: Vec<String> = String::from_utf8(listed.stdout).unwrap().lines().map(str::to_owned).collect();
    assert!(files.len() > 100, "git lists no files");
    files.into_iter().filter(|file| Path::new(ROOT).join(file).is_file()).collect()
}

pub(crate) fn is_one_of(file: &str, endings: &[&str]) -> bool {
    Path::new(file).extension().is_some_and(|ending| endings.iter().any(|one| ending == *one))
}

fn read(file: &str) -> String {
    std::fs::read_to_string(Path::new(ROOT).join(file)).unwrap_or_default()
}

#[test]
fn the_invariants_of_the_architecture_hold_in_the_source() {
    let files = files();
    let mut broken = Vec::new();
    for (invariant, bound, free, banned) in INVARIANTS {
        let [bound, free, banned] = [bound, free, banned].map(|pattern| Regex::new(pattern).unwrap());
        let bound: Vec<_> = files.iter().filter(|file| bound.is_match(file)).collect();
        for file in bound.iter().filter(|file| free.as_str().is_empty() || !free.is_match(file)) {
            let text = read(file);
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            for (number, line) in code.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
                if banned.is_match(line) {
                    broken.push(format!("{file}:{}: {invariant}: {}", number + 1, line.trim()));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// An invariant that binds no file is held by nobody: a folder was moved and the row forgotten.
#[test]
fn every_invariant_binds_files() {
    let files = files();
    for (invariant, bound, ..) in INVARIANTS.iter().filter(|(.., banned)| !banned.is_empty()) {
        assert!(files.iter().any(|file| Regex::new(bound).unwrap().is_match(file)), "nothing is bound by: {invariant}");
    }
}

#[test]
fn the_code_map_has_every_folder_and_no_path_that_is_not_there() {
    let map = read("ARCHITECTURE.md");
    let files = files();
    let source = Regex::new(r"^(functions|provisioner(?:/sinks)?)/src/((?:[a-z_]+/)+)").unwrap();
    let folders: BTreeSet<String> = files
        .iter()
        .filter_map(|file| source.captures(file))
        .flat_map(|found| {
            let folder = found[2].to_owned();
            let parts: Vec<_> = folder.split_inclusive('/').collect();
            (1..=parts.len()).map(|length| parts[..length].concat()).collect::<Vec<_>>()
        })
        // A folder that has only its module's tests is no room of its own.
        .filter(|folder| files.iter().any(|file| file.contains(folder.as_str()) && !file.ends_with("/tests.rs")))
        .filter(|folder| !folder.contains("tests/"))
        .collect();
    let missing: Vec<_> = folders.iter().filter(|folder| !map.contains(&format!("`{folder}`"))).collect();
    assert!(missing.is_empty(), "ARCHITECTURE.md has not: {missing:?}");
    let path = Regex::new(r"`((?:functions|provisioner|tests|infra|samples|docs)/[A-Za-z0-9_./-]+)`").unwrap();
    for found in path.captures_iter(&map) {
        let there = PathBuf::from(ROOT).join(&found[1]);
        let module = there.with_extension("rs");
        assert!(there.exists() || module.exists(), "ARCHITECTURE.md names `{}`, which is not there", &found[1]);
    }
}

#[test]
fn documents_keep_their_size() {
    for (document, most) in [("ARCHITECTURE.md", 14 * 1024), ("README.md", 8 * 1024)] {
        assert!(read(document).len() <= most, "{document} is for reading in one go: {most} bytes at most");
    }
}

#[test]
fn phrases_that_were_replaced_do_not_come_back() {
    let mut found = Vec::new();
    for file in files().iter().filter(|file| is_one_of(file, &["rs", "md", "snap"])) {
        for (number, line) in read(file).lines().enumerate() {
            for phrase in PHRASES.lines().filter(|phrase| line.contains(phrase)) {
                found.push(format!("{file}:{}: {phrase}", number + 1));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}
