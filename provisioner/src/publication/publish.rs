//! Publishing: what differs is written, in the order that a crash leaves readable.

use std::collections::BTreeMap;

use latchkey::api::BODY_MAX;
use latchkey::api::wire::{PublicationSummary, PublicationView, PublishedTokenEntry};
use latchkey::name::ManifestName;
use latchkey::service::{PUBLISHED_ROWS, PublishedRow};
use latchkey::token::TokenKey;

use super::Publication;
use crate::service::{PublicationAdministration, ServiceError};

/// What a row takes in a request besides its names and its text.
const ROW_EXTRA: usize = 40;
/// What is left of a request for its rows.
const ROWS_SIZE: usize = BODY_MAX - 1024;

/// What was published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The publication.
    pub publication: PublicationSummary,
    /// How many tokens were written, as they are new or changed.
    pub written: usize,
    /// How many tokens were removed.
    pub removed: usize,
    /// Whether it was published before as it is: then nothing was written at all.
    pub unchanged: bool,
}

/// Publishes a manifest's tokens. One that is published already costs reads only.
///
/// # Errors
/// When the service refuses, a later publication was begun meanwhile, or the service does not answer.
pub async fn publish(
    service: &dyn PublicationAdministration,
    manifest: &ManifestName,
    (revision, force): (Option<u64>, bool),
    wanted: &Publication,
) -> Result<Published, ServiceError> {
    let count = u32::try_from(wanted.tokens.len()).unwrap_or(u32::MAX);
    if let Some(stored) = service.publication(manifest).await? {
        let rows = service.published_tokens(manifest).await?;
        if is_published(&stored, &rows, revision, wanted) {
            return Ok(Published { publication: stored.publication, written: 0, removed: 0, unchanged: true });
        }
    }
    let number = service.begin_publication(manifest, revision, force).await?;
    // From here on nobody else writes: what is read now stays.
    let stored = service.published_tokens(manifest).await?;
    let (changed, gone) = differences(&stored, wanted);
    for rows in requests(&changed) {
        service.publish_tokens(manifest, number, rows).await?;
    }
    let publication = service.complete_publication(manifest, number, (&wanted.sinks, count)).await?;
    for rows in requests(&gone) {
        service.publish_tokens(manifest, number, rows).await?;
    }
    Ok(Published { publication, written: changed.len(), removed: gone.len(), unchanged: false })
}

/// Whether all is published as it should be, by a publication that was completed.
fn is_published(
    stored: &PublicationView,
    rows: &[PublishedTokenEntry],
    revision: Option<u64>,
    wanted: &Publication,
) -> bool {
    let PublicationView { publication, sinks, .. } = stored;
    let (changed, gone) = differences(rows, wanted);
    *sinks == wanted.sinks
        && (revision.is_none() || publication.revision == revision)
        && usize::try_from(publication.tokens).is_ok_and(|tokens| tokens == wanted.tokens.len())
        && changed.is_empty()
        && gone.is_empty()
        && rows.iter().all(|row| row.number <= publication.number)
}

/// The rows to write, and those to remove.
fn differences(stored: &[PublishedTokenEntry], wanted: &Publication) -> (Vec<PublishedRow>, Vec<PublishedRow>) {
    let key = |row: &PublishedTokenEntry| TokenKey::new(row.user.clone(), row.name.clone());
    let held: BTreeMap<TokenKey, &str> = stored.iter().map(|row| (key(row), row.push.as_str())).collect();
    let changed = wanted.tokens.iter().filter(|(token, push)| held.get(*token) != Some(&push.as_str()));
    let changed = changed.map(|(token, push)| PublishedRow { token: token.clone(), push: Some(push.clone()) });
    let gone = held.keys().filter(|token| !wanted.tokens.contains_key(*token));
    (changed.collect(), gone.map(|token| PublishedRow { token: token.clone(), push: None }).collect())
}

/// Rows as many as a request may have, and fits.
fn requests(rows: &[PublishedRow]) -> Vec<&[PublishedRow]> {
    let (mut requests, mut start, mut size) = (Vec::new(), 0, 0);
    for (index, row) in rows.iter().enumerate() {
        let takes = size_of(row);
        if index - start == PUBLISHED_ROWS || (size + takes > ROWS_SIZE && index > start) {
            requests.push(&rows[start..index]);
            (start, size) = (index, 0);
        }
        size += takes;
    }
    if start < rows.len() {
        requests.push(&rows[start..]);
    }
    requests
}

/// What a row takes in a request, as JSON.
fn size_of(PublishedRow { token, push }: &PublishedRow) -> usize {
    let text = push.as_ref().and_then(|push| serde_json::to_string(push).ok()).map_or(0, |text| text.len());
    token.user.as_str().len() + token.name.as_str().len() + text + ROW_EXTRA
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(number: usize, length: usize) -> PublishedRow {
        let token = TokenKey::new("ci".parse().unwrap(), format!("token-{number}").parse().unwrap());
        PublishedRow { token, push: Some("\"".repeat(length)) }
    }

    #[test]
    fn requests_have_as_many_rows_as_they_may_and_fit() {
        for (count, length) in [(0, 1), (1, 8000), (99, 10), (100, 10), (250, 10), (40, 4000), (300, 700)] {
            let rows: Vec<PublishedRow> = (0..count).map(|number| row(number, length)).collect();
            let requests = requests(&rows);
            assert_eq!(requests.concat(), rows, "all of them, in their order");
            for request in &requests {
                let size: usize = request.iter().map(size_of).sum();
                assert!(request.len() <= PUBLISHED_ROWS && size <= ROWS_SIZE, "{} of {size}", request.len());
            }
        }
        let small: Vec<PublishedRow> = (0..198).map(|number| row(number, 10)).collect();
        assert_eq!(requests(&small).len(), 2);
    }
}
