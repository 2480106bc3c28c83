//! The sinks of one run: which one serves a push, and which one reaches a recorded place.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use latchkey::mutex::Mutex;
use latchkey::place::{Place, PlaceId};

use super::bounds::Bounds;
use super::error::SinkError;
use super::facts::RunFiles;
use super::forgotten::ForgottenBranches;
use super::host::Queues;
use super::kind::{Kind, SinkDeclaration};
use super::listing::ListedEntry;
use super::push::PushDeclaration;
use super::sink::{DeclaredSink, Sink, SinkSet};

/// The sinks of one manifest on this machine.
pub struct ManifestSinks {
    machine: String,
    /// By the name that the manifest gives them.
    declared: BTreeMap<String, Arc<dyn DeclaredSink>>,
    /// One for all places of a type, declared or not: what they share, such as a file, is looked at and written together.
    undeclared: BTreeMap<&'static str, Arc<dyn Sink>>,
    /// Which sink serves a declared place: two of one account and region may differ in key, tags and login.
    serving: Mutex<HashMap<PlaceId, Arc<dyn DeclaredSink>>>,
    forgotten: Arc<ForgottenBranches>,
}

impl fmt::Debug for ManifestSinks {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Sinks").field("machine", &self.machine).finish_non_exhaustive()
    }
}

impl ManifestSinks {
    /// The sinks that a manifest declares, which open only the files that `bounds` allow. Contacts nothing.
    pub fn new(declarations: &BTreeMap<String, SinkDeclaration>, machine: &str, bounds: &Bounds) -> Self {
        let queues = Queues::default();
        let files: Vec<_> = declarations.values().filter_map(|sink| sink.settings.facts().file()).collect();
        let files = RunFiles { bounds, declared: &files };
        let connect = |(name, sink): (&String, &SinkDeclaration)| {
            Some((name.clone(), sink.settings.facts().connect(machine, &queues)?))
        };
        let undeclared = |kind: Kind| Some((kind.facts().name(), kind.facts().undeclared(machine, &files)?));
        Self {
            machine: machine.to_owned(),
            declared: declarations.iter().filter_map(connect).collect(),
            undeclared: Kind::ALL.into_iter().filter_map(undeclared).collect(),
            serving: Mutex::default(),
            forgotten: Arc::default(),
        }
    }

    /// The same, without waiting for deployments of these branches.
    #[must_use]
    pub fn forgetting(mut self, branches: &BTreeSet<String>) -> Self {
        self.forgotten = Arc::new(ForgottenBranches::new(branches.clone()));
        self.declared.values().for_each(|sink| sink.forget_branches(&self.forgotten));
        self
    }

    /// The entries of a declared sink whose names begin with `prefix`, see [`DeclaredSink::entries`].
    ///
    /// # Errors
    /// When there is no such sink, or its entries cannot be listed.
    pub async fn entries(&self, sink: &str, prefix: &str) -> Result<Vec<ListedEntry>, SinkError> {
        self.declared(sink)?.entries(prefix).await
    }

    fn declared(&self, sink: &str) -> Result<&Arc<dyn DeclaredSink>, SinkError> {
        self.declared.get(sink).ok_or_else(|| SinkError::Refused {
            reason: format!("the sink `{sink}` is not declared"),
            hint: "declare it under `[sinks]`".to_owned(),
        })
    }

    /// Those of the forgotten branches that nothing waited for at any look so far.
    pub fn not_awaited(&self) -> Vec<String> {
        self.forgotten.unmet()
    }
}

#[async_trait]
impl SinkSet for ManifestSinks {
    fn machine(&self) -> &str {
        &self.machine
    }

    async fn place(&self, push: &PushDeclaration) -> Result<Place, SinkError> {
        let sink = self.declared(&push.sink)?;
        let place = sink.place(push).await?;
        let mut serving = self.serving.lock();
        serving.insert(place.id(), sink.clone());
        Ok(place)
    }

    async fn reach(&self, place: &Place) -> Result<Arc<dyn Sink>, SinkError> {
        if let Some(sink) = self.undeclared.get(place.kind.as_str()) {
            return Ok(sink.clone());
        }
        let serving = self.serving.lock().get(&place.id()).cloned();
        if let Some(sink) = serving {
            return Ok(sink);
        }
        for sink in self.declared.values().filter(|sink| sink.capabilities().kind == place.kind) {
            if sink.reaches(place).await {
                return Ok(sink.clone());
            }
        }
        Err(SinkError::Refused {
            reason: "no declared sink leads to it any more: it was delivered to with other settings".to_owned(),
            hint: "declare the former sink beside the new one, run `provision apply --prune`, then remove it"
                .to_owned(),
        })
    }
}
