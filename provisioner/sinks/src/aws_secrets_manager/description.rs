//! What AWS shows of a secret without its value, by a description or a list.

use std::collections::HashMap;

use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretOutput;
use aws_sdk_secretsmanager::types::{ReplicationStatusType, SecretListEntry, StatusType};
use aws_smithy_types::date_time::Format;

use super::calls::CURRENT;
use crate::plural::noun_for;

/// What AWS shows of a secret without its value.
pub(super) struct Description {
    /// The version that consumers read.
    pub(super) current: Option<String>,
    /// All versions with labels, and their labels.
    pub(super) versions: HashMap<String, Vec<String>>,
    /// The AWS service that manages it.
    pub(super) owner: Option<String>,
    /// AWS rotates it.
    pub(super) rotates: bool,
    /// The region that it is a replica of.
    pub(super) replica_of: Option<String>,
    /// When it goes, if it is scheduled for deletion.
    pub(super) deletion: Option<String>,
    /// Why consumers of its replicas may read an older version, if they may; a list does not tell.
    pub(super) behind: Option<String>,
    /// There are replicas, as far as a list tells.
    pub(super) has_replicas: bool,
}

/// The version that has AWSCURRENT.
fn current(versions: &HashMap<String, Vec<String>>) -> Option<String> {
    let holds = |stages: &Vec<String>| stages.iter().any(|stage| stage == CURRENT);
    versions.iter().find(|(_, stages)| holds(stages)).map(|(id, _)| id.clone())
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
        current: current(&versions),
        versions,
        owner: entry.owning_service,
        rotates: entry.rotation_enabled.unwrap_or(false),
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
        current: current(&versions),
        versions,
        owner: answer.owning_service,
        rotates: answer.rotation_enabled.unwrap_or(false),
        has_replicas: answer.replication_status.as_ref().is_some_and(|replicas| !replicas.is_empty()),
        behind: answer.replication_status.as_deref().and_then(behind),
        replica_of: answer.primary_region.filter(|primary| primary != region),
        deletion: answer.deleted_date.map(|date| date.fmt(Format::DateTime).unwrap_or_default()),
    }
}
