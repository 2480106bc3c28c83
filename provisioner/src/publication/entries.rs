//! Where the tokens of a publication land: what an admin grants the job, place by place.

use std::collections::HashMap;

use latchkey::place::Place;
use latchkey::token::{Token, TokenKey};

use super::Publication;
use crate::manifest::Manifest;
use crate::observe::is_meant;

/// Where the pushes of a published token land.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Landing {
    /// The token.
    pub token: TokenKey,
    /// The places that are known, from the settings or from its record.
    pub places: Vec<Place>,
    /// The sinks of pushes whose places are known only once they are applied, such as an account that no setting names.
    pub unknown: Vec<String>,
    /// Whether the service has a record of it.
    pub applied: bool,
}

/// Where the tokens of a publication land, by what the manifest says and what the service has recorded.
pub fn landings(manifest: &Manifest, publication: &Publication, records: &[Token]) -> Vec<Landing> {
    let records: HashMap<TokenKey, &Token> = records.iter().map(|record| (record.key(), record)).collect();
    let declared = manifest.tokens.iter().filter_map(|declared| {
        let token = TokenKey::new(declared.user.clone(), declared.name.clone());
        publication.tokens.contains_key(&token).then_some((token, declared))
    });
    let landing = |(token, declared): (TokenKey, &crate::manifest::TokenDeclaration)| {
        let record = records.get(&token).copied();
        let (mut places, mut unknown) = (Vec::new(), Vec::new());
        for push in &declared.pushes {
            let Some(sink) = manifest.sinks.get(&push.sink) else { continue };
            let kind = sink.settings.kind().facts().name();
            let parts = sink.settings.facts().parts(push);
            let told: Option<Vec<(&str, &str)>> =
                parts.iter().map(|(part, value)| Some((*part, value.as_deref()?))).collect();
            let recorded = || {
                let all = record?.places.values().filter(|recorded| recorded.declared);
                let mut meant = all.map(|recorded| &recorded.place).filter(|place| {
                    place.kind == kind && !places.contains(*place) && is_meant(place, &parts, &manifest.folder)
                });
                meant.next().cloned()
            };
            match told.map(|told| Place::new(kind, &told, false)).or_else(recorded) {
                Some(place) => places.push(place),
                None => unknown.push(push.sink.clone()),
            }
        }
        Landing { token, places, unknown, applied: record.is_some() }
    };
    declared.map(landing).collect()
}
