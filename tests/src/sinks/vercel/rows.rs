//! The rows of the fake's project, and the rules by which Vercel takes changes of them.

use serde_json::{Map, Value, json};

use super::super::vendor::Reply;
use super::refusal;

const TARGETS: &[&str] = &["production", "preview", "development"];

/// An environment that reads rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reader {
    pub(super) target: String,
    pub(super) branch: Option<String>,
    pub(super) custom: Option<String>,
}

/// An environment variable.
#[derive(Debug, Clone, Default)]
pub struct Row {
    pub(super) id: String,
    pub(super) key: String,
    pub(super) value: String,
    /// `encrypted`, `sensitive`, `plain`, `system`.
    pub kind: String,
    /// Which of production, preview and development read it.
    pub target: Vec<String>,
    pub(super) branch: Option<String>,
    pub(super) custom: Vec<String>,
    pub comment: Option<String>,
    pub(super) created: i64,
    pub(super) updated: i64,
    /// What an integration put beside it.
    pub(super) more: Map<String, Value>,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) all: Vec<Row>,
    /// Ids and slugs.
    pub(super) environments: Vec<(String, String)>,
    pub(super) policy: bool,
    made: u64,
    last: i64,
}

impl Row {
    pub(super) fn is_read_by(&self, reader: &Reader) -> bool {
        match &reader.custom {
            Some(id) => self.custom.contains(id),
            None => self.target.contains(&reader.target) && self.branch == reader.branch,
        }
    }

    fn meets(&self, other: &Self) -> bool {
        let targets = self.target.iter().any(|target| other.target.contains(target)) && self.branch == other.branch;
        self.key == other.key && (targets || self.custom.iter().any(|id| other.custom.contains(id)))
    }

    /// As Vercel shows it: the value of a sensitive row never, of others as a ciphertext unless it is asked for.
    pub(super) fn json(&self, decrypted: bool) -> Value {
        let mut row = json!({
            "id": self.id, "key": self.key, "type": self.kind, "target": self.target,
            "createdAt": self.created, "updatedAt": self.updated, "createdBy": "user", "updatedBy": null,
            "configurationId": null, "decrypted": decrypted && self.kind != "sensitive",
        });
        let fields = row.as_object_mut().expect("it is an object");
        let value = match (self.kind.as_str(), decrypted) {
            ("sensitive", _) => String::new(),
            ("plain", _) | (_, true) => self.value.clone(),
            _ => format!("eyJ2IjoidjIiLCJjIjoi{}", self.id),
        };
        fields.insert("value".to_owned(), value.into());
        if let Some(branch) = &self.branch {
            fields.insert("gitBranch".to_owned(), branch.clone().into());
        }
        if let Some(comment) = &self.comment {
            fields.insert("comment".to_owned(), comment.clone().into());
        }
        if !self.custom.is_empty() {
            fields.insert("customEnvironmentIds".to_owned(), self.custom.clone().into());
        }
        fields.extend(self.more.clone());
        row
    }
}

/// Why Vercel does not take a row.
struct No {
    code: &'static str,
    message: String,
}

fn no(code: &'static str, message: impl Into<String>) -> No {
    No { code, message: message.into() }
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

impl Rows {
    /// A time that no other change had.
    pub(super) fn tick(&mut self, now: i64) -> i64 {
        self.last = now.max(self.last + 1);
        self.last
    }

    fn id(&mut self) -> String {
        self.made += 1;
        format!("Row{:013}", self.made)
    }

    pub(super) fn reader(&self, target: &str, branch: Option<&str>) -> Reader {
        let custom = self.environments.iter().find(|(_, slug)| slug == target).map(|(id, _)| id.clone());
        Reader { target: target.to_owned(), branch: branch.map(str::to_owned), custom }
    }

    pub(super) fn find(&self, name: &str, reader: &Reader) -> Option<&Row> {
        self.all.iter().find(|row| row.key == name && row.is_read_by(reader))
    }

    /// What a deployment of an environment reads: a branch's own rows stand over those of all previews.
    pub(super) fn read_by(&self, reader: &Reader) -> Vec<(String, String)> {
        let general = Reader { branch: None, ..reader.clone() };
        let rows = self.all.iter().filter(|row| row.is_read_by(reader));
        let rows = rows.chain(self.all.iter().filter(|row| row.is_read_by(&general)));
        rows.map(|row| (row.key.clone(), row.value.clone())).collect()
    }

    fn check(&self, row: &Row) -> Result<(), No> {
        let good_key = row.key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && row.key.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
        if !good_key {
            return Err(no("INVALID_KEY", "The name contains invalid characters"));
        }
        if row.kind == "system" {
            return Err(no("BAD_REQUEST", "System variables cannot be made"));
        }
        if row.target.is_empty() && row.custom.is_empty() {
            return Err(no("BAD_REQUEST", "No target"));
        }
        if row.target.iter().any(|target| !TARGETS.contains(&target.as_str())) {
            return Err(no("BAD_REQUEST", "Unknown target"));
        }
        if row.custom.iter().any(|id| !self.environments.iter().any(|(known, _)| known == id)) {
            return Err(no("BAD_REQUEST", "Unknown custom environment"));
        }
        if row.kind == "sensitive" && row.target.iter().any(|target| target == "development") {
            return Err(no("BAD_REQUEST", "You cannot set a Sensitive Environment Variable's target to development."));
        }
        if row.branch.is_some() && row.target != ["preview"] {
            return Err(no("BAD_REQUEST", "A branch needs the target preview"));
        }
        if row.comment.as_ref().is_some_and(|comment| comment.chars().count() > 500) {
            return Err(no("BAD_REQUEST", "The comment is too long"));
        }
        Ok(())
    }

    fn enforce(&self, row: &mut Row) {
        let secret = row.custom.len() + row.target.iter().filter(|target| *target != "development").count() > 0;
        if self.policy && secret && row.kind == "encrypted" {
            "sensitive".clone_into(&mut row.kind);
        }
    }

    fn create_one(&mut self, body: &Value, upsert: bool, now: i64) -> Result<Value, No> {
        let text = |name: &str| body[name].as_str().map(str::to_owned);
        let mut row = Row {
            key: text("key").unwrap_or_default(),
            value: text("value").unwrap_or_default(),
            kind: text("type").unwrap_or_default(),
            target: texts(&body["target"]),
            branch: text("gitBranch"),
            custom: texts(&body["customEnvironmentIds"]),
            comment: text("comment"),
            ..Row::default()
        };
        self.check(&row)?;
        self.enforce(&mut row);
        let at = self.tick(now);
        if let Some(index) = self.all.iter().position(|other| other.meets(&row)) {
            let other = &mut self.all[index];
            let exactly = other.target == row.target && other.custom == row.custom && other.branch == row.branch;
            if !upsert || !exactly {
                let message = format!("A variable with the name `{}` already exists for the target", row.key);
                return Err(no("ENV_CONFLICT", message));
            }
            (other.value, other.comment, other.updated) = (row.value, row.comment, at);
            return Ok(other.json(false));
        }
        (row.id, row.created, row.updated) = (self.id(), at, at);
        self.all.push(row.clone());
        Ok(row.json(false))
    }

    pub(super) fn create(&mut self, body: &Value, upsert: bool, now: i64) -> Reply {
        let alone = std::slice::from_ref(body);
        let rows = body.as_array().map_or(alone, Vec::as_slice);
        let (mut created, mut failed) = (Vec::new(), Vec::new());
        for row in rows {
            match self.create_one(row, upsert, now) {
                Ok(row) => created.push(row),
                // It repeats what was sent, as Vercel may.
                Err(no) => failed.push(json!({ "error": {
                    "code": no.code, "message": format!("{}: {}", no.message, row["value"]), "key": row["key"],
                    "envVarKey": row["key"], "target": row["target"], "value": row["value"],
                } })),
            }
        }
        if created.is_empty() && !failed.is_empty() {
            let error = json!({ "code": failed[0]["error"]["code"], "message": failed[0]["error"]["message"] });
            return Reply::new(400, json!({ "error": error, "failed": failed }));
        }
        let created = if body.is_array() { Value::Array(created) } else { created.remove(0) };
        Reply::new(201, json!({ "created": created, "failed": failed }))
    }

    pub(super) fn patch(&mut self, id: &str, body: &Value, now: i64) -> Result<Reply, Reply> {
        let index = self.all.iter().position(|row| row.id == id);
        let index = index.ok_or_else(|| refusal(404, "not_found", "Environment variable not found"))?;
        let mut row = self.all[index].clone();
        let was_sensitive = row.kind == "sensitive";
        if was_sensitive && body.get("key").is_some() {
            return Err(refusal(400, "BAD_REQUEST", "The key of a sensitive variable cannot be changed"));
        }
        if was_sensitive && body["type"].as_str().is_some_and(|kind| kind != "sensitive") {
            return Err(refusal(400, "BAD_REQUEST", "The type of a sensitive variable cannot be changed"));
        }
        if row.kind == "system" || !row.more.is_empty() {
            return Err(refusal(403, "forbidden", "This variable belongs to an integration"));
        }
        for (name, field) in [("key", &mut row.key), ("value", &mut row.value), ("type", &mut row.kind)] {
            if let Some(text) = body[name].as_str() {
                text.clone_into(field);
            }
        }
        if body.get("target").is_some() {
            row.target = texts(&body["target"]);
        }
        if let Some(comment) = body["comment"].as_str() {
            row.comment = Some(comment.to_owned());
        }
        self.check(&row).map_err(|no| refusal(400, no.code, &format!("{}: {}", no.message, body["value"])))?;
        self.enforce(&mut row);
        row.updated = self.tick(now);
        let shown = row.json(false);
        self.all[index] = row;
        Ok(Reply::new(200, shown))
    }

    pub(super) fn delete(&mut self, body: &Value) -> Reply {
        let wanted = texts(&body["ids"]);
        let before = self.all.len();
        let gone: Vec<String> = wanted.into_iter().filter(|id| self.all.iter().any(|row| row.id == *id)).collect();
        self.all.retain(|row| !gone.contains(&row.id));
        Reply::new(200, json!({ "deleted": before - self.all.len(), "ids": gone }))
    }

    pub(super) fn by_hand(&mut self, name: &str, target: &str, branch: Option<&str>, value: &str, now: i64) {
        let at = self.tick(now);
        let reader = self.reader(target, branch);
        if let Some(row) = self.all.iter_mut().find(|row| row.key == name && row.is_read_by(&reader)) {
            (row.value, row.updated) = (value.to_owned(), at);
            return;
        }
        let id = self.id();
        let built_in = reader.custom.is_none();
        self.all.push(Row {
            id,
            key: name.to_owned(),
            value: value.to_owned(),
            kind: if target == "development" { "encrypted" } else { "sensitive" }.to_owned(),
            target: built_in.then(|| target.to_owned()).into_iter().collect(),
            branch: reader.branch.clone(),
            custom: reader.custom.into_iter().collect(),
            created: at,
            updated: at,
            ..Row::default()
        });
    }

    pub(super) fn edit(&mut self, name: &str, reader: &Reader, now: i64, change: impl FnOnce(&mut Row)) {
        let at = self.tick(now);
        let row = self.all.iter_mut().find(|row| row.key == name && row.is_read_by(reader));
        let row = row.expect("there is such a row");
        change(row);
        row.updated = at;
    }

    pub(super) fn foreign(&mut self, fields: &Value, now: i64) {
        let at = self.tick(now);
        let id = self.id();
        let text = |name: &str, other: &str| fields[name].as_str().unwrap_or(other).to_owned();
        let known = ["key", "value", "type", "target", "comment"];
        let more = fields.as_object().into_iter().flatten().filter(|(name, _)| !known.contains(&name.as_str()));
        self.all.push(Row {
            id,
            key: text("key", "A"),
            value: text("value", "theirs"),
            kind: text("type", "encrypted"),
            target: texts(&fields["target"]),
            comment: fields["comment"].as_str().map(str::to_owned),
            created: at,
            updated: at,
            more: more.map(|(name, value)| (name.clone(), value.clone())).collect(),
            ..Row::default()
        });
    }
}
