//! Which environments of a project a push goes to.

use schemars::JsonSchema;

use super::KIND;
use crate::reading::{Fault, Fields, Reading, Span, Text, is_plain, listed, shown};

/// The longest name of a branch that Vercel takes.
const BRANCH_MAX: usize = 250;
/// The most branches that a push names: each is asked for.
const BRANCHES_MAX: usize = 50;

/// One environment of a project: one row each, so that rows never have to be split.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Environment {
    Production,
    /// Previews, of one branch or of all.
    Preview {
        branch: Option<String>,
    },
    /// Development: read by people's own machines.
    Development,
    /// A custom environment, by its slug.
    Custom(String),
}

impl Environment {
    /// What a place is told by: the target, and the branch of previews of one.
    pub(super) fn parts(&self) -> (&str, Option<&str>) {
        match self {
            Self::Production => ("production", None),
            Self::Preview { branch } => ("preview", branch.as_deref()),
            Self::Development => ("development", None),
            Self::Custom(slug) => (slug.as_str(), None),
        }
    }
}

/// An environment that every project of Vercel has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum Target {
    /// What the public sees.
    Production,
    /// Deployments of branches.
    Preview,
    /// People's own machines.
    Development,
}

impl Target {
    const ALL: [Self; 3] = [Self::Production, Self::Preview, Self::Development];
    const NAMES: [&str; 3] = ["production", "preview", "development"];

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().zip(Self::NAMES).find(|(_, known)| *known == name).map(|(target, _)| target)
    }
}

/// The fields that only a push to a sink of this type has, as a manifest spells them.
#[derive(Debug, JsonSchema)]
#[expect(dead_code, reason = "it only describes the form")]
pub struct PushFields {
    /// For `vercel`: `production`, `preview`, `development`.
    #[schemars(default)]
    targets: Vec<Target>,
    /// For `vercel`: custom environments, by slug.
    #[schemars(default)]
    environments: Vec<String>,
    /// For `vercel`: the branch whose previews read it; by default, those of all branches.
    #[schemars(length(min = 1, max = 250))]
    branch: Option<String>,
    /// For `vercel`: the branches that are waited for before an older version is retired; by default, all deployed ones.
    #[schemars(length(min = 1, max = 50), inner(length(min = 1, max = 250)))]
    branches: Option<Vec<String>>,
    /// For `vercel`: whether nobody may read the value back (type Secret, else Config); `true` by default.
    sensitive: Option<bool>,
}

/// The environments of one push.
#[derive(Debug)]
pub struct Environments {
    /// Each of them; `None` where the type of the sink has none.
    pub all: Option<Vec<Environment>>,
    /// The branches whose deployments count as consumers, where not all of them do.
    pub branches: Option<Vec<String>>,
    /// Whether nobody may read the value back.
    pub sensitive: bool,
}

impl Environments {
    /// Reads `targets`, `environments`, `branch`, `branches` and `sensitive`, which are Vercel's alone. `kind` is the type of the
    /// sink, where it is known.
    pub fn read(fields: &mut Fields<'_>, kind: Option<&str>, push: Span, reading: &mut Reading<'_>) -> Self {
        let targets = fields.texts("targets", reading);
        let custom = fields.texts("environments", reading);
        let branch = fields.text("branch", reading);
        let branches = fields.texts("branches", reading);
        let sensitive = fields.boolean("sensitive", reading);
        let read = |all| Self { all, branches: None, sensitive: sensitive.unwrap_or(true) };
        if kind != Some(KIND) {
            check_type(fields, kind, reading);
            return read(None);
        }
        let named = |name: &str| fields.has(name);
        if !named("targets") && !named("environments") {
            let fault = Fault::error("no-targets", push, "this push names no environment of the project");
            reading.add(fault.hint("add `targets = [\"production\", \"preview\"]`, or `environments` for custom ones"));
            return read(Some(Vec::new()));
        }
        let empty = |list: &Option<Vec<Text<'_>>>| list.as_ref().is_none_or(Vec::is_empty);
        if empty(&targets) && empty(&custom) && (targets.is_some() || custom.is_some()) {
            let span = fields.key_span("targets").or_else(|| fields.key_span("environments")).unwrap_or(push);
            let fault = Fault::error("no-targets", span, "this push goes to no environment of the project");
            reading.add(fault.hint(format!("the environments of every project are {}", listed(&Target::NAMES))));
        }
        let targets: Vec<(Target, Span)> =
            targets.into_iter().flatten().filter_map(|found| Some((target(&found, reading)?, found.span))).collect();
        let custom: Vec<Text<'_>> = custom.into_iter().flatten().filter(|slug| check_slug(slug, reading)).collect();
        check_sensitive(&targets, sensitive, fields.key_span("sensitive"), reading);
        let counting = fields.key_span("branches").zip(branches);
        let counting = counting.and_then(|(span, named)| {
            counting_branches((span, &named), (branch.as_ref(), &targets, !custom.is_empty()), reading)
        });
        let branch = branch.filter(|branch| check_branch(branch, &targets, reading));
        let branch = branch.map(|branch| branch.text.to_owned());
        let environment = |target| match target {
            Target::Production => Environment::Production,
            Target::Preview => Environment::Preview { branch: branch.clone() },
            Target::Development => Environment::Development,
        };
        let mut all: Vec<Environment> = targets.iter().map(|(target, _)| environment(*target)).collect();
        all.extend(custom.iter().map(|slug| Environment::Custom(slug.text.to_owned())));
        Self { branches: counting, ..read(Some(all)) }
    }
}

fn check_type(fields: &Fields<'_>, kind: Option<&str>, reading: &mut Reading<'_>) {
    let Some(kind) = kind else { return };
    for name in ["targets", "environments", "branch", "branches", "sensitive"] {
        if let Some(span) = fields.key_span(name) {
            let message = format!("`{name}` is for `vercel` only");
            let hint = format!("`{kind}` has no environments");
            reading.add(Fault::error("needs-vercel", span, message).hint(hint));
        }
    }
}

fn target(found: &Text<'_>, reading: &mut Reading<'_>) -> Option<Target> {
    let target = Target::named(found.text);
    if target.is_none() {
        let hint = reading.nearest(found.text, Target::NAMES).map_or_else(
            || {
                format!(
                    "the targets are {}; list custom environments in `environments`, by slug",
                    listed(&Target::NAMES)
                )
            },
            |near| format!("did you mean `{near}`?"),
        );
        let message = format!("`{}` is not a target", shown(found.text));
        reading.add(Fault::error("unknown-target", found.span.clone(), message).hint(hint));
    }
    target
}

fn check_slug(slug: &Text<'_>, reading: &mut Reading<'_>) -> bool {
    if Target::named(slug.text).is_some() {
        let message = format!("`{}` is not a custom environment", slug.text);
        reading.add(Fault::error("bad-environment", slug.span.clone(), message).hint("list it in `targets`"));
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

fn check_sensitive(targets: &[(Target, Span)], sensitive: Option<bool>, said: Option<Span>, reading: &mut Reading<'_>) {
    let Some((_, development)) = targets.iter().find(|(target, _)| *target == Target::Development) else { return };
    if sensitive == Some(false) {
        return;
    }
    let message = "sensitive variables (type Secret on Vercel) cannot be read in development";
    let hint = "add a separate push for development with `sensitive = false` (type Config)";
    let fault = Fault::error("sensitive-development", development.clone(), message).hint(hint);
    let by_default =
        "pushes are sensitive by default: add a separate one for development with `sensitive = false` (type Config)";
    reading.add(match said {
        Some(said) => fault.related(said, "set here"),
        None => fault.hint(by_default),
    });
}

/// The branches that count, if they can.
fn counting_branches(
    (span, named): (Span, &[Text<'_>]),
    (branch, targets, custom): (Option<&Text<'_>>, &[(Target, Span)], bool),
    reading: &mut Reading<'_>,
) -> Option<Vec<String>> {
    let mut add = |message: &str, hint: &str| {
        reading.add(Fault::error("bad-branches", span.clone(), message).hint(hint));
        None
    };
    if named.is_empty() {
        return add(
            "`branches` is empty",
            "name the branches that are waited for, or remove `branches` to wait for all",
        );
    }
    if named.len() > BRANCHES_MAX {
        return add("`branches` has too many branches", "name at most 50, or remove `branches` to wait for all");
    }
    if branch.is_some() {
        return add(
            "`branches` beside `branch`",
            "only the previews of that `branch` read this variable: remove `branches`",
        );
    }
    if !custom && !targets.iter().any(|(target, _)| *target == Target::Preview) {
        let hint =
            "only previews and custom environments have branches: add `preview` to `targets`, or remove `branches`";
        return add("`branches` without the target `preview`", hint);
    }
    let good = named.iter().filter(|branch| is_branch(branch, reading)).count() == named.len();
    good.then(|| named.iter().map(|branch| branch.text.to_owned()).collect())
}

/// Whether it can be a branch; reports why not.
fn is_branch(branch: &Text<'_>, reading: &mut Reading<'_>) -> bool {
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
    true
}

fn check_branch(branch: &Text<'_>, targets: &[(Target, Span)], reading: &mut Reading<'_>) -> bool {
    if !is_branch(branch, reading) {
        return false;
    }
    let mut add = |message: String, hint: &str| {
        reading.add(Fault::error("bad-branch", branch.span.clone(), message).hint(hint));
        false
    };
    if !targets.iter().any(|(target, _)| *target == Target::Preview) {
        let hint = "only previews have a branch: add `preview` to `targets`, or remove `branch`";
        return add("`branch` without the target `preview`".to_owned(), hint);
    }
    true
}
