//! The secrets of a vault, with all their versions, and those that were deleted.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Reply;
use super::server::Call;

const PAGE: usize = 25;
const RETENTION: i64 = 90 * 86_400;

/// One version of a secret.
#[derive(Debug, Clone)]
pub struct Version {
    /// 32 hex digits.
    pub id: String,
    pub value: String,
    pub tags: BTreeMap<String, String>,
    /// Whether it can be read.
    pub enabled: bool,
    pub content_type: Option<String>,
    /// When it ends for Azure, in seconds since 1970.
    pub expires: Option<i64>,
    created: i64,
    updated: i64,
}

#[derive(Debug)]
struct Secret {
    /// As it was first spelled.
    name: String,
    versions: Vec<Version>,
    managed: bool,
}

#[derive(Debug)]
struct Deleted {
    secret: Secret,
    at: i64,
    stage: Stage,
}

/// How far a deletion or a recovery is, in requests that it takes yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    BeingDeleted(u32),
    Done,
    BeingRecovered(u32),
}

/// All of them, by their names without case.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    there: BTreeMap<String, Secret>,
    deleted: BTreeMap<String, Deleted>,
    made: u64,
}

impl Secrets {
    /// One request later.
    pub(super) fn pass(&mut self) {
        let mut back = Vec::new();
        for (name, deleted) in &mut self.deleted {
            deleted.stage = match deleted.stage {
                Stage::BeingDeleted(0) | Stage::Done => Stage::Done,
                Stage::BeingDeleted(left) => Stage::BeingDeleted(left - 1),
                Stage::BeingRecovered(0) => {
                    back.push(name.clone());
                    Stage::Done
                }
                Stage::BeingRecovered(left) => Stage::BeingRecovered(left - 1),
            };
        }
        for name in back {
            self.restore(&name);
        }
    }

    /// Whatever is on its way arrives.
    pub(super) fn settle(&mut self) {
        for _ in 0..1_000 {
            self.pass();
        }
    }

    pub(super) fn restore(&mut self, name: &str) {
        let name = name.to_ascii_lowercase();
        if let Some(deleted) = self.deleted.remove(&name) {
            self.there.insert(name, deleted.secret);
        }
    }

    pub(super) fn versions(&self, name: &str) -> Vec<Version> {
        self.there.get(&name.to_ascii_lowercase()).map(|secret| secret.versions.clone()).unwrap_or_default()
    }

    pub(super) fn enable(&mut self, name: &str, enabled: bool) {
        let secret = self.there.get_mut(&name.to_ascii_lowercase());
        if let Some(newest) = secret.and_then(|secret| secret.versions.last_mut()) {
            newest.enabled = enabled;
        }
    }

    pub(super) fn made_later(&mut self, name: &str, later: i64) {
        let secret = self.there.get_mut(&name.to_ascii_lowercase());
        if let Some(newest) = secret.and_then(|secret| secret.versions.last_mut()) {
            (newest.created, newest.updated) = (newest.created + later, newest.updated + later);
        }
    }

    pub(super) fn manage(&mut self, name: &str) {
        if let Some(secret) = self.there.get_mut(&name.to_ascii_lowercase()) {
            secret.managed = true;
        }
    }

    /// Why a name cannot be used now.
    fn kept(&self, name: &str) -> Option<Reply> {
        let inner = match self.deleted.get(&name.to_ascii_lowercase())?.stage {
            Stage::BeingDeleted(_) => "ObjectIsBeingDeleted",
            Stage::Done => "ObjectIsDeletedButRecoverable",
            Stage::BeingRecovered(_) => "ObjectIsBeingRecovered",
        };
        Some(Reply::error(409, "Conflict", inner))
    }

    pub(super) fn set(
        &mut self,
        (name, value): (&str, &str),
        tags: BTreeMap<String, String>,
        body: &Value,
        now: i64,
    ) -> Result<(), Reply> {
        if let Some(reply) = self.kept(name) {
            return Err(reply);
        }
        self.made += 1;
        // In no order, as Azure's are.
        let id = format!("{:032x}", u128::from(self.made.wrapping_mul(0x9E37_79B9_7F4A_7C15)).wrapping_mul(0x1_0001));
        let version = Version {
            id,
            value: value.to_owned(),
            tags,
            enabled: true,
            content_type: body["contentType"].as_str().map(str::to_owned),
            expires: body["attributes"]["exp"].as_i64(),
            created: now,
            updated: now,
        };
        let secret = self.there.entry(name.to_ascii_lowercase()).or_insert_with(|| Secret {
            name: name.to_owned(),
            versions: Vec::new(),
            managed: false,
        });
        if secret.managed {
            return Err(Reply::error(403, "Forbidden", "SecretManagedByKeyVault"));
        }
        secret.versions.push(version);
        Ok(())
    }

    pub(super) fn get(&self, name: &str, version: Option<&str>, base: &str) -> Reply {
        let Some(secret) = self.there.get(&name.to_ascii_lowercase()) else {
            return Reply::error(404, "SecretNotFound", "");
        };
        let found = match version {
            Some(id) => secret.versions.iter().find(|version| version.id == id),
            None => secret.versions.last(),
        };
        match found {
            None => Reply::error(404, "SecretNotFound", ""),
            Some(version) if !version.enabled => Reply::error(403, "Forbidden", "SecretDisabled"),
            Some(version) => {
                let mut body = shown(secret, version, base, true);
                body["value"] = json!(version.value);
                Reply::ok(body)
            }
        }
    }

    pub(super) fn get_deleted(&self, name: &str, base: &str) -> Reply {
        let deleted = self.deleted.get(&name.to_ascii_lowercase());
        match deleted.filter(|deleted| deleted.stage == Stage::Done) {
            Some(_) => self.deleted_reply(name, base),
            None => Reply::error(404, "SecretNotFound", ""),
        }
    }

    pub(super) fn deleted_reply(&self, name: &str, base: &str) -> Reply {
        let Some(deleted) = self.deleted.get(&name.to_ascii_lowercase()) else {
            return Reply::error(404, "SecretNotFound", "");
        };
        let Some(newest) = deleted.secret.versions.last() else { return Reply::error(404, "SecretNotFound", "") };
        let mut body = shown(&deleted.secret, newest, base, true);
        body["recoveryId"] = json!(format!("{base}/deletedsecrets/{}", deleted.secret.name));
        body["deletedDate"] = json!(deleted.at);
        body["scheduledPurgeDate"] = json!(deleted.at + RETENTION);
        Reply::ok(body)
    }

    pub(super) fn recovering_reply(&self, name: &str, base: &str) -> Reply {
        let deleted = self.deleted.get(&name.to_ascii_lowercase());
        match deleted.and_then(|deleted| Some((deleted, deleted.secret.versions.last()?))) {
            Some((deleted, newest)) => Reply::ok(shown(&deleted.secret, newest, base, true)),
            None => self.get(name, None, base),
        }
    }

    pub(super) fn delete(&mut self, name: &str, now: i64, polls: u32) -> Result<(), Reply> {
        let key = name.to_ascii_lowercase();
        let Some(secret) = self.there.remove(&key) else {
            return Err(self.kept(name).unwrap_or_else(|| Reply::error(404, "SecretNotFound", "")));
        };
        let stage = if polls == 0 { Stage::Done } else { Stage::BeingDeleted(polls) };
        self.deleted.insert(key, Deleted { secret, at: now, stage });
        Ok(())
    }

    pub(super) fn recover(&mut self, name: &str, polls: u32) -> Result<(), Reply> {
        let Some(deleted) = self.deleted.get_mut(&name.to_ascii_lowercase()) else {
            return Err(Reply::error(404, "SecretNotFound", ""));
        };
        if deleted.stage != Stage::Done {
            return Err(self.kept(name).unwrap_or_else(|| Reply::error(409, "Conflict", "")));
        }
        deleted.stage = Stage::BeingRecovered(polls);
        Ok(())
    }

    pub(super) fn patch(&mut self, name: &str, id: &str, body: &Value, now: i64, base: &str) -> (Reply, bool) {
        let missing = || Reply::error(404, "SecretNotFound", "");
        let Some(secret) = self.there.get_mut(&name.to_ascii_lowercase()) else { return (missing(), false) };
        let Some(version) = secret.versions.iter_mut().find(|version| version.id == id) else {
            return (missing(), false);
        };
        if let Some(enabled) = body["attributes"]["enabled"].as_bool() {
            version.enabled = enabled;
        }
        if let Some(tags) = body["tags"].as_object() {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            version.tags = tags.iter().map(|(name, value)| (name.clone(), text(value))).collect();
            if version.tags.len() > 15 {
                return (Reply::error(400, "BadParameter", ""), false);
            }
        }
        version.updated = now;
        let version = version.clone();
        (Reply::ok(shown(secret, &version, base, true)), true)
    }

    pub(super) fn page(&self, call: &Call, base: &str) -> Reply {
        let items = self.there.values().filter_map(|secret| Some(shown(secret, secret.versions.last()?, base, false)));
        paged(items.collect(), call, base)
    }

    pub(super) fn deleted_page(&self, call: &Call, base: &str) -> Reply {
        let done = self.deleted.values().filter(|deleted| deleted.stage == Stage::Done);
        let items = done.filter_map(|deleted| {
            let mut item = shown(&deleted.secret, deleted.secret.versions.last()?, base, false);
            item["deletedDate"] = json!(deleted.at);
            item["recoveryId"] = json!(format!("{base}/deletedsecrets/{}", deleted.secret.name));
            Some(item)
        });
        paged(items.collect(), call, base)
    }

    pub(super) fn version_page(&self, name: &str, call: &Call, base: &str) -> Reply {
        let Some(secret) = self.there.get(&name.to_ascii_lowercase()) else {
            return Reply::error(404, "SecretNotFound", "");
        };
        let mut versions: Vec<&Version> = secret.versions.iter().collect();
        versions.sort_by(|one, other| one.id.cmp(&other.id));
        paged(versions.into_iter().map(|version| shown(secret, version, base, true)).collect(), call, base)
    }
}

/// A version as lists show it: without its value.
fn shown(secret: &Secret, version: &Version, base: &str, with_version: bool) -> Value {
    let id = if with_version { format!("/{}", version.id) } else { String::new() };
    let mut shown = json!({
        "id": format!("{base}/secrets/{}{id}", secret.name),
        "attributes": {
            "enabled": version.enabled,
            "created": version.created,
            "updated": version.updated,
            "recoveryLevel": "Recoverable+Purgeable",
            "recoverableDays": 90,
        },
        "tags": version.tags,
    });
    if let Some(expires) = version.expires {
        shown["attributes"]["exp"] = json!(expires);
    }
    if let Some(content_type) = &version.content_type {
        shown["contentType"] = json!(content_type);
    }
    if secret.managed {
        shown["managed"] = json!(true);
    }
    shown
}

fn paged(items: Vec<Value>, call: &Call, base: &str) -> Reply {
    let start: usize = call.query.get("$skiptoken").and_then(|token| token.parse().ok()).unwrap_or(0);
    let most = call.query.get("maxresults").and_then(|most| most.parse().ok()).unwrap_or(PAGE).min(PAGE);
    let next = start + most;
    let version = call.query.get("api-version").map_or("", String::as_str);
    let link = (next < items.len())
        .then(|| format!("{base}{}?api-version={version}&$skiptoken={next}&maxresults={most}", call.path));
    let items: Vec<Value> = items.into_iter().skip(start).take(most).collect();
    let mut body = json!({ "value": items });
    if let Some(link) = link {
        body["nextLink"] = json!(link);
    }
    Reply::ok(body)
}
