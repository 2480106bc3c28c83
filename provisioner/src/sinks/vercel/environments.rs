//! Which environments of a Vercel project a push goes to.

use crate::manifest::Environment;
use crate::reading::{Fault, Fields, Reading, Span, Text, is_plain, listed, nearest, shown};

/// The environments that every project has.
const TARGETS: &[&str] = &["production", "preview", "development"];
/// The longest name of a branch that Vercel takes.
const BRANCH_MAX: usize = 250;

/// The environments of one push.
pub(super) struct Environments {
    /// Each of them; empty where the sink has none, or none could be read.
    pub(super) all: Vec<Environment>,
    /// Whether nobody may read the value back.
    pub(super) sensitive: bool,
}

/// Reads `targets`, `environments`, `branch` and `sensitive`, which are Vercel's alone.
pub(super) fn read(fields: &mut Fields<'_>, kind: Option<&str>, push: Span, reading: &mut Reading<'_>) -> Environments {
    let targets = fields.texts("targets", reading);
    let custom = fields.texts("environments", reading);
    let branch = fields.text("branch", reading);
    let sensitive = fields.boolean("sensitive", reading);
    let none = Environments { all: Vec::new(), sensitive: sensitive.unwrap_or(true) };
    if kind != Some("vercel") {
        check_type(fields, kind, reading);
        return none;
    }
    let named = |name: &str| fields.has(name);
    if !named("targets") && !named("environments") {
        let fault = Fault::error("no-targets", push, "this push names no environment of the project");
        reading.add(fault.hint("add `targets = [\"production\", \"preview\"]`, or `environments` for custom ones"));
        return none;
    }
    let empty = |list: &Option<Vec<Text<'_>>>| list.as_ref().is_none_or(Vec::is_empty);
    if empty(&targets) && empty(&custom) && (targets.is_some() || custom.is_some()) {
        let span = fields.key_span("targets").or_else(|| fields.key_span("environments")).unwrap_or(push);
        let fault = Fault::error("no-targets", span, "this push goes to no environment of the project");
        reading.add(fault.hint(format!("the environments of every project are {}", listed(TARGETS))));
    }
    let targets: Vec<Text<'_>> = targets.into_iter().flatten().filter(|target| check_target(target, reading)).collect();
    let custom: Vec<Text<'_>> = custom.into_iter().flatten().filter(|slug| check_slug(slug, reading)).collect();
    check_sensitive(&targets, sensitive, fields.key_span("sensitive"), reading);
    let branch = branch.filter(|branch| check_branch(branch, &targets, reading)).map(|branch| branch.text.to_owned());
    let target = |target: &Text<'_>| match target.text {
        "production" => Environment::Production,
        "preview" => Environment::Preview { branch: branch.clone() },
        _ => Environment::Development,
    };
    let mut all: Vec<Environment> = targets.iter().map(target).collect();
    all.extend(custom.iter().map(|slug| Environment::Custom(slug.text.to_owned())));
    Environments { all, ..none }
}

fn check_type(fields: &Fields<'_>, kind: Option<&str>, reading: &mut Reading<'_>) {
    let Some(kind) = kind else { return };
    for name in ["targets", "environments", "branch", "sensitive"] {
        if let Some(span) = fields.key_span(name) {
            let message = format!("`{name}` is for `vercel` only");
            let hint = format!("an entry of `{kind}` has no environments");
            reading.add(Fault::error("needs-vercel", span, message).hint(hint));
        }
    }
}

fn check_target(target: &Text<'_>, reading: &mut Reading<'_>) -> bool {
    if TARGETS.contains(&target.text) {
        return true;
    }
    let hint = nearest(target.text, TARGETS.iter().copied()).map_or_else(
        || format!("the targets are {}; custom environments stand under `environments`, by slug", listed(TARGETS)),
        |near| format!("did you mean `{near}`?"),
    );
    let message = format!("`{}` is not a target", shown(target.text));
    reading.add(Fault::error("unknown-target", target.span.clone(), message).hint(hint));
    false
}

fn check_slug(slug: &Text<'_>, reading: &mut Reading<'_>) -> bool {
    if TARGETS.contains(&slug.text) {
        let message = format!("`{}` is not a custom environment", slug.text);
        reading.add(Fault::error("bad-environment", slug.span.clone(), message).hint("it stands under `targets`"));
        return false;
    }
    let bytes = slug.text.as_bytes();
    let part = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let good = (1..=32).contains(&bytes.len())
        && part(&bytes[0])
        && bytes.last().is_some_and(part)
        && bytes.iter().all(|byte| part(byte) || *byte == b'-');
    if !good {
        let message = format!("`{}` cannot be the slug of a custom environment", shown(slug.text));
        let rule = "a slug is 1 to 32 of `a-z`, `0-9` and `-`, and neither starts nor ends with `-`";
        reading.add(Fault::error("bad-environment", slug.span.clone(), message).hint(rule));
    }
    good
}

fn check_sensitive(targets: &[Text<'_>], sensitive: Option<bool>, said: Option<Span>, reading: &mut Reading<'_>) {
    let Some(development) = targets.iter().find(|target| target.text == "development") else { return };
    if sensitive == Some(false) {
        return;
    }
    let message = "what is sensitive cannot be read in development";
    let hint = "make a push of its own for development, with `sensitive = false`";
    let fault = Fault::error("sensitive-development", development.span.clone(), message).hint(hint);
    reading.add(match said {
        Some(said) => fault.related(said, "said here"),
        None => fault.hint("pushes are sensitive unless they say otherwise: make one of its own for development, with `sensitive = false`"),
    });
}

fn check_branch(branch: &Text<'_>, targets: &[Text<'_>], reading: &mut Reading<'_>) -> bool {
    let mut add = |message: String, hint: &str| {
        reading.add(Fault::error("bad-branch", branch.span.clone(), message).hint(hint));
        false
    };
    // Git's own rules (`git check-ref-format`) as far as they keep a name apart from others.
    let odd = |character: char| character.is_whitespace() || "~^:?*[\\".contains(character);
    if branch.text.is_empty() || branch.text.contains(odd) || !is_plain(branch.text) {
        return add(format!("`{}` cannot be a branch", shown(branch.text)), "write it as Git does");
    }
    if branch.text.chars().count() > BRANCH_MAX {
        return add("a branch's name is too long".to_owned(), "Vercel takes at most 250 characters");
    }
    if !targets.iter().any(|target| target.text == "preview") {
        let hint = "only previews are of a branch: add `preview` to `targets`, or take `branch` out";
        return add("`branch` without the target `preview`".to_owned(), hint);
    }
    true
}
