//! Which receivers there are: those of the service's settings, for every token, and those of manifests, each for its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use latchkey::clock::SystemClock;
use latchkey::entropy::SystemEntropy;
use latchkey::name::ManifestName;
use latchkey::notice::NoticeKind;
use latchkey::policy::Notices;
use latchkey::service::Service;
use latchkey::table::TableError;
use latchkey_sinks::reading::Allowances;

use super::failure::Failure;
use super::message::Message;
use super::receiver::{Receiver, Way};
use super::sender::{Sender, Taken};
use super::stored::{published, setting};
use crate::manifest::Manifest;

/// A receiver, or why it cannot be read: then nobody knows what it wants, and nothing counts as taken by it.
#[derive(Debug)]
pub(super) enum Line {
    Open(Box<Sender>),
    Broken(Failure),
}

impl Line {
    pub(super) fn wants(&self, kind: NoticeKind) -> bool {
        match self {
            Self::Open(sender) => sender.wants(kind),
            Self::Broken(_) => true,
        }
    }

    pub(super) fn wants_owner(&self) -> bool {
        match self {
            Self::Open(sender) => sender.wants_owner(),
            Self::Broken(_) => false,
        }
    }

    pub(super) async fn send(&self, message: &Message, owner: Option<&str>, now: Timestamp) -> Result<Taken, Failure> {
        match self {
            Self::Open(sender) => sender.send(message, owner, now).await,
            Self::Broken(failure) => Err(failure.clone()),
        }
    }
}

/// Receivers by their whole names.
pub(super) type Lines = BTreeMap<String, Arc<Line>>;

/// The receivers that are known to one turn.
pub(super) struct Directory<'a> {
    service: &'a Service,
    allowances: &'a Allowances,
    at_hand: Option<&'a Manifest>,
    settings: Lines,
    /// Of each manifest that was met; `None` where only whoever has its file knows them.
    manifests: BTreeMap<ManifestName, Option<Lines>>,
}

impl<'a> Directory<'a> {
    /// Those of the settings. `at_hand` is the manifest whose file is here.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub(super) async fn read(
        service: &'a Service,
        allowances: &'a Allowances,
        at_hand: Option<&'a Manifest>,
    ) -> Result<Self, TableError> {
        let stored = settings(service).await?.receivers;
        let settings = stored.iter().map(|(name, text)| (name.clone(), Arc::new(line(name, text, allowances))));
        Ok(Self { service, allowances, at_hand, settings: settings.collect(), manifests: BTreeMap::new() })
    }

    /// Learns which receivers a manifest has.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub(super) async fn learn(&mut self, manifest: &ManifestName) -> Result<(), TableError> {
        if self.manifests.contains_key(manifest) {
            return Ok(());
        }
        let found = match self.at_hand.filter(|at_hand| at_hand.name == *manifest) {
            Some(at_hand) => Some(at_hand.notify.clone()),
            None => self.service.publication(manifest).await?.map(|found| published(manifest, &found.sinks).0),
        };
        let lines = found.map(|found| {
            let opened = found.into_iter().map(|(name, receiver)| {
                // No receiver's name has a `/`, so none of a manifest is taken for one of the settings.
                let sender = Sender::new(self.resolved(receiver), &self.allowances.hosts);
                (format!("{manifest}/{name}"), Arc::new(Line::Open(Box::new(sender))))
            });
            opened.collect()
        });
        self.manifests.insert(manifest.clone(), lines);
        Ok(())
    }

    /// The receivers for a token of a manifest, or of none, and whether these are all.
    pub(super) fn lines(&self, manifest: Option<&ManifestName>) -> (impl Iterator<Item = (&String, &Arc<Line>)>, bool) {
        let own = manifest.and_then(|manifest| self.manifests.get(manifest));
        let whole = manifest.is_none() || own.is_some_and(Option::is_some);
        (self.settings.iter().chain(own.into_iter().flatten().flatten()), whole)
    }

    /// A receiver of a manifest, with the addresses of the one that it uses.
    fn resolved(&self, receiver: Receiver) -> Receiver {
        let Way::EmailOf(name) = &receiver.way else { return receiver };
        match self.settings.get(name).map(AsRef::as_ref) {
            Some(Line::Open(sender)) => match sender.mails() {
                Some(settings) => Receiver { way: Way::Email(settings.clone()), ..receiver },
                None => receiver,
            },
            Some(Line::Broken(_)) | None => receiver,
        }
    }
}

/// Who is told by the settings as they are now: a process that serves has opened its service long ago.
///
/// # Errors
/// When the table cannot be read.
pub async fn settings(service: &Service) -> Result<Notices, TableError> {
    let opened = Service::open(service.table().clone(), Arc::new(SystemClock), Arc::new(SystemEntropy)).await?;
    Ok(opened.policy().notices.clone())
}

/// A receiver of the settings.
pub(super) fn line(name: &str, text: &str, allowances: &Allowances) -> Line {
    match setting(name, text, allowances) {
        Ok(setting) => Line::Open(Box::new(Sender::new(setting.receiver, &allowances.hosts))),
        Err(faults) => {
            let first = faults.faults.first();
            let why = first.map_or_else(String::new, |fault| format!(": {}", fault.message));
            let hint = first.and_then(|fault| fault.hint.clone());
            Line::Broken(Failure::Login {
                reason: format!("the setting `notify.{name}` cannot be read{why}"),
                hint: hint.unwrap_or_else(|| format!("set it again: `provision settings set notify.{name} ..`")),
            })
        }
    }
}
