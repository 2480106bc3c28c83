//! A sink of type `aws-secrets-manager`.

use std::collections::BTreeMap;

use crate::manifest::SinkConfig;
use crate::reading::{Fault, Fields, Reading, Text, is_plain, shown};

/// The parts of Amazon's host names that stand for the service.
const HOSTS: &[&str] = &["secretsmanager", "secretsmanager-fips"];
/// The most tags that AWS takes.
const TAGS_MAX: usize = 50;

pub(super) fn read(mut fields: Fields<'_>, reading: &mut Reading<'_>) -> Option<SinkConfig> {
    let faults = reading.faults.len();
    let region = fields.text("region", reading);
    let account = fields.text("account", reading);
    let profile = fields.text("profile", reading);
    let endpoint = fields.text("endpoint", reading);
    let kms_key_id = fields.text("kms_key_id", reading);
    let tags = tags(&mut fields, reading);
    let config = SinkConfig::AwsSecretsManager {
        region: reading.region(region),
        account: account.and_then(|found| account_id(found, reading)),
        profile: profile.and_then(|found| reading.one_line("profile", 128, &found)),
        endpoint: reading.endpoint(endpoint, HOSTS),
        kms_key_id: kms_key_id.and_then(|found| reading.one_line("kms_key_id", 2048, &found)),
        tags,
    };
    fields.finish(reading);
    (reading.faults.len() == faults).then_some(config)
}

fn account_id(found: Text<'_>, reading: &mut Reading<'_>) -> Option<String> {
    if found.text.len() == 12 && found.text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(found.text.to_owned());
    }
    let message = format!("`{}` is not an AWS account", shown(found.text));
    reading.add(Fault::error("bad-account", found.span, message).hint("an account is 12 digits, as a string"));
    None
}

fn tags(fields: &mut Fields<'_>, reading: &mut Reading<'_>) -> BTreeMap<String, String> {
    let pairs = fields.pairs("tags", reading);
    if let Some((key, _)) = pairs.get(TAGS_MAX) {
        let message = format!("a secret has at most {TAGS_MAX} tags, not {}", pairs.len());
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
            let message = "a tag's value is at most 256 characters, none of them a control character";
            reading.add(Fault::error("bad-tag", value.span.clone(), message));
        }
    }
    pairs.into_iter().map(|(key, value)| (key.text.to_owned(), value.text.to_owned())).collect()
}
