//! What the job may touch of what is published: nothing that differs from what was applied, and no entry that its manifest is
//! not granted.

use std::collections::{BTreeMap, BTreeSet};

use latchkey::name::ManifestName;
use latchkey::service::{Grant, Publication, Service};
use latchkey::token::{Token, TokenKey};
use latchkey_sinks::SinkSet;

use super::restricted::Restricted;
use super::{Job, Report, Trouble, declared, is_as_applied};
use crate::manifest::{Manifest, TokenDeclaration, granted};
use crate::publication;
use crate::service::{Protocol, ServiceError};

/// Some tokens of a manifest that the job may touch, and how their places are reached.
pub struct Allowed {
    /// Of these tokens and no others.
    pub manifest: Manifest,
    /// Their sinks.
    pub sinks: Box<dyn SinkSet>,
}

impl std::fmt::Debug for Allowed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Allowed").field("manifest", &self.manifest.name).finish_non_exhaustive()
    }
}

impl Allowed {
    /// The service as the engine may use it for these tokens.
    pub(super) fn client<'a>(&self, protocol: &'a dyn Protocol) -> Restricted<'a> {
        Restricted::new(protocol, self.manifest.tokens.iter().map(TokenDeclaration::key).collect())
    }
}

impl Job<'_> {
    /// What may be touched of some tokens, if anything; the report has the others, each with why.
    pub(super) async fn allowed(
        &self,
        service: &Service,
        publication: &Publication,
        (name, tokens): (&ManifestName, &[Token]),
        report: &mut Report,
    ) -> Result<Option<Allowed>, ServiceError> {
        let keys: Vec<TokenKey> = tokens.iter().map(Token::key).collect();
        let rows = service.published_of(name, &keys).await?;
        let rows: BTreeMap<TokenKey, String> = rows.into_iter().map(|row| (row.key(), row.push)).collect();
        let texts = rows.iter().map(|(token, push)| (token, push.as_str()));
        let published = match publication::read(name, &publication.sinks, texts) {
            Ok(published) => published,
            Err(faults) => {
                let why = faults.first().map_or_else(String::new, |fault| format!(": {}", fault.message));
                for token in &keys {
                    let reason = format!("what `{name}` has published cannot be read{why}");
                    report.failed.push(Trouble::new(name, token, reason).hint("publish it again: `provision publish`"));
                }
                return Ok(None);
            }
        };
        for (token, faults) in &published.refused {
            let why = faults.first().map_or_else(String::new, |fault| format!(": {}", fault.message));
            let trouble = Trouble::new(name, token, format!("its published pushes cannot be read{why}"));
            report.failed.push(trouble.hint("publish it again: `provision publish`"));
        }
        let refused = published.refused.keys().cloned().collect();
        let mut manifest = declared(name, published, tokens);
        for token in keys.iter().filter(|key| !rows.contains_key(*key)) {
            let reason = "it is not published: the job cannot reach one of its places, or nobody has published it yet";
            report.skipped.push(Trouble::new(name, token, reason).hint("`provision publish` says which"));
        }
        let grant = service.manifest(name).await?.and_then(|record| record.grant).unwrap_or_default();
        let sinks = (self.reach)(&manifest);
        self.keep(&mut manifest, (tokens, &refused), (&*sinks, &grant), report).await;
        Ok((!manifest.tokens.is_empty()).then_some(Allowed { manifest, sinks }))
    }

    /// Leaves out what the job must not touch, before anything is looked at: tokens whose published places are not those
    /// that they are recorded with, and those with a place that the manifest's grant does not contain.
    async fn keep(
        &self,
        manifest: &mut Manifest,
        (tokens, refused): (&[Token], &BTreeSet<TokenKey>),
        (sinks, grant): (&dyn SinkSet, &Grant),
        report: &mut Report,
    ) {
        let mut kept = Vec::new();
        for declaration in std::mem::take(&mut manifest.tokens) {
            let key = declaration.key();
            let Some(record) = tokens.iter().find(|token| token.key() == key) else { continue };
            let foreign = record.places.values().find(|recorded| !grant.allows_entry(&recorded.place));
            if let Some(foreign) = foreign {
                report.skipped.push(not_granted(&manifest.name, &key, &foreign.place.entry(), grant));
                continue;
            }
            match is_as_applied(sinks, &declaration, record).await {
                Err(error) => report.failed.push(Trouble::new(&manifest.name, &key, error.to_string())),
                Ok(false) => {
                    let reason = "its published places are not those that it was applied with";
                    let hint = "apply and publish the same manifest: `provision apply --publish`";
                    report.skipped.push(Trouble::new(&manifest.name, &key, reason).hint(hint));
                }
                Ok(true) if !refused.contains(&key) => kept.push(declaration),
                Ok(true) => {}
            }
        }
        manifest.tokens = kept;
    }
}

/// That an entry is not granted, and what an admin runs: what a grant is set to replaces what it was.
fn not_granted(manifest: &ManifestName, token: &TokenKey, entry: &str, grant: &Grant) -> Trouble {
    let added = entry.parse().ok().map(|entry| Grant { entries: BTreeSet::from([entry]), ..Grant::default() });
    let command = added.map(|added| granted::command(manifest, &granted::with(grant.clone(), &added)));
    let hint = command.map_or_else(
        || format!("an admin grants the beginning of it: `provision manifest grant {manifest} ..`"),
        |command| format!("an admin adds it: `{command}`"),
    );
    Trouble::new(manifest, token, format!("the grant of `{manifest}` does not contain the entry `{entry}`")).hint(hint)
}
