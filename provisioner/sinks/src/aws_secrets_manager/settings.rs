//! The settings of a sink of type `aws-secrets-manager`, and the fields that only a push to one has.

use std::collections::BTreeMap;

use schemars::JsonSchema;

use super::KIND;
use crate::reading::{Fault, Fields, Reading, Text, is_plain, shown};

/// The parts of Amazon's host names that stand for the service.
const HOSTS: &[&str] = &["secretsmanager", "secretsmanager-fips"];
/// The function that rotates by AWS's schedule where nobody says: that of the stack `latchkey`.
const ROTATION_FUNCTION: &str = "latchkey-rotate";
/// The most tags that AWS takes.
const TAGS_MAX: usize = 50;

/// AWS Secrets Manager.
#[derive(Debug, Clone, Default, PartialEq, Eq, JsonSchema)]
#[schemars(deny_unknown_fields, description = "")] // Described in `SinkSettings`.
pub struct Settings {
    /// The region; the one of the AWS environment by default.
    pub region: Option<String>,
    /// The account that the credentials must belong to: a guard against the wrong one.
    #[schemars(regex(pattern = "^[0-9]{12}$"))]
    pub account: Option<String>,
    /// A profile of the AWS configuration.
    #[schemars(length(min = 1, max = 128))]
    pub profile: Option<String>,
    /// Endpoint to use instead of AWS's own.
    // Behind a foreign one no account is asked for.
    pub endpoint: Option<String>,
    /// The KMS key for secrets that are created.
    #[schemars(length(min = 1, max = 2048))]
    pub kms_key_id: Option<String>,
    /// The function `rotate` of the service's stack, by its name: secrets that AWS rotates by this function may be written;
    /// `latchkey-rotate` by default.
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[A-Za-z0-9_-]+$"))]
    pub rotation_function: Option<String>,
    /// Tags for secrets that are created.
    #[schemars(default, extend("propertyNames" = { "minLength": 1, "maxLength": 128 }, "maxProperties" = 50))]
    pub tags: BTreeMap<String, String>,
}

/// The fields that only a push to a sink of this type has, as a manifest spells them.
#[derive(Debug, JsonSchema)]
#[expect(dead_code, reason = "it only describes the form")]
pub struct PushFields {
    /// For `aws-secrets-manager`: the key in a JSON object that the secret contains.
    #[schemars(length(min = 1, max = 128))]
    json_key: Option<String>,
}

impl Settings {
    pub(crate) fn read(mut fields: Fields<'_>, reading: &mut Reading<'_>) -> Option<Self> {
        let faults = reading.faults.len();
        let region = fields.text("region", reading);
        let account = fields.text("account", reading);
        let profile = fields.text("profile", reading);
        let endpoint = fields.text("endpoint", reading);
        let kms_key_id = fields.text("kms_key_id", reading);
        let rotation_function = fields.text("rotation_function", reading);
        let tags = tags(&mut fields, reading);
        let settings = Self {
            region: reading.region(region),
            account: account.and_then(|found| account_id(found, reading)),
            profile: profile.and_then(|found| reading.one_line("profile", 128, &found)),
            endpoint: reading.endpoint(endpoint, HOSTS),
            kms_key_id: kms_key_id.and_then(|found| reading.one_line("kms_key_id", 2048, &found)),
            rotation_function: rotation_function.and_then(|found| function_name(found, reading)),
            tags,
        };
        fields.finish(reading);
        (reading.faults.len() == faults).then_some(settings)
    }
}

impl Settings {
    /// The function whose rotations are ours.
    pub(super) fn rotation_function(&self) -> &str {
        self.rotation_function.as_deref().unwrap_or(ROTATION_FUNCTION)
    }
}

/// Reads `json_key`, which is Secrets Manager's alone. `kind` is the type of the sink, where it is known.
pub fn read_json_key(fields: &mut Fields<'_>, kind: Option<&str>, reading: &mut Reading<'_>) -> Option<String> {
    let key = fields.text("json_key", reading)?;
    if let Some(kind) = kind.filter(|kind| *kind != KIND) {
        let message = format!("`json_key` is for `{KIND}` only");
        let hint = format!("`{kind}` stores plain values");
        reading.add(Fault::error("needs-json", key.span.clone(), message).hint(hint));
    }
    if !(1..=128).contains(&key.text.chars().count()) || !is_plain(key.text) {
        let message = "a `json_key` is 1 to 128 characters without control characters";
        reading.add(Fault::error("bad-json-key", key.span.clone(), message));
    }
    Some(key.text.to_owned())
}

fn function_name(found: Text<'_>, reading: &mut Reading<'_>) -> Option<String> {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    if (1..=64).contains(&found.text.len()) && found.text.bytes().all(is_part) {
        return Some(found.text.to_owned());
    }
    let message = format!("`{}` is not the name of a Lambda function", shown(found.text));
    let hint = "a name is 1 to 64 letters, digits, `_` and `-`, without the rest of the ARN";
    reading.add(Fault::error("bad-function", found.span, message).hint(hint));
    None
}

fn account_id(found: Text<'_>, reading: &mut Reading<'_>) -> Option<String> {
    if found.text.len() == 12 && found.text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(found.text.to_owned());
    }
    let message = format!("`{}` is not an AWS account", shown(found.text));
    reading.add(Fault::error("bad-account", found.span, message).hint("an account is a string of 12 digits"));
    None
}

fn tags(fields: &mut Fields<'_>, reading: &mut Reading<'_>) -> BTreeMap<String, String> {
    let pairs = fields.pairs("tags", reading);
    if let Some((key, _)) = pairs.get(TAGS_MAX) {
        let message = format!("a secret can have at most {TAGS_MAX} tags, not {}", pairs.len());
        reading.add(Fault::error("too-many", key.span.clone(), message));
    }
    for (key, value) in &pairs {
        let key_is_good = (1..=128).contains(&key.text.chars().count()) && is_plain(key.text);
        if !key_is_good || key.text.to_ascii_lowercase().starts_with("aws:") {
            let message = format!("`{}` cannot be a tag", shown(key.text));
            let rule = "a tag is 1 to 128 characters and does not start with `aws:`";
            reading.add(Fault::error("bad-tag", key.span.clone(), message).hint(rule));
        }
        if value.text.chars().count() > 256 || !is_plain(value.text) {
            let message = "a tag's value is at most 256 characters without control characters";
            reading.add(Fault::error("bad-tag", value.span.clone(), message));
        }
    }
    pairs.into_iter().map(|(key, value)| (key.text.to_owned(), value.text.to_owned())).collect()
}
