//! Rotations by a function, as AWS keeps them: the version that a rotation is about is registered under AWSPENDING before it
//! has a value, and moto knows no such version. Who is called step by step, a test does.
//!
//! Source: the API reference of `RotateSecret`, and the samples of rotation functions.

use std::collections::BTreeMap;
use std::io;

use hyper::StatusCode;
use latchkey::mutex::Mutex;
use serde_json::{Value, json};

use super::http::Answer;
use super::rules::{Upstream, holder, refused, text};

const PENDING: &str = "AWSPENDING";

/// What AWS knows of rotations, by the names of secrets.
#[derive(Debug, Default)]
pub(super) struct Rotations(Mutex<BTreeMap<String, Rotation>>);

#[derive(Debug, Default)]
struct Rotation {
    /// The function's ARN; `None` once rotation was turned off.
    function: Option<String>,
    /// The version that has no value yet.
    empty: Option<String>,
}

impl Rotations {
    /// The answer to what moto cannot answer.
    pub(super) async fn answer(
        &self,
        upstream: &Upstream<'_>,
        operation: &str,
        body: &Value,
    ) -> io::Result<Option<Answer>> {
        let name = name(&body["SecretId"]);
        let (version, label) = (&body["VersionId"], &body["VersionStage"]);
        let empty = self.empty(&name);
        Ok(match operation {
            "RotateSecret" if !body["RotationLambdaARN"].is_null() || self.is_rotated(&name) => {
                Some(self.rotate(upstream, &name, body).await?)
            }
            "CancelRotateSecret" if self.is_rotated(&name) => {
                self.0.lock().entry(name.clone()).or_default().function = None;
                Some(Answer::json(StatusCode::OK, &json!({ "Name": name })))
            }
            "GetSecretValue" if empty.is_some() && (version.as_str() == empty.as_deref() || label == PENDING) => {
                let message = "Secrets Manager can't find the specified secret value.";
                Some(Answer::error(StatusCode::NOT_FOUND, "ResourceNotFoundException", message))
            }
            "UpdateSecretVersionStage" if empty.is_some() && label == PENDING => {
                let (from, to) = (&body["RemoveFromVersionId"], &body["MoveToVersionId"]);
                if from.as_str() != empty.as_deref() || !to.is_null() {
                    let message = format!("The staging label {PENDING} is currently attached to another version.");
                    return Ok(Some(refused("InvalidParameterException", &message)));
                }
                self.fill(&name);
                Some(Answer::json(StatusCode::OK, &json!({ "Name": name })))
            }
            _ => None,
        })
    }

    /// What moto answered, with what it does not know.
    pub(super) fn shown(&self, operation: &str, body: &Value, answer: Answer) -> Answer {
        if answer.status != StatusCode::OK {
            return answer;
        }
        let mut value = answer.value();
        match operation {
            "PutSecretValue" => {
                let name = name(&body["SecretId"]);
                let labels = body["VersionStages"].as_array().is_some_and(|stages| stages.contains(&json!(PENDING)));
                // The label goes with what is put under it.
                if labels || self.empty(&name).as_deref() == body["ClientRequestToken"].as_str() {
                    self.fill(&name);
                }
                return answer;
            }
            "DescribeSecret" => self.show(&mut value, "VersionIdsToStages"),
            "ListSecrets" => {
                let secrets = value["SecretList"].as_array_mut();
                secrets.into_iter().flatten().for_each(|secret| self.show(secret, "SecretVersionsToStages"));
            }
            _ => return answer,
        }
        Answer::json(StatusCode::OK, &value)
    }

    async fn rotate(&self, upstream: &Upstream<'_>, name: &str, body: &Value) -> io::Result<Answer> {
        let Some(secret) = upstream.secret(&json!(name)).await? else {
            let message = "Secrets Manager can't find the specified secret.";
            return Ok(Answer::error(StatusCode::NOT_FOUND, "ResourceNotFoundException", message));
        };
        let (pending, current) = (holder(&secret, PENDING), holder(&secret, "AWSCURRENT"));
        if self.empty(name).is_some() || (pending.is_some() && pending != current) {
            let message = "A previous rotation isn't complete. That rotation will be reattempted.";
            return Ok(refused("InvalidRequestException", message));
        }
        let version = text(&body["ClientRequestToken"]).to_owned();
        let mut rotations = self.0.lock();
        let rotation = rotations.entry(name.to_owned()).or_default();
        rotation.function = body["RotationLambdaARN"].as_str().map(str::to_owned).or(rotation.function.take());
        rotation.empty = Some(version.clone());
        Ok(Answer::json(StatusCode::OK, &json!({ "ARN": secret["ARN"], "Name": name, "VersionId": version })))
    }

    fn show(&self, secret: &mut Value, versions: &str) {
        let rotations = self.0.lock();
        let Some(rotation) = rotations.get(text(&secret["Name"])) else { return };
        secret["RotationEnabled"] = json!(rotation.function.is_some());
        if let Some(function) = &rotation.function {
            secret["RotationLambdaARN"] = json!(function);
        }
        if let Some(empty) = &rotation.empty {
            // It went over to this one from the version that had it.
            if let Some(versions) = secret[versions].as_object_mut() {
                versions
                    .values_mut()
                    .filter_map(Value::as_array_mut)
                    .for_each(|labels| labels.retain(|label| label != PENDING));
                versions.retain(|_, labels| labels.as_array().is_some_and(|labels| !labels.is_empty()));
                versions.insert(empty.clone(), json!([PENDING]));
            }
        }
    }

    fn is_rotated(&self, name: &str) -> bool {
        self.0.lock().get(name).is_some_and(|rotation| rotation.function.is_some())
    }

    fn empty(&self, name: &str) -> Option<String> {
        self.0.lock().get(name)?.empty.clone()
    }

    /// Its version has a value, or is no longer to have one.
    fn fill(&self, name: &str) {
        if let Some(rotation) = self.0.lock().get_mut(name) {
            rotation.empty = None;
        }
    }
}

/// A secret's name, which may be given as its ARN.
fn name(id: &Value) -> String {
    let id = text(id);
    let named = id.strip_prefix("arn:").and_then(|arn| arn.rsplit(':').next());
    named.and_then(|named| named.get(..named.len().checked_sub(7)?)).unwrap_or(id).to_owned()
}
