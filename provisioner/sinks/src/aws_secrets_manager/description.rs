//! What AWS shows of a secret without its value, by a description or a list.

use std::collections::HashMap;

use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretOutput;
use aws_sdk_secretsmanager::types::{ReplicationStatusType, SecretListEntry, StatusType, Tag};
use aws_smithy_types::date_time::Format;

use super::calls::{CURRENT, PENDING};
use super::rotation::TOKEN_TAG;
use crate::plural::noun_for;

/// What AWS shows of a secret without its value.
pub(super) struct Description {
    pub(super) name: Option<String>,
    /// The version that consumers read.
    pub(super) current: Option<String>,
    /// All versions with labels, and their labels.
    pub(super) versions: HashMap<String, Vec<String>>,
    /// The AWS service that manages it.
    pub(super) owner: Option<String>,
    /// AWS rotates it.
    pub(super) rotates: bool,
    /// The ARN of the function by which it does, or did.
    pub(super) rotation_function: Option<String>,
    /// What the tag says that names the token of a rotation.
    pub(super) token_tag: Option<String>,
    /// The region that it is a replica of.
    pub(super) replica_of: Option<String>,
    /// When it goes, if it is scheduled for deletion.
    pub(super) deletion: Option<String>,
    /// Why consumers of its replicas may read an older version, if they may; a list does not tell.
    pub(super) behind: Option<String>,
    /// There are replicas, as far as a list tells.
    pub(super) has_replicas: bool,
}

impl Description {
    /// The version that a rotation by AWS is about: it may have no value yet.
    pub(super) fn pending(&self) -> Option<&str> {
        labelled(&self.versions, PENDING)
    }
}

/// The version that has a label.
fn labelled<'a>(versions: &'a HashMap<String, Vec<String>>, label: &str) -> Option<&'a str> {
    let holds = |stages: &Vec<String>| stages.iter().any(|stage| stage == label);
    versions.iter().find(|(_, stages)| holds(stages)).map(|(id, _)| id.as_str())
}

/// What the tag says that names the token of a rotation.
fn token_tag(tags: Option<Vec<Tag>>) -> Option<String> {
    tags?.into_iter().find(|tag| tag.key() == Some(TOKEN_TAG))?.value
}

/// Which replicas are not as the secret is: they keep the version that reached them last.
fn behind(replicas: &[ReplicationStatusType]) -> Option<String> {
    let late = replicas.iter().filter(|replica| replica.status() != Some(&StatusType::InSync));
    let named = late.map(|replica| {
        let status = replica.status().map_or("no status", StatusType::as_str);
        format!("`{}` (`{status}`)", replica.region().unwrap_or("?"))
    });
    let named: Vec<String> = named.collect();
    let noun = noun_for(named.len(), "replica");
    (!named.is_empty()).then(|| format!("its {noun} in {} may still contain an older version", named.join(", ")))
}

pub(super) fn entry_description(entry: SecretListEntry, region: &str) -> Description {
    let versions = entry.secret_versions_to_stages.unwrap_or_default();
    Description {
        name: entry.name,
        current: labelled(&versions, CURRENT).map(str::to_owned),
        versions,
        owner: entry.owning_service,
        rotates: entry.rotation_enabled.unwrap_or(false),
        rotation_function: entry.rotation_lambda_arn,
        token_tag: token_tag(entry.tags),
        // Named only where there are replicas.
        has_replicas: entry.primary_region.is_some(),
        behind: None,
        replica_of: entry.primary_region.filter(|primary| primary != region),
        deletion: entry.deleted_date.map(|date| date.fmt(Format::DateTime).unwrap_or_default()),
    }
}

pub(super) fn description(answer: DescribeSecretOutput, region: &str) -> Description {
    let versions = answer.version_ids_to_stages.unwrap_or_default();
    Description {
        name: answer.name,
        current: labelled(&versions, CURRENT).map(str::to_owned),
        versions,
        owner: answer.owning_service,
        rotates: answer.rotation_enabled.unwrap_or(false),
        rotation_function: answer.rotation_lambda_arn,
        token_tag: token_tag(answer.tags),
        has_replicas: answer.replication_status.as_ref().is_some_and(|replicas| !replicas.is_empty()),
        behind: answer.replication_status.as_deref().and_then(behind),
        replica_of: answer.primary_region.filter(|primary| primary != region),
        deletion: answer.deleted_date.map(|date| date.fmt(Format::DateTime).unwrap_or_default()),
    }
}
