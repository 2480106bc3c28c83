//! The least privileges that a manifest needs: AWS's as an IAM policy, others' in words. What a sink
//! needs, it knows itself.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::commands::exit::{Code, Fault};
use crate::manifest::{Manifest, ServiceAddress};
use crate::output::{Format, Printer, markdown};
use latchkey_sinks::ManifestSinks;
use latchkey_sinks::aws_secrets_manager::{partition, right_to_know_oneself, rights_of_logins};
use latchkey_sinks::login::Login;
use latchkey_sinks::{LeastRights, PushedEntry, SinkSet as _, Statement};

/// A table on AWS, as its operator.
const TABLE: &[&str] = &[
    "dynamodb:BatchGetItem",
    "dynamodb:ConditionCheckItem",
    "dynamodb:DeleteItem",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:Query",
    "dynamodb:UpdateItem",
];

/// What a manifest needs.
#[derive(Debug, Default)]
pub(super) struct Rights {
    statements: Vec<Value>,
    /// Permissions that no IAM policy gives.
    words: Vec<String>,
}

/// Collects the permissions for all sinks and for the service.
pub(super) async fn rights(manifest: &Manifest, sinks: &ManifestSinks, address: &ServiceAddress) -> Rights {
    let mut rights = Rights::default();
    for (name, sink) in &manifest.sinks {
        let mut places = Vec::new();
        for push in manifest.tokens.iter().flat_map(|token| &token.pushes).filter(|push| push.sink == *name) {
            places.push((push, sinks.place(push).await.ok()));
        }
        let entries: Vec<_> = places.iter().map(|(push, place)| PushedEntry { push, place: place.as_ref() }).collect();
        match sink.settings.facts().rights(&entries) {
            LeastRights::Statements(statements) => statements.into_iter().for_each(|found| rights.allow(found)),
            LeastRights::Words(words) => rights.words.push(format!("sink `{name}`: {words}")),
        }
    }
    let logins = manifest.sinks.values().flat_map(|sink| sink.settings.facts().logins());
    let stored: BTreeSet<&str> = logins
        .filter_map(|(_, login)| match login {
            Login::Secret { secret } => Some(secret.as_str()),
            Login::Env { .. } | Login::File { .. } | Login::Command { .. } => None,
        })
        .collect();
    if !stored.is_empty() {
        rights.allow(rights_of_logins(stored));
    }
    if let ServiceAddress::Table { name, region, .. } = address {
        rights.table(name, region.as_deref());
    }
    if !rights.statements.is_empty() {
        rights.allow(right_to_know_oneself());
    }
    if let ServiceAddress::Url { .. } = address {
        rights.words.push(format!(
            "server: a token with the permission `manifests:{0}`, and a grant by `provision manifest grant {0}`",
            manifest.name
        ));
    }
    rights
}

impl Rights {
    fn table(&mut self, name: &str, region: Option<&str>) {
        let region = region.unwrap_or("*");
        let table = format!("arn:{}:dynamodb:{region}:*:table/{name}", partition(region));
        let resources = BTreeSet::from([format!("{table}/index/managed"), table]);
        self.allow(Statement { sid: "Table", actions: TABLE, resources, condition: None });
    }

    fn allow(&mut self, statement: Statement) {
        let Statement { sid, actions, resources, condition } = statement;
        let same = self.statements.iter().filter(|statement| {
            statement["Sid"].as_str().is_some_and(|other| other.trim_end_matches(char::is_numeric) == sid)
        });
        let sid = match same.count() {
            0 => sid.to_owned(),
            before => format!("{sid}{}", before + 1),
        };
        let mut statement = json!({ "Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources });
        if let Some(condition) = condition {
            statement["Condition"] = condition;
        }
        self.statements.push(statement);
    }

    fn policy(&self) -> Option<Value> {
        (!self.statements.is_empty()).then(|| json!({ "Version": "2012-10-17", "Statement": self.statements }))
    }
}

/// Prints the permissions: a policy to be piped on, and the words beside it.
pub(super) fn print(printer: Printer, rights: &Rights) -> Result<Code, Fault> {
    let policy = rights.policy();
    match printer.format {
        Format::Json => printer.json(&json!({ "policy": policy, "others": rights.words }))?,
        Format::Markdown => {
            let policy = policy.map(|policy| format!("{policy:#}")).map(|text| markdown::block(&text));
            let words: Vec<String> = rights.words.iter().map(|line| format!("- {}", markdown::text(line))).collect();
            printer.markdown(&markdown::page(&[
                "### Least privileges".to_owned(),
                policy.unwrap_or_else(|| "No privileges on AWS".to_owned()),
                words.join("\n"),
            ]))?;
        }
        Format::Text => {
            if let Some(policy) = policy {
                printer.json(&policy)?;
            }
            // On stderr, so that what is piped on is a policy.
            rights.words.iter().for_each(|line| printer.talk(line));
        }
    }
    Ok(Code::Done)
}
