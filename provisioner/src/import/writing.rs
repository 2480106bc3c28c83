//! The manifest's text. What a vendor or a file named is a TOML string or, in a comment, spelled out.

use std::fmt::Write as _;

use latchkey::policy::Policy;
use latchkey_sinks::aws_secrets_manager;
use latchkey_sinks::plural::count;
use latchkey_sinks::reading::masking::{masked, shown};
use latchkey_sinks::vercel::Environment;

use super::source::Setting;
use super::{About, Draft, Found, Source};
use crate::output::gate;

/// A whole manifest.
pub(crate) fn manifest(about: &About, sources: &[Source], draft: &Draft) -> String {
    let mut text = steps(about, sources);
    text.push('\n');
    text.push_str(&head(about, draft.tokens.len()));
    text.push_str(&body(about, sources, draft));
    text
}

/// Sinks and tokens only, to add to a manifest.
pub(crate) fn body(about: &About, sources: &[Source], draft: &Draft) -> String {
    let mut text = sinks(sources);
    for token in &draft.tokens {
        let _ = write!(text, "\n[tokens.{}]\nuser = {}\npush = [\n", token.name, string(about.user.as_str()));
        for found in &token.pushes {
            let _ = writeln!(text, "  {},", push(found));
        }
        for (found, why) in &token.left {
            let _ = writeln!(text, "  # {}: {}", comment(&place(found)), sentence(why));
        }
        text.push_str("]\n");
    }
    if !draft.left.is_empty() {
        text.push_str(
            "\n# Left as they are, by their names. What is a token of yours all the same, declare it as those above.\n",
        );
    }
    for (found, why) in &draft.left {
        let _ = writeln!(text, "#   {}: {}", comment(&place(found)), sentence(why));
    }
    text
}

/// A manifest that declares one push, to ask `check` about it; none of it is written.
pub(crate) fn probe(about: &About, sources: &[Source], found: Option<&Found>) -> String {
    let mut text = head(about, 1);
    text.push_str(&sinks(sources));
    if let Some(found) = found {
        let _ = write!(text, "[tokens.probe]\nuser = {}\npush = [{}]\n", string(about.user.as_str()), push(found));
    }
    text
}

/// What stands before sinks and tokens.
fn head(about: &About, tokens: usize) -> String {
    let limit = u32::try_from(tokens).ok().filter(|tokens| *tokens > Policy::default().max_tokens);
    let limit = limit.map_or_else(String::new, |tokens| format!("max_tokens = {tokens}\n"));
    let (name, user) = (string(about.name.as_str()), about.user.as_str());
    let is_bare = user.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    let key = if is_bare { user.to_owned() } else { string(user) };
    format!(
        r#"manifest = {name}

[service]
{}

[defaults]
expires_in = "90d"
rotate_every = "30d"
overlap = "24h"

[roles.imported]
permissions = []  # what these tokens allow, for example ["documents:read"]; without any they are valid and allow nothing

[users.{key}]
kind = "service"
roles = ["imported"]
{limit}"#,
        about.service
    )
}

fn steps(about: &About, sources: &[Source]) -> String {
    let from: Vec<String> = sources.iter().map(|source| comment(&source.text)).collect();
    let file = &about.file;
    format!(
        "# Written by `provision import` from {}. Only names were read.\n\
         #\n\
         # 1. Look through it. What is declared below gets a new secret, which replaces the value that is there; delete what\n\
         #    is no token of yours, and set what the tokens allow.\n\
         # 2. `provision plan {file} --adopt-all` shows each value that is replaced, and which cannot be brought back.\n\
         # 3. Have the services that check these tokens ask Latchkey, then run `provision apply {file} --adopt-all`, this once.\n",
        from.join(", ")
    )
}

fn sinks(sources: &[Source]) -> String {
    let mut text = String::new();
    for source in sources {
        let kind = source.kind.facts().name();
        let _ = write!(text, "\n[sinks.{}]\ntype = {}\n", source.name, string(kind));
        if kind == aws_secrets_manager::KIND {
            // What a secret holds is not read.
            text.push_str(
                "# A push replaces a secret as a whole. Where it is a JSON object, give the push the member that is the token\n\
                 # (`json_key = \"API_TOKEN\"`), and the rest of the object stays.\n",
            );
        }
        for setting in &source.settings {
            let _ = match setting {
                Setting::Text(name, value) => writeln!(text, "{name} = {}", string(value)),
                Setting::Login(variable) => writeln!(text, "login = {{ env = {} }}", string(variable)),
            };
        }
    }
    text
}

fn push(found: &Found) -> String {
    let mut text = format!("{{ sink = {}, name = {}", string(&found.sink), string(&found.entry.name));
    let _ = match &found.entry.environment {
        None => Ok(()),
        Some(Environment::Production) => write!(text, ", targets = [\"production\"]"),
        Some(Environment::Preview { branch: None }) => write!(text, ", targets = [\"preview\"]"),
        Some(Environment::Preview { branch: Some(branch) }) => {
            write!(text, ", targets = [\"preview\"], branch = {}", string(branch))
        }
        // Vercel shows what is sensitive to no machine of a developer.
        Some(Environment::Development) => write!(text, ", targets = [\"development\"], sensitive = false"),
        Some(Environment::Custom(slug)) => write!(text, ", environments = [{}]", string(slug)),
    };
    text.push_str(" }");
    text
}

/// An entry in words.
fn place(found: &Found) -> String {
    let of = match &found.entry.environment {
        None => String::new(),
        Some(Environment::Production) => " (production)".to_owned(),
        Some(Environment::Preview { branch: None }) => " (preview)".to_owned(),
        Some(Environment::Preview { branch: Some(branch) }) => format!(" (preview of {branch})"),
        Some(Environment::Development) => " (development)".to_owned(),
        Some(Environment::Custom(slug)) => format!(" ({slug})"),
    };
    format!("{} {}{of}", found.sink, found.entry.name)
}

/// A text as TOML has it on one line.
fn string(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            _ if gate::is_odd(character) => {
                let _ = write!(quoted, "\\U{:08X}", u32::from(character));
            }
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

/// A text in a comment: no line break in it, nothing that a screen would not show, no secret.
fn comment(text: &str) -> String {
    gate::line(&shown(text)).into_owned()
}

/// The same, of any length.
fn sentence(text: &str) -> String {
    gate::line(&masked(text)).into_owned()
}

/// What was written, in one sentence.
pub(crate) fn summary(draft: &Draft, sources: usize) -> String {
    let (tokens, pushes) = (count(draft.tokens.len(), "token"), count(draft.pushes(), "push"));
    let left = count(draft.untouched(), "entry");
    format!("{tokens} with {pushes} to {}; {left} left as they are", count(sources, "sink"))
}
