//! What AWS Secrets Manager refuses and moto lets pass, and where moto answers otherwise.
//!
//! Source: the API reference of Secrets Manager, operation by operation. moto forgets which version is current once
//! `UpdateSecretVersionStage` has moved the label, so a put that makes its version current is taken apart here: put under
//! another label, then move AWSCURRENT.

use std::io;
use std::net::SocketAddr;

use hyper::StatusCode;
use hyper::body::Bytes;
use serde_json::{Value, json};

use super::http::{Answer, Call, send};

const CURRENT: &str = "AWSCURRENT";
const PUTTING: &str = "strict-layer-putting";
const VALUE_MAX: usize = 65_536;

/// moto, asked in the name of one caller.
pub(super) struct Upstream<'a> {
    pub(super) moto: SocketAddr,
    pub(super) call: &'a Call,
}

impl Upstream<'_> {
    async fn ask(&self, operation: &str, body: &Value) -> io::Result<Answer> {
        let target = Some(format!("secretsmanager.{operation}"));
        let call = Call { target, body: Bytes::from(body.to_string()), ..self.call.clone() };
        send(self.moto, &call).await
    }

    /// The secret as moto describes it; `None` when there is none.
    pub(super) async fn secret(&self, id: &Value) -> io::Result<Option<Value>> {
        let answer = self.ask("DescribeSecret", &json!({ "SecretId": id })).await?;
        Ok((answer.status == StatusCode::OK).then(|| answer.value()))
    }
}

pub(super) fn refused(code: &str, message: &str) -> Answer {
    Answer::error(StatusCode::BAD_REQUEST, code, message)
}

/// Answers as AWS would. Callers take turns: moto's own steps are not atomic.
pub(super) async fn serve(upstream: &Upstream<'_>, operation: &str, mut body: Value) -> io::Result<Answer> {
    if let Some(refusal) = refused_value(operation, &body) {
        return Ok(refusal);
    }
    let id = if operation == "CreateSecret" { &body["Name"] } else { &body["SecretId"] };
    let secret = upstream.secret(id).await?;
    let deleted = secret.as_ref().is_some_and(|secret| !secret["DeletedDate"].is_null());
    if deleted && !matches!(operation, "DescribeSecret" | "RestoreSecret" | "DeleteSecret") {
        let message = match operation {
            "CreateSecret" => {
                "You can't create this secret because a secret with this name is already scheduled for deletion."
            }
            _ => "You can't perform this operation on the secret because it was marked for deletion.",
        };
        return Ok(refused("InvalidRequestException", message));
    }
    match (operation, secret) {
        ("PutSecretValue", Some(secret)) => put(upstream, &secret, body).await,
        ("UpdateSecret", Some(secret)) if has_value(&body) => {
            if !secret["VersionIdsToStages"][text(&body["ClientRequestToken"])].is_null() {
                return Ok(refused("ResourceExistsException", "The ClientRequestToken was used already."));
            }
            body["VersionStages"] = json!([CURRENT]);
            put(upstream, &secret, body).await
        }
        ("UpdateSecretVersionStage", Some(secret)) => move_label(upstream, &secret, &body).await,
        ("GetSecretValue", _) if body["VersionId"].is_null() && body["VersionStage"].is_null() => {
            // Without a stage moto gives what it last put as current, not what is.
            body["VersionStage"] = json!(CURRENT);
            upstream.ask(operation, &body).await
        }
        ("DescribeSecret", Some(secret)) => Ok(Answer::json(StatusCode::OK, &described(secret))),
        _ => upstream.ask(operation, &body).await,
    }
}

/// A version without labels is deprecated and not listed.
fn described(mut secret: Value) -> Value {
    if let Some(versions) = secret["VersionIdsToStages"].as_object_mut() {
        versions.retain(|_, stages| stages.as_array().is_some_and(|stages| !stages.is_empty()));
    }
    secret
}

fn has_value(body: &Value) -> bool {
    !body["SecretString"].is_null() || !body["SecretBinary"].is_null()
}

fn refused_value(operation: &str, body: &Value) -> Option<Answer> {
    let (string, binary) = (&body["SecretString"], &body["SecretBinary"]);
    let writes = matches!(operation, "CreateSecret" | "PutSecretValue" | "UpdateSecret");
    if !writes {
        return None;
    }
    if !string.is_null() && !binary.is_null() {
        let message = "You can't specify both a binary secret value and a string secret value in the same secret.";
        return Some(refused("InvalidParameterException", message));
    }
    let fits = |value: &Value| value.is_null() || (1..=VALUE_MAX).contains(&text(value).len());
    // Base64 makes three bytes four.
    let fits_binary = binary.is_null() || text(binary).len() / 4 * 3 <= VALUE_MAX + 2;
    (!fits(string) || !fits_binary)
        .then(|| refused("InvalidParameterException", "The secret value must have 1 to 65536 bytes."))
}

pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The version that holds a label.
pub(super) fn holder<'a>(secret: &'a Value, label: &str) -> Option<&'a str> {
    let versions = secret["VersionIdsToStages"].as_object()?;
    let holds = |stages: &Value| stages.as_array().is_some_and(|stages| stages.iter().any(|stage| stage == label));
    versions.iter().find(|(_, stages)| holds(stages)).map(|(id, _)| id.as_str())
}

async fn put(upstream: &Upstream<'_>, secret: &Value, mut body: Value) -> io::Result<Answer> {
    let (id, version) = (body["SecretId"].clone(), text(&body["ClientRequestToken"]).to_owned());
    let there = upstream.ask("GetSecretValue", &json!({ "SecretId": id, "VersionId": version })).await?;
    if there.status == StatusCode::OK {
        let there = there.value();
        if there["SecretString"] != body["SecretString"] || there["SecretBinary"] != body["SecretBinary"] {
            let message = format!("You can't use ClientRequestToken {version} because that value is already in use.");
            return Ok(refused("ResourceExistsException", &message));
        }
        let answer = json!({ "ARN": secret["ARN"], "Name": secret["Name"], "VersionId": version,
            "VersionStages": there["VersionStages"] });
        return Ok(Answer::json(StatusCode::OK, &answer));
    }
    let stages = body["VersionStages"].as_array().cloned().unwrap_or_else(|| vec![json!(CURRENT)]);
    let (true, Some(current)) = (stages.contains(&json!(CURRENT)), holder(secret, CURRENT)) else {
        return upstream.ask("PutSecretValue", &body).await;
    };
    let others: Vec<_> = stages.iter().filter(|stage| **stage != CURRENT).cloned().chain([json!(PUTTING)]).collect();
    body["VersionStages"] = json!(others);
    let answer = upstream.ask("PutSecretValue", &body).await?;
    if answer.status != StatusCode::OK {
        return Ok(answer);
    }
    let mut moved = json!({ "SecretId": id, "VersionStage": CURRENT, "RemoveFromVersionId": current });
    moved["MoveToVersionId"] = json!(version);
    upstream.ask("UpdateSecretVersionStage", &moved).await?;
    let taken_off = json!({ "SecretId": id, "VersionStage": PUTTING, "RemoveFromVersionId": version });
    upstream.ask("UpdateSecretVersionStage", &taken_off).await?;
    let mut answer = answer.value();
    answer["VersionStages"] = json!(stages);
    Ok(Answer::json(StatusCode::OK, &answer))
}

/// moto takes a label off before it looks whether the version to move to is there.
async fn move_label(upstream: &Upstream<'_>, secret: &Value, body: &Value) -> io::Result<Answer> {
    let (label, from, to) = (text(&body["VersionStage"]), &body["RemoveFromVersionId"], &body["MoveToVersionId"]);
    let holder = holder(secret, label);
    if !to.is_null() && secret["VersionIdsToStages"][text(to)].is_null() {
        return Ok(Answer::error(
            StatusCode::NOT_FOUND,
            "ResourceNotFoundException",
            "Secrets Manager can't find the specified secret version.",
        ));
    }
    if from.as_str() != holder {
        let message = format!(
            "The staging label {label} is currently attached to version {}, so you must explicitly reference that version \
             in RemoveFromVersionId.",
            holder.unwrap_or("none")
        );
        return Ok(refused("InvalidParameterException", &message));
    }
    upstream.ask("UpdateSecretVersionStage", body).await
}
