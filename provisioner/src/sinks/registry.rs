//! The sinks of one run: which one serves a push, and which one reaches a recorded place.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use latchkey::place::{Place, PlaceId};

use super::aws_secrets_manager::{AwsSecretsManager, Options};
use super::azure_key_vault::{AzureKeyVault, Network, Variables};
use super::dotenv::{self, Dotenv};
use super::heroku::{self, Heroku};
use super::host::Queues;
use super::keyring::{self, Keyring};
use super::vercel::{self, Vercel};
use super::{DeclaredSink, Sink, SinkError, SinkSet};
use crate::manifest::{Manifest, PushDeclaration, SinkConfig};

/// The sinks of one manifest on this machine.
pub struct ManifestSinks {
    machine: String,
    /// One for all files, which are locked and written together.
    dotenv: Arc<Dotenv>,
    files: BTreeMap<String, PathBuf>,
    others: BTreeMap<String, Arc<dyn DeclaredSink>>,
    /// Which sink serves a declared place: two of one account and region may differ in key, tags and login.
    declared: Mutex<HashMap<PlaceId, Arc<dyn DeclaredSink>>>,
}

impl std::fmt::Debug for ManifestSinks {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Sinks").field("machine", &self.machine).finish_non_exhaustive()
    }
}

impl ManifestSinks {
    /// The sinks that a manifest declares. Contacts nothing.
    pub fn new(manifest: &Manifest, machine: &str) -> Self {
        let queues = Queues::default();
        let mut sinks = Self {
            machine: machine.to_owned(),
            dotenv: Arc::new(Dotenv::new(machine.to_owned())),
            files: BTreeMap::new(),
            others: BTreeMap::new(),
            declared: Mutex::default(),
        };
        for (name, sink) in &manifest.sinks {
            if let SinkConfig::Dotenv { path } = &sink.config {
                sinks.files.insert(name.clone(), path.clone());
            } else if let Some(other) = landing(&sink.config, machine, &queues) {
                sinks.others.insert(name.clone(), other);
            }
        }
        sinks
    }
}

/// The sink of a declaration. Contacts nothing.
fn landing(config: &SinkConfig, machine: &str, queues: &Queues) -> Option<Arc<dyn DeclaredSink>> {
    match config {
        SinkConfig::AwsSecretsManager { region, account, profile, endpoint, kms_key_id, tags } => {
            let options = Options {
                region: region.clone(),
                account: account.clone(),
                profile: profile.clone(),
                endpoint: endpoint.clone(),
                kms_key_id: kms_key_id.clone(),
                tags: tags.clone(),
            };
            Some(Arc::new(AwsSecretsManager::new(options)))
        }
        // The manifest's reading has refused endpoints that are no addresses.
        SinkConfig::Vercel(config) => Some(Arc::new(Vercel::new(config, queues).ok()?)),
        SinkConfig::Heroku(config) => Some(Arc::new(Heroku::new(config, queues).ok()?)),
        SinkConfig::AzureKeyVault(config) => {
            Some(Arc::new(AzureKeyVault::new(config.clone(), Variables::Process, Network::new(queues))))
        }
        SinkConfig::Keyring(config) => {
            Some(Arc::new(Keyring::new(keyring::Options::new(config.clone(), machine.to_owned()))))
        }
        SinkConfig::Dotenv { .. } => None,
    }
}

#[async_trait]
impl SinkSet for ManifestSinks {
    fn machine(&self) -> &str {
        &self.machine
    }

    async fn place(&self, _: &Manifest, push: &PushDeclaration) -> Result<Place, SinkError> {
        if let Some(path) = self.files.get(&push.sink) {
            return Ok(dotenv::place(&self.machine, path, &push.name));
        }
        let sink = self.others.get(&push.sink).ok_or_else(|| SinkError::Refused {
            reason: format!("there is no sink `{}`", push.sink),
            hint: "declare it under `[sinks]`".to_owned(),
        })?;
        let place = sink.place(push).await?;
        let mut declared = self.declared.lock().unwrap_or_else(PoisonError::into_inner);
        declared.insert(place.id(), sink.clone());
        Ok(place)
    }

    async fn reach(&self, place: &Place) -> Result<Arc<dyn Sink>, SinkError> {
        if place.kind == dotenv::KIND {
            return Ok(self.dotenv.clone());
        }
        let declared = self.declared.lock().unwrap_or_else(PoisonError::into_inner).get(&place.id()).cloned();
        if let Some(sink) = declared {
            return Ok(sink);
        }
        for sink in self.others.values().filter(|sink| sink.capabilities().kind == place.kind) {
            if sink.reaches(place).await {
                return Ok(sink.clone());
            }
        }
        Err(SinkError::Unreachable {
            reason: "no sink of the manifest leads to this place any more: it was declared with another one".to_owned(),
        })
    }
}

/// A place in few words: `vault prod/api (eu-west-1)` or `.env API_TOKEN`, paths relative to the manifest's folder.
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
        vercel::KIND => {
            let branch = place.part("branch").map(|branch| format!(" of {branch}")).unwrap_or_default();
            let team = place.part("team").map(|team| format!("{team}/")).unwrap_or_default();
            format!("Vercel {team}{} {} ({}{branch})", part("project"), part("name"), part("target"))
        }
        heroku::KIND => match (place.part("app"), place.part("stage")) {
            (Some(app), _) => format!("Heroku {app} {}", part("name")),
            _ => format!("Heroku pipeline {} {} ({})", part("pipeline"), part("name"), part("stage")),
        },
        "azure-key-vault" => {
            let vault = part("vault").split('.').next().unwrap_or("?");
            format!("Key Vault {} ({vault})", part("name"))
        }
        "keyring" => {
            let elsewhere = if part("machine") == machine { String::new() } else { format!(" on {}", part("machine")) };
            format!("keyring {}/{}{elsewhere}", part("service"), part("name"))
        }
        kind => format!("{kind} {}", part("name")),
    }
}
