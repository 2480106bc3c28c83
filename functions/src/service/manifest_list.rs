//! The list of manifests: what is known of each, by known keys and the list of their names. No scan.

use std::collections::HashMap;

use super::{Lease, ManifestRecord, ManifestTurn, Publication, Service};
use crate::name::ManifestName;
use crate::table::keys::{self, Key};
use crate::table::{Item, Range, TableError, decode};

/// What is known of a manifest.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ManifestSummary {
    /// Its name.
    pub name: ManifestName,
    /// Its record, once it was applied or has a grant.
    pub record: Option<ManifestRecord>,
    /// Who applies it now.
    pub lease: Option<Lease>,
    /// What it has published.
    pub publication: Option<Publication>,
    /// What the scheduled job did with it last.
    pub turn: Option<ManifestTurn>,
    /// How many tokens it has, those that expired and were not moved included. Their index is a hint: the last second's
    /// may be missing.
    pub tokens: u32,
}

/// A page of manifests.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ManifestPage {
    /// By name.
    pub manifests: Vec<ManifestSummary>,
    /// Where the next page starts; `None` when this was the last.
    pub next: Option<ManifestName>,
}

impl Service {
    /// A page of the manifests, at most `limit`, from after `after`: a query of the list, a read of 4 items a manifest,
    /// 100 a call, and a count of keys each.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn manifest_page(&self, limit: i32, after: Option<&ManifestName>) -> Result<ManifestPage, TableError> {
        let names = self.manifest_names(limit, after).await?;
        let of = |name: &ManifestName| {
            [keys::manifest(name), keys::lease(name), keys::publication(name), keys::manifest_turn(name)]
        };
        let wanted: Vec<Key> = names.iter().flat_map(of).collect();
        let found = self.table.get_many(&wanted).await?.into_iter();
        let mut found: HashMap<Key, Item> = found.filter_map(|item| Some((Key::of(&item)?, item))).collect();
        let now = self.now();
        let mut manifests = Vec::with_capacity(names.len());
        for name in &names {
            let mut take = |key: Key| found.remove(&key);
            let record = take(keys::manifest(name)).map(decode).transpose()?;
            let lease: Option<Lease> = take(keys::lease(name)).map(decode).transpose()?;
            let publication = take(keys::publication(name)).filter(|item| item.contains_key("number"));
            let turn = take(keys::manifest_turn(name)).map(decode).transpose()?;
            manifests.push(ManifestSummary {
                name: name.clone(),
                record,
                lease: lease.filter(|lease| lease.until > now),
                publication: publication.map(decode).transpose()?,
                turn,
                tokens: self.count_managed(name).await?,
            });
        }
        let full = usize::try_from(limit).is_ok_and(|limit| names.len() >= limit);
        Ok(ManifestPage { manifests, next: names.last().filter(|_| full).cloned() })
    }

    async fn count_managed(&self, manifest: &ManifestName) -> Result<u32, TableError> {
        let mut range = Range::of(format!("M#{manifest}"), None);
        range.index = Some(keys::MANAGED);
        let mut count = 0_u32;
        loop {
            let page = self.table.query(&range).await?;
            count = count.saturating_add(u32::try_from(page.items.len()).unwrap_or(u32::MAX));
            let Some(next) = page.next else { return Ok(count) };
            range.start = Some(next);
        }
    }
}
