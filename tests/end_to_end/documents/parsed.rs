//! What documents tell people to type and to write is taken by the command: its words, its options and its manifests.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use tests::provision::World;

use super::blocks::{Block, blocks};
use super::{documents, read};

/// Documents that are read beside those in `docs/`.
const OTHERS: [&str; 4] = ["infra/README.md", "samples/README.md", "SECURITY.md", "CONTRIBUTING.md"];
/// What stands for a word that a shell fills in, such as `"$RUN_NUMBER"`: one of these is taken.
const FILLED: [&str; 4] = ["7", "2027-03-31", "embedded:latchkey.db", "0123456789abcdefghijklmnopqrstuv"];

/// Words that a command may follow.
const LEADS: [&str; 6] = ["sudo", "-", "run:", "exec", "time", "then"];

fn all_documents() -> Vec<PathBuf> {
    let mut all = documents();
    all.extend(OTHERS.map(PathBuf::from));
    all
}

/// Each `provision ...` of a script: its words, up to what ends a command.
fn commands(script: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for line in script.replace("\\\n", " ").lines() {
        let Some(words) = shlex::split(line.strip_prefix("$ ").unwrap_or(line)) else { continue };
        let mut words = words.into_iter().peekable();
        // Whether the next word is a command and not an argument of one.
        let (mut begins, mut last) = (true, String::new());
        while let Some(word) = words.next() {
            let name = word.trim_start_matches(['(', '{', '`']).trim_start_matches("$(").trim_start_matches("<(");
            let named = name == "provision" || name.ends_with("/provision");
            if named && last == "--bin" && words.next_if(|next| next == "--").is_some() || named && begins {
                let mut command = vec!["provision".to_owned()];
                while let Some(next) = words.next_if(|next| !ends(next)) {
                    let closed = next.find([';', ')', '`']);
                    command.push(next[..closed.unwrap_or(next.len())].to_owned());
                    if closed.is_some() {
                        break;
                    }
                }
                found.push(command);
            }
            // What follows a redirection is a file.
            begins = ends(&word) && !redirects(&word)
                || LEADS.contains(&&*word)
                || begins && word.contains('=') && !word.starts_with('-');
            last = word;
        }
    }
    found
}

fn ends(word: &str) -> bool {
    matches!(word, "|" | "||" | "&" | "&&" | ";" | "}" | ")") || redirects(word)
}

fn redirects(word: &str) -> bool {
    word.starts_with(['>', '<']) || word.starts_with("2>")
}

/// Why the command's parser refuses these words.
fn refusal(words: &[String]) -> Option<String> {
    let grammar = provisioner::commands::grammar().into_iter().next().unwrap().1;
    // A word that asks for help or the version is an answer too.
    let refused = |words: &[String]| match grammar.clone().try_get_matches_from(words) {
        Err(error) if error.use_stderr() => Some(error.to_string()),
        _ => None,
    };
    let tries = FILLED.map(|filled| {
        let spelled = |word: &String| if word.contains('$') { filled.to_owned() } else { word.clone() };
        refused(&words.iter().map(spelled).collect::<Vec<_>>())
    });
    tries.into_iter().min_by_key(Option::is_some).flatten()
}

fn at(document: &Path, block: &Block) -> String {
    format!("{}:{}", document.display(), block.line)
}

#[test]
fn every_command_in_a_document_is_taken_by_the_command() {
    let (mut refused, mut parsed) = (Vec::new(), 0);
    for document in all_documents() {
        let scripts = blocks(&read(&document)).into_iter();
        for block in scripts.filter(|block| matches!(&*block.language, "sh" | "bash" | "console" | "yaml" | "ini")) {
            for words in commands(&block.text) {
                parsed += 1;
                if let Some(why) = refusal(&words) {
                    refused.push(format!("{}: `{}`: {why}", at(&document, &block), words.join(" ")));
                }
            }
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
    assert!(parsed > 100, "only {parsed} commands were found");
}

/// A manifest of a part of one: with a name, and the sinks that it pushes to but does not show.
fn completed(part: &str) -> String {
    let mut table: toml::Table = part.parse().unwrap();
    let name = toml::Value::from("example");
    let mut text = if table.contains_key("manifest") { String::new() } else { format!("manifest = {name}\n") };
    text.push_str(part);
    let known = table.remove("sinks").and_then(|sinks| sinks.try_into::<toml::Table>().ok()).unwrap_or_default();
    let tokens = table.remove("tokens").and_then(|tokens| tokens.try_into::<toml::Table>().ok()).unwrap_or_default();
    let pushes = tokens.values().filter_map(|token| token.get("push")?.as_array().cloned()).flatten();
    let mut pushed: Vec<String> = pushes.filter_map(|push| Some(push.get("sink")?.as_str()?.to_owned())).collect();
    pushed.sort();
    pushed.dedup();
    for (number, sink) in pushed.iter().filter(|sink| !known.contains_key(*sink)).enumerate() {
        writeln!(text, "\n[sinks.{sink}]\ntype = \"dotenv\"\npath = \".env.{number}\"").unwrap();
    }
    text
}

#[test]
fn every_manifest_in_a_document_is_taken_by_check() {
    let (mut refused, mut checked) = (Vec::new(), 0);
    for document in documents() {
        let manifests = blocks(&read(&document)).into_iter().filter(|block| block.language == "toml");
        for block in manifests.filter(|block| !block.text.starts_with("[dependencies]")) {
            let world = World::new();
            world.write("tokens.toml", &completed(&block.text));
            let ran = world.run("check tokens.toml");
            checked += 1;
            if ran.code != Some(0) {
                refused.push(format!("{}: {}{}", at(&document, &block), ran.stdout, ran.stderr));
            }
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
    assert!(checked > 10, "only {checked} manifests were found");
}
