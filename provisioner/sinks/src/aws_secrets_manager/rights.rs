//! The least rights of a login, as statements of an IAM policy. They name exactly what [`calls`](super::calls) calls; a
//! test holds the two to each other.

use std::collections::{BTreeMap, BTreeSet};

use latchkey::place::Place;
use serde_json::{Value, json};

use super::Settings;
use super::survey::WORTH_A_LIST;
use crate::rights::{PushedEntry, Statement};

/// What every push needs: look, read back, make, put beside, make current.
const DELIVER: &[&str] = &[
    "secretsmanager:CreateSecret",
    "secretsmanager:DescribeSecret",
    "secretsmanager:GetSecretValue",
    "secretsmanager:PutSecretValue",
    "secretsmanager:UpdateSecretVersionStage",
];
/// What a look at many secrets at once needs; AWS restricts it to no secret.
const LIST: &[&str] = &["secretsmanager:ListSecrets"];
/// What a sink's login that is itself a secret needs.
const LOGIN: &[&str] = &["secretsmanager:GetSecretValue"];
/// What only `--prune` needs, of secrets that hold nothing else.
const PRUNE: &[&str] = &["secretsmanager:DeleteSecret"];
/// What creating a secret with tags needs.
const TAG: &[&str] = &["secretsmanager:TagResource"];
/// What a key of one's own needs.
const KEY: &[&str] = &["kms:Decrypt", "kms:GenerateDataKey"];
/// Whose login it is: a place is named by its account.
const WHO: &[&str] = &["sts:GetCallerIdentity"];

/// What a login may do that delivers, lists, and removes nothing.
pub fn delivering() -> Vec<&'static str> {
    [DELIVER, LIST].concat()
}

/// What one sink needs for these entries; nothing where there are none.
pub(super) fn of_sink(settings: &Settings, entries: &[PushedEntry<'_>]) -> Vec<Statement> {
    // Of each secret, whether it holds one token and nothing else.
    let mut secrets: BTreeMap<Secret, bool> = BTreeMap::new();
    for entry in entries {
        let whole = secrets.entry(Secret::pushed(settings, entry.place, &entry.push.name)).or_default();
        *whole |= entry.push.json_key.is_none();
    }
    let Some((first, _)) = secrets.first_key_value() else { return Vec::new() };
    let all: BTreeSet<String> = secrets.keys().map(Secret::arn).collect();
    let whole: BTreeSet<String> = secrets.iter().filter(|(_, whole)| **whole).map(|(secret, _)| secret.arn()).collect();
    let mut statements = vec![allow("Deliver", DELIVER, all.clone())];
    if secrets.len() >= WORTH_A_LIST {
        statements.push(allow("List", LIST, anything()));
    }
    if !settings.tags.is_empty() {
        statements.push(allow("Tag", TAG, all));
    }
    if !whole.is_empty() {
        statements.push(allow("Prune", PRUNE, whole));
    }
    statements.extend(settings.kms_key_id.as_deref().map(|key| of_key(key, first)));
    statements
}

/// What is needed to read logins that are stored in Secrets Manager under these names.
pub fn rights_of_logins<'a>(names: impl IntoIterator<Item = &'a str>) -> Statement {
    let anywhere = |name: &str| Secret { region: "*".to_owned(), account: "*".to_owned(), name: name.to_owned() }.arn();
    allow("Logins", LOGIN, names.into_iter().map(anywhere).collect())
}

/// What all AWS credentials need that are used at all.
pub fn right_to_know_oneself() -> Statement {
    allow("WhoAmI", WHO, anything())
}

/// The part of Amazon's world that a region is in, as ARNs name it.
pub fn partition(region: &str) -> &'static str {
    match region {
        region if region.starts_with("cn-") => "aws-cn",
        region if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

/// The ARN pattern of a secret: AWS puts six characters behind the name.
pub(super) fn pattern(region: &str, account: &str, name: &str) -> String {
    format!("arn:{}:secretsmanager:{region}:{account}:secret:{name}-??????", partition(region))
}

fn allow(sid: &'static str, actions: &'static [&'static str], resources: BTreeSet<String>) -> Statement {
    Statement { sid, actions, resources, condition: None }
}

fn anything() -> BTreeSet<String> {
    BTreeSet::from(["*".to_owned()])
}

/// A secret by account and region.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Secret {
    region: String,
    account: String,
    name: String,
}

impl Secret {
    /// As the login tells, else as the manifest does; `*` where nobody does.
    fn pushed(settings: &Settings, place: Option<&Place>, name: &str) -> Self {
        let told = |part: &str| place.and_then(|place| place.part(part)).filter(|text| *text != "-").map(str::to_owned);
        let any = || "*".to_owned();
        Self {
            region: told("region").or_else(|| settings.region.clone()).unwrap_or_else(any),
            account: told("account").or_else(|| settings.account.clone()).unwrap_or_else(any),
            name: name.to_owned(),
        }
    }

    fn arn(&self) -> String {
        pattern(&self.region, &self.account, &self.name)
    }
}

fn of_key(key: &str, Secret { region, account, .. }: &Secret) -> Statement {
    let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    let mut condition = json!({ "StringLike": { "kms:ViaService": format!("secretsmanager.{region}.{suffix}") } });
    let keys = |id: &str| format!("arn:{}:kms:{region}:{account}:key/{id}", partition(region));
    // A policy cannot name an alias as a resource.
    let alias = key.find("alias/").map(|at| &key[at..]);
    let resource = match alias {
        Some(alias) => {
            condition["ForAnyValue:StringEquals"] = json!({ "kms:ResourceAliases": alias });
            keys("*")
        }
        None if key.starts_with("arn:") => key.to_owned(),
        None => keys(key),
    };
    let condition: Option<Value> = Some(condition);
    Statement { condition, ..allow("Key", KEY, BTreeSet::from([resource])) }
}
