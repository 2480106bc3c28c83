//! The sinks of one run: which one serves a push, and which one reaches a recorded place.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use latchkey::place::{Place, PlaceId};

use super::aws_secrets_manager::{AwsSecretsManager, Options};
use super::dotenv::{self, Dotenv};
use super::{Reach, Sink, SinkError};
use crate::manifest::{Manifest, PushDeclaration, SinkConfig};

/// The sinks of one manifest on this machine.
pub struct Sinks {
    machine: String,
    dotenv: Arc<Dotenv>,
    vaults: BTreeMap<String, Arc<AwsSecretsManager>>,
    /// Which vault serves a declared place: two with one account and region may differ in key, tags and profile.
    declared: Mutex<HashMap<PlaceId, Arc<AwsSecretsManager>>>,
}

impl std::fmt::Debug for Sinks {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Sinks").field("machine", &self.machine).finish_non_exhaustive()
    }
}

impl Sinks {
    /// The sinks that a manifest declares. Contacts nothing.
    #[must_use]
    pub fn new(manifest: &Manifest, machine: &str) -> Self {
        let mut vaults = BTreeMap::new();
        for (name, sink) in &manifest.sinks {
            if let SinkConfig::AwsSecretsManager { region, account, profile, endpoint, kms_key_id, tags } = &sink.config
            {
                let options = Options {
                    region: region.clone(),
                    account: account.clone(),
                    profile: profile.clone(),
                    endpoint: endpoint.clone(),
                    kms_key_id: kms_key_id.clone(),
                    tags: tags.clone(),
                };
                vaults.insert(name.clone(), Arc::new(AwsSecretsManager::new(options)));
            }
        }
        Self {
            machine: machine.to_owned(),
            dotenv: Arc::new(Dotenv::new(machine.to_owned())),
            vaults,
            declared: Mutex::default(),
        }
    }
}

#[async_trait]
impl Reach for Sinks {
    fn machine(&self) -> &str {
        &self.machine
    }

    async fn place(&self, manifest: &Manifest, push: &PushDeclaration) -> Result<Place, SinkError> {
        let declared = manifest.sinks.get(&push.sink).map(|sink| &sink.config);
        match (declared, self.vaults.get(&push.sink)) {
            (Some(SinkConfig::Dotenv { path }), _) => Ok(dotenv::place(&self.machine, path, &push.name)),
            (_, Some(vault)) => {
                let place = vault.place(&push.name, push.json_key.as_deref()).await?;
                let mut declared = self.declared.lock().unwrap_or_else(PoisonError::into_inner);
                declared.insert(place.id(), vault.clone());
                Ok(place)
            }
            (_, None) => Err(SinkError::Refused {
                reason: format!("there is no sink `{}`", push.sink),
                hint: "declare it under `[sinks]`".to_owned(),
            }),
        }
    }

    async fn reach(&self, place: &Place) -> Result<Arc<dyn Sink>, SinkError> {
        match place.kind.as_str() {
            "dotenv" => Ok(self.dotenv.clone()),
            "aws-secrets-manager" => {
                let declared = self.declared.lock().unwrap_or_else(PoisonError::into_inner).get(&place.id()).cloned();
                if let Some(vault) = declared {
                    return Ok(vault);
                }
                for vault in self.vaults.values() {
                    let name = place.part("name").unwrap_or_default();
                    if vault.place(name, place.part("json_key")).await.is_ok_and(|own| own.id() == place.id()) {
                        return Ok(vault.clone());
                    }
                }
                Err(SinkError::Unreachable {
                    reason: "no sink of the manifest has the account and region of this place any more".to_owned(),
                })
            }
            other => Err(SinkError::Unreachable { reason: format!("this version has no sink of type `{other}`") }),
        }
    }
}

/// A place in few words: `vault prod/api (eu-west-1)` or `.env API_TOKEN`, paths relative to the manifest's folder.
#[must_use]
pub fn label(place: &Place, folder: &Path, machine: &str) -> String {
    let part = |name: &str| place.part(name).unwrap_or("?");
    match place.kind.as_str() {
        "dotenv" => {
            let path = Path::new(part("path"));
            let shown = path.strip_prefix(folder).unwrap_or(path).display();
            let elsewhere = if part("machine") == machine { String::new() } else { format!(" on {}", part("machine")) };
            format!("{shown} {}{elsewhere}", part("name"))
        }
        "aws-secrets-manager" => {
            let key = place.part("json_key").map(|key| format!(" key {key}")).unwrap_or_default();
            format!("Secrets Manager {}{key} ({})", part("name"), part("region"))
        }
        kind => format!("{kind} {}", part("name")),
    }
}
