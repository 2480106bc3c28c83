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
        r"^functions/src/(secret|name|role|lifetime|place|token|protocol|user|policy|bounds)[./]",
        "",
        r"\basync\b|std::(fs|net|env)\b|aws_sdk|tokio|Timestamp::now|crate::(table|service|api|lambda|clock)\b",
    ),
    (
        "what may happen to a version is decided in `protocol`",
        r"^functions/src/",
        r"/protocol[./]",
        r"\.state = VersionState",
    ),
    ("no Scan but in `copy`", r"^functions/src/", r"/table/copy", r"\.scan\("),
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
const PHRASES: &[&str] = &[
    "a thousand million",
    "Complete words",
    "lost or over",
    "what became of it",
    "mends places",
    "go on working",
    "lives on for",
    "live on for",
    "ring silently",
    "Faults stand",
    "End a secret",
    "Go back to an earlier release",
    "is warned about",
    "tells all options",
    "wants a value",
    "which stack?",
    "AWS does not know you",
    "say --region",
    "say --yes",
    "say --stack",
    "is no expiry",
    "is no end of a calendar",
    "what was done stays done",
    "left half-written. Run",
    "by now, not",
    "planned only now",
    "is not made through a server",
    "could not be ended, end it by hand",
    "makes another and ends",
    "so nothing of it can have leaked",
    "End the leaked one all the same",
    "which this run cannot bring it to",
    "Who fails until",
    "ends every secret of it",
    "the leaked one still does",
    "Went on copying",
    "whose roles permit",
    "Look through it, then run",
    "ended at once: a push",
    "took the lease of",
    "nothing is known of a manifest",
    "is never an argument",
    "name the service: `--service",
    "take it from them first",
    "make it first:",
    "or make it with",
    "is not a whole plan",
    "can only be served where its table is",
    "no token is sent to",
    "nobody here has named",
    "holds is no token",
    "the page cannot be made",
    "an admin says",
    "no token is pushed there",
    "none works",
    "say `--yes`",
    "say `--user NAME`",
    "says little:",
    "give it first:",
    "How things are now",
    "### Faults of",
    "it holds no role",
    "say `max_tokens`",
    "nothing is pushed to",
    "if that is meant, say",
    "would exist nowhere",
    "the sinks here are",
    "no sink is called",
    "rights over Latchkey itself",
    "does not hold the role",
    "as nobody was there to confirm",
    "may still permit",
    "Partly done",
    "left as they were",
    "The form of the result",
    "when not given",
    "end what has leaked",
    "Its secret is shown this once",
    "All is well",
    "for its owner only, and not for git",
    "login and rights are good",
    "that the manifest names is there",
    "all as they should be",
    "read its secret at its start",
    "with a word on each line",
    "held up",
    "go on with version",
    "it is missing there",
    "stops working at",
    "is to get a new version",
    "nobody can tell where",
    "is not forgotten yet",
    "a dead version",
    "edited by hand",
    "did not put there",
    "older versions end at once",
    "works any more",
    "has reached its places yet",
    "is nowhere to be read",
    "no longer permits",
    "carry on to",
    "holds nothing of it",
    "it holds what it held",
    "every place holds what it held",
    "mend that and run",
    "a version that works",
    "again to go on",
    "end all the same",
    "if it is to end",
    "`--prune` ends it",
    "it ends after",
    "leaving, ends after",
    "arrives at every place",
    "is made, with version",
    "may end, with",
    "until now, belongs to",
    "it was made by hand",
    "made by hand",
    "is still used, last at",
    "read a moment ago",
    "holds something else",
    "whose login this is",
    "best by a time server",
    "so it permits nothing",
    "it asks to come back",
    "where a token does not follow",
    "with a secret that is none",
    "was not ended",
    "could not do it:",
    "out of sight:",
    "holds what they wrote",
    "half a sign-in",
    "was not put there by Latchkey",
    "does not accept the login",
    "the login belongs to",
    "there is no AWS login",
    "no AWS login was found",
    "this login reaches",
    "logins stand in",
    "a login never stands",
    "a deploy hook never stands",
    "stands in the manifest",
    "says one thing",
    "holds a login and is open",
    "make it 0600",
    "a write makes it 0600",
    "whoever can read this file has it",
    "replace it where it was made",
    "its fields are",
    "as no vault would",
    "something that no vault would",
    "keeps this machine out",
    "has no such right",
    "answered only",
    "brings both back",
    "no sign-in as",
    "gave no token for this job",
    "do not read alike",
    "cannot name a variable",
    "by which a shell joins",
    "what it complains about",
    "make room and run again",
    "run it again when that is over",
    "what stands there now",
    "its user needs the right",
    "Heroku finds no",
    "Vercel finds no",
    "come back each minute",
    "when that is mended",
    "make two sinks of it",
    "did not answer well",
    "a machine for jobs has no keyring",
    "there is no keyring here",
    "gives back something else",
    "which of them a program reads is chance",
    "program for passwords",
    "does not hold a login",
    "prints too much for a login",
    "see what it prints",
    "nobody can tell what its row",
    "makes one of its own",
    "take it out of the push",
    "what is sensitive cannot be read",
    "was over before it could start",
    "changed between look and write",
    "the time granted for this write",
    "leads to this place any more",
    "would show secrets to the network",
    "Ends the token in hand",
    "and what they permit",
    "was not given out",
    "that was given out",
    "stands more than once",
    "goes on after its JSON",
    "something broke; the log",
    "nothing is known of the outcome",
    "there is nothing here that this token may see",
    "fields are not right",
    "an admin widens its grant",
    "it would permit",
    "it would outlive",
    "it would work from",
    "and {max} is the most",
    "checksum does not fit",
    "not from an address that the token",
    "first admin already",
    "nothing was made here",
    "is being made a copy",
    "holds a service already",
    "half an answer came",
    "others change the same",
    "others apply the same",
    "it may make service accounts",
    "ended at once although places",
    "stops working by itself",
    "may hand out",
    "and stays one",
    "and no more may",
    "goes on working",
    "Gives a lease back",
    "none of them a control character",
    "leaves the manifest's folder",
    "no place holds it",
    "mended at once",
];

/// All files that git knows, from the root on.
fn files() -> Vec<String> {
    let listed = std::process::Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(ROOT)
        .output()
        .unwrap();
    let files: Vec<String> = String::from_utf8(listed.stdout).unwrap().lines().map(str::to_owned).collect();
    assert!(files.len() > 100, "git lists no files");
    files.into_iter().filter(|file| Path::new(ROOT).join(file).is_file()).collect()
}

fn is_one_of(file: &str, endings: &[&str]) -> bool {
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
fn documents_keep_their_size_and_their_links_lead_somewhere() {
    assert!(read("ARCHITECTURE.md").len() <= 14 * 1024, "ARCHITECTURE.md is for reading in one go: 14 KB at most");
    let link = Regex::new(r"\]\(([^)#:]+)(#[^)]*)?\)").unwrap();
    let mut dead = Vec::new();
    for file in files().iter().filter(|file| is_one_of(file, &["md"])) {
        let folder = Path::new(ROOT).join(file).parent().unwrap().to_owned();
        let text = read(file);
        for found in link.captures_iter(&text).filter(|found| !folder.join(&found[1]).exists()) {
            dead.push(format!("{file}: {}", &found[1]));
        }
    }
    assert!(dead.is_empty(), "{dead:?}");
}

#[test]
fn phrases_that_were_replaced_do_not_come_back() {
    let mut found = Vec::new();
    for file in files().iter().filter(|file| is_one_of(file, &["rs", "md", "snap"])) {
        if file.ends_with("tidy.rs") {
            continue;
        }
        for (number, line) in read(file).lines().enumerate() {
            for phrase in PHRASES.iter().filter(|phrase| line.contains(**phrase)) {
                found.push(format!("{file}:{}: {phrase}", number + 1));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}
