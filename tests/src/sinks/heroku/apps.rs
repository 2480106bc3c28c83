//! Apps of the fake: their config vars, and the releases that each change makes.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::super::vendor::Reply;
use super::{refusal, uuid};

/// All config vars of an app together, in bytes.
const SIZE_MAX: usize = 32 * 1024;

/// A release-phase command of the next release.
#[derive(Debug, Clone, Copy)]
pub(super) struct Phase {
    /// How often the list of releases says that it is pending.
    pub(super) asks: usize,
    pub(super) fails: bool,
}

pub(super) struct App {
    pub(super) vars: BTreeMap<String, String>,
    pub(super) releases: Vec<Release>,
}

pub(super) struct Release {
    pub(super) version: u64,
    pub(super) description: String,
    pub(super) vars: BTreeMap<String, String>,
    pub(super) pending: usize,
    pub(super) fails: bool,
    pub(super) made: String,
}

impl Release {
    pub(super) fn status(&self) -> &'static str {
        match (self.pending, self.fails) {
            (0, false) => "succeeded",
            (0, true) => "failed",
            _ => "pending",
        }
    }
}

impl App {
    /// The release that dynos run.
    pub(super) fn serving(&self) -> Option<&Release> {
        self.releases.iter().rev().find(|release| release.status() == "succeeded")
    }

    pub(super) fn release(&mut self, description: &str, phase: Phase, made: String) {
        let version = self.releases.last().map_or(1, |release| release.version + 1);
        let (vars, description) = (self.vars.clone(), description.to_owned());
        self.releases.push(Release { version, description, vars, pending: phase.asks, fails: phase.fails, made });
    }

    /// What a question shows: while a release-phase command runs, what was there before.
    pub(super) fn shown(&self) -> &BTreeMap<String, String> {
        match self.releases.last().filter(|release| release.status() == "pending") {
            Some(_) => self.serving().map_or(&self.vars, |release| &release.vars),
            None => &self.vars,
        }
    }
}

/// Takes changes, or says why not.
pub(super) fn change(vars: &mut BTreeMap<String, String>, changes: &Value, is_app: bool) -> Result<(), Reply> {
    let invalid = |message: String| refusal(422, "invalid_params", &message);
    let Some(changes) = changes.as_object() else { return Err(refusal(400, "bad_request", "a map is wanted")) };
    let mut next = vars.clone();
    for (name, value) in changes {
        if is_app && (name.starts_with("HEROKU_") || name.starts_with("__")) {
            return Err(invalid(format!("{name} is reserved (it was to be {value})")));
        }
        match value {
            Value::Null => next.remove(name),
            Value::String(value) => next.insert(name.clone(), value.clone()),
            // It repeats what was sent, as vendors do.
            other => return Err(invalid(format!("{name} cannot be {other}"))),
        };
    }
    let size: usize = next.iter().map(|(name, value)| name.len() + value.len()).sum();
    if is_app && size > SIZE_MAX {
        return Err(invalid(format!(
            "Config vars are limited to 32kb, last was {}",
            next.values().last().map_or("", |value| value)
        )));
    }
    *vars = next;
    Ok(())
}

pub(super) fn map(vars: &BTreeMap<String, String>) -> Value {
    Value::Object(vars.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect::<Map<_, _>>())
}

pub(super) fn release_json(name: &str, app: &App, release: &Release) -> Value {
    let current = app.serving().is_some_and(|serving| serving.version == release.version);
    json!({
        "addon_plan_names": [],
        "artifacts": [{ "type": "slug", "id": uuid("slug", 1) }],
        "app": { "name": name, "id": uuid(name, 0) },
        "created_at": release.made,
        "description": release.description,
        "id": uuid(name, release.version),
        "updated_at": release.made,
        "slug": { "id": uuid("slug", 1) },
        "status": release.status(),
        "user": { "id": uuid("user", 1), "email": "ci@example.com" },
        "version": release.version,
        "current": current,
        "output_stream_url": null,
        "eligible_for_rollback": true,
    })
}
