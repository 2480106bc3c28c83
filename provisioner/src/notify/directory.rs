//! Which receivers there are: those of the service's settings, for every token, and those of manifests, each for its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use latchkey::name::ManifestName;
use latchkey::notice::NoticeKind;
use latchkey::policy::Notices;
use latchkey::service::Service;
use latchkey::table::TableError;
use latchkey_sinks::reading::Allowances;

use super::email::To;
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

    pub(super) fn has_own(&self) -> bool {
        match self {
            Self::Open(sender) => sender.has_own(),
            Self::Broken(_) => true,
        }
    }

    pub(super) async fn send(&self, message: &Message, to: To<'_>, now: Timestamp) -> Result<Taken, Failure> {
        match self {
            Self::Open(sender) => sender.send(message, to, now).await,
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
    /// Of each manifest that was met.
    manifests: BTreeMap<ManifestName, (Lines, Rest)>,
}

/// Who else may want a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    /// Nobody: all receivers are known here.
    Nobody,
    /// Receivers that only the manifest's file names, or that only whoever has it can reach.
    WithFile,
    /// What the manifest has published: the job sends to those, and a run of another manifest does not, with hosts and
    /// credentials that are not theirs.
    WithJob,
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

    /// Every receiver that this process could send to, by its name, each with whether what it is reached with is there:
    /// those of the settings and those of the manifest at hand. Nothing is sent.
    pub(super) async fn prepare(mut self) -> Result<Vec<(String, Result<(), Failure>)>, TableError> {
        if let Some(at_hand) = self.at_hand {
            self.learn(&at_hand.name).await?;
        }
        let (lines, _) = self.lines(self.at_hand.map(|at_hand| &at_hand.name));
        let mut found = Vec::new();
        for (name, line) in lines {
            let ready = match line.as_ref() {
                Line::Open(sender) => sender.prepare().await,
                Line::Broken(failure) => Err(failure.clone()),
            };
            found.push((name.clone(), ready));
        }
        Ok(found)
    }

    /// Learns which receivers a manifest has.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub(super) async fn learn(&mut self, manifest: &ManifestName) -> Result<(), TableError> {
        if self.manifests.contains_key(manifest) {
            return Ok(());
        }
        let (found, rest) = if let Some(at_hand) = self.at_hand.filter(|at_hand| at_hand.name == *manifest) {
            (at_hand.notify.clone(), Rest::Nobody)
        } else {
            match self.service.publication(manifest).await {
                Ok(None) => (BTreeMap::new(), Rest::WithFile),
                Ok(Some(_)) if self.at_hand.is_some() => (BTreeMap::new(), Rest::WithJob),
                Ok(Some(publication)) => {
                    let (found, left_out) = published(manifest, &publication.sinks);
                    (found, if left_out.is_empty() { Rest::Nobody } else { Rest::WithFile })
                }
                Err(TableError::Codec(_)) => {
                    // It keeps no other's notices from being sent.
                    let failure = Failure::Login {
                        reason: format!("what `{manifest}` has published cannot be read"),
                        hint: "publish it again: `provision publish`".to_owned(),
                    };
                    let lines = Lines::from([(format!("{manifest}/*"), Arc::new(Line::Broken(failure)))]);
                    self.manifests.insert(manifest.clone(), (lines, Rest::Nobody));
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        };
        let opened = found.into_iter().map(|(name, receiver)| {
            // No receiver's name has a `/`, so none of a manifest is taken for one of the settings.
            let sender = Sender::new(self.resolved(receiver), &self.allowances.hosts);
            (format!("{manifest}/{name}"), Arc::new(Line::Open(Box::new(sender))))
        });
        let lines = opened.collect();
        self.manifests.insert(manifest.clone(), (lines, rest));
        Ok(())
    }

    /// Whether everybody whom a manifest's notices go to is known here.
    pub(super) fn knows_all(&self, manifest: &ManifestName) -> bool {
        self.manifests.get(manifest).is_some_and(|(_, rest)| *rest == Rest::Nobody)
    }

    /// The receivers for a token of a manifest, or of none, and who there is beside them.
    pub(super) fn lines(&self, manifest: Option<&ManifestName>) -> (impl Iterator<Item = (&String, &Arc<Line>)>, Rest) {
        let own = manifest.and_then(|manifest| self.manifests.get(manifest));
        let rest = own.map_or(Rest::Nobody, |(_, rest)| *rest);
        (self.settings.iter().chain(own.into_iter().flat_map(|(lines, _)| lines)), rest)
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
    Ok(service.settings().await?.notices)
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
