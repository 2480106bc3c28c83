//! Plans in files: what `plan --out` writes and `apply --plan` takes up. No secret is in them.

use std::collections::BTreeSet;
use std::path::Path;

use jiff::Timestamp;
use latchkey::lifetime::Seconds;
use latchkey::secret::Digest;
use serde::{Deserialize, Serialize};

use super::choose::Key;
use super::exit::{Code, Fault};
use crate::manifest::{Manifest, ServiceAddress};
use crate::plan::{self, Adopt, Labels, Options, Plan, Rotate};
use latchkey_sinks::files;
use latchkey_sinks::plural::count;

/// The format of the document.
const FORMAT: u32 = 1;
/// The largest document that is read.
const SIZE_MAX: usize = 64 << 20;
/// How many differences are named.
const SHOWN_MAX: usize = 5;

/// A plan as it was.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Saved {
    /// The version of this document's format.
    latchkey_plan: u32,
    /// The manifest's name.
    manifest: String,
    /// The hash of what the plan changes.
    pub(super) plan_id: String,
    /// SHA-256 of the manifest's text.
    manifest_sha256: String,
    /// Where the service is.
    service: String,
    /// When it was created, by the service's time.
    made: Timestamp,
    /// Whether it changes anything.
    has_changes: bool,
    /// Whether something that is needed cannot be done.
    blocked: bool,
    /// The options that it was created with, and will be applied with.
    options: SavedOptions,
    /// What it shows, without notes.
    lines: Vec<String>,
}

/// The options of a plan. Those that were not used are left out.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::struct_excessive_bools, reason = "the fields are the flags")]
struct SavedOptions {
    prune: bool,
    allow_deletes: Option<usize>,
    prune_used: bool,
    prune_used_within: Option<String>,
    allow_rotations: Option<usize>,
    force_retire: bool,
    adopt: BTreeSet<String>,
    adopt_all: bool,
    forget: BTreeSet<String>,
    forget_branch: BTreeSet<String>,
    only: BTreeSet<String>,
    sink: BTreeSet<String>,
}

/// The plan of a run and what it was built from.
#[derive(Clone, Copy)]
pub(super) struct Made<'a> {
    pub(super) plan: &'a Plan,
    pub(super) manifest: &'a Manifest,
    pub(super) labels: &'a Labels,
}

/// Writes a plan to a file, in one step, readable by its owner only.
pub(super) fn write(
    path: &Path,
    made: Made<'_>,
    (address, at): (&ServiceAddress, Timestamp),
    options: &Options,
) -> Result<(), Fault> {
    let saved = Saved {
        latchkey_plan: FORMAT,
        manifest: made.manifest.name.to_string(),
        plan_id: made.plan.id(),
        manifest_sha256: digest(&made.manifest.text),
        service: place(address, made.manifest),
        made: at,
        has_changes: made.plan.has_changes(),
        blocked: made.plan.is_blocked() || !made.plan.guards.is_empty(),
        options: SavedOptions::of(options),
        lines: lines(made),
    };
    let fault = |error: files::FileError| {
        let hint = error.hint().to_owned();
        Fault::new(error.to_string()).hint(hint)
    };
    let mut text =
        serde_json::to_string_pretty(&saved).map_err(|error| Fault::new(format!("cannot write the plan: {error}")))?;
    text.push('\n');
    // Who sends a pull request may put a link there, to a file of somebody else's: it is not followed.
    files::write_atomic(path, text.as_bytes(), 0o600).map_err(fault)
}

/// Reads a plan from a file.
pub(super) fn read(path: &Path) -> Result<Saved, Fault> {
    let shown = path.display();
    let contents = files::read_plain(path, SIZE_MAX)
        .map_err(|error| {
            let hint = error.hint().to_owned();
            Fault::new(error.to_string()).hint(hint)
        })?
        .ok_or_else(|| Fault::new(format!("`{shown}` does not exist")).hint("`provision plan --out FILE` writes it"))?;
    let value: serde_json::Value = serde_json::from_slice(&contents.bytes).unwrap_or_default();
    let form = value.get("latchkey_plan").and_then(serde_json::Value::as_u64);
    match form {
        Some(form) if form > u64::from(FORMAT) => {
            return Err(Fault::new(format!("`{shown}` was written by a newer version (format {form})"))
                .hint("apply it with that version, or run `provision plan` again"));
        }
        Some(_) => {}
        None => {
            return Err(Fault::new(format!("`{shown}` is not a plan")).hint("`provision plan --out FILE` writes one"));
        }
    }
    serde_json::from_value(value).map_err(|error| {
        Fault::new(format!("`{shown}` is not a complete plan: {error}"))
            .hint("write it again with `provision plan --out`")
    })
}

impl Saved {
    /// The options that it was created with.
    pub(super) fn options(&self) -> Result<Options, Fault> {
        let options = &self.options;
        let bad = |what: &str| Fault::new(format!("the saved plan has an invalid `{what}`"));
        let within = options.prune_used_within.as_deref().map(str::parse::<Seconds>).transpose();
        Ok(Options {
            rotate: Rotate::Due,
            prune: options.prune,
            allow_deletes: options.allow_deletes,
            prune_used: options.prune_used,
            prune_used_within: within.map_err(|_| bad("prune_used_within"))?,
            allow_rotations: options.allow_rotations,
            force_retire: options.force_retire,
            adopt: match (options.adopt_all, options.adopt.is_empty()) {
                (true, _) => Adopt::All,
                (false, true) => Adopt::Declared,
                (false, false) => Adopt::Tokens(keys(&options.adopt).ok_or_else(|| bad("adopt"))?),
            },
            pass: plan::Pass::First,
            forget: options.forget.clone(),
            forget_branches: options.forget_branch.clone(),
            only: keys(&options.only).ok_or_else(|| bad("only"))?,
            sinks: options.sink.clone(),
        })
    }

    /// Demands that it is of this manifest and service.
    pub(super) fn check(&self, manifest: &Manifest, address: &ServiceAddress) -> Result<(), Fault> {
        if self.manifest != manifest.name.as_str() {
            return Err(Fault::new(format!(
                "the plan is for the manifest `{}`, not `{}`",
                self.manifest, manifest.name
            ))
            .hint("nothing was changed; pass the manifest's file before `--plan`"));
        }
        let now = place(address, manifest);
        if self.service != now {
            return Err(Fault::new(format!("the plan is for the service `{}`, not `{now}`", self.service))
                .hint("nothing was changed; run `provision plan` again, or pass that service")
                .code(Code::Busy));
        }
        Ok(())
    }

    /// What to report when the plan is stale: which lines are gone, and which are new.
    pub(super) fn stale(&self, made: Made<'_>) -> Fault {
        let now = lines(made);
        let missing = |lines: &[String], others: &[String]| -> Vec<String> {
            lines.iter().filter(|line| !others.contains(line)).cloned().collect()
        };
        let (gone, new) = (missing(&self.lines, &now), missing(&now, &self.lines));
        let mut differences: Vec<String> = Vec::new();
        if self.manifest_sha256 != digest(&made.manifest.text) {
            differences.push("the manifest has changed".to_owned());
        }
        let mut list = |what: &str, lines: &[String]| {
            differences.extend(lines.iter().take(SHOWN_MAX).map(|line| format!("{what}: {}", line.trim())));
            if lines.len() > SHOWN_MAX {
                differences.push(format!("{what}: {} more", count(lines.len() - SHOWN_MAX, "line")));
            }
        };
        list("no longer planned", &gone);
        list("newly planned", &new);
        if differences.is_empty() {
            differences.push("the same lines in another order, or different places with the same names".to_owned());
        }
        let message = format!(
            "the plan is stale: its id is now `{}`, not `{}` as at {}",
            made.plan.id(),
            self.plan_id,
            plan::minute(self.made),
        );
        Fault::new(message)
            .details(differences)
            .hint("nothing was changed; run `provision plan` again and review what differs")
            .code(Code::Busy)
    }
}

impl SavedOptions {
    fn of(options: &Options) -> Self {
        Self {
            prune: options.prune,
            allow_deletes: options.allow_deletes,
            prune_used: options.prune_used,
            prune_used_within: options.prune_used_within.map(|within| within.to_string()),
            allow_rotations: options.allow_rotations,
            force_retire: options.force_retire,
            adopt: match &options.adopt {
                Adopt::Tokens(tokens) => texts(tokens),
                Adopt::Declared | Adopt::All => BTreeSet::new(),
            },
            adopt_all: options.adopt == Adopt::All,
            forget: options.forget.clone(),
            forget_branch: options.forget_branches.clone(),
            only: texts(&options.only),
            sink: options.sinks.clone(),
        }
    }
}

/// Tokens as text, `USER/NAME` each.
fn texts(keys: &BTreeSet<Key>) -> BTreeSet<String> {
    keys.iter().map(|(user, name)| format!("{user}/{name}")).collect()
}

/// The same, read; `None` where one is none.
fn keys(texts: &BTreeSet<String>) -> Option<BTreeSet<Key>> {
    let key = |text: &String| {
        let (user, name) = text.rsplit_once('/')?;
        Some((user.parse().ok()?, name.parse().ok()?))
    };
    texts.iter().map(key).collect()
}

/// What the plan's id covers, as people read it.
fn lines(made: Made<'_>) -> Vec<String> {
    let lines = plan::lines(made.plan, made.labels);
    lines.iter().filter(|line| !line.is_note()).map(plan::Line::plain).collect()
}

fn digest(text: &str) -> String {
    Digest::of(text.as_bytes()).hex()
}

/// A service's address, the same for a folder that is elsewhere.
fn place(address: &ServiceAddress, manifest: &Manifest) -> String {
    match address {
        ServiceAddress::Embedded(path) => {
            let path = files::resolve(path);
            format!("embedded:{}", path.strip_prefix(&manifest.folder).unwrap_or(&path).display())
        }
        ServiceAddress::Table { name, region, endpoint } => {
            let region = region.as_ref().map(|region| format!(" in {region}")).unwrap_or_default();
            let endpoint = endpoint.as_ref().map(|endpoint| format!(" at {endpoint}")).unwrap_or_default();
            format!("table:{name}{region}{endpoint}")
        }
        // A login may be part of an address that a person wrote.
        ServiceAddress::Url { url, .. } => latchkey_sinks::transport::Address::parse(url)
            .map_or_else(|_| "a server".to_owned(), |address| address.to_string()),
    }
}
