//! What a manifest publishes for the scheduled job.

use async_trait::async_trait;
use latchkey::api::wire::{PublicationSummary, PublicationView, PublishedTokenEntry};
use latchkey::name::ManifestName;
use latchkey::service::PublishedRow;

use super::ServiceError;
use super::direct::Direct;

/// The longest page of a publication's tokens.
const PAGE: i32 = 500;

/// The service as publishers ask it, step by step: take a number, write the rows that differ, complete it, remove the rows
/// that are no longer in it.
#[async_trait]
pub trait Publishing: Send + Sync {
    /// What is published, but for its tokens.
    async fn publication(&self, manifest: &ManifestName) -> Result<Option<PublicationView>, ServiceError>;

    /// All tokens that are published, by user and name, those of a publication that was not completed too.
    async fn published_tokens(&self, manifest: &ManifestName) -> Result<Vec<PublishedTokenEntry>, ServiceError>;

    /// Takes the next number, which ends publications that are under way.
    async fn begin_publication(
        &self,
        manifest: &ManifestName,
        revision: Option<u64>,
        force: bool,
    ) -> Result<u64, ServiceError>;

    /// Writes and removes rows, all or none.
    async fn publish_tokens(
        &self,
        manifest: &ManifestName,
        number: u64,
        rows: &[PublishedRow],
    ) -> Result<(), ServiceError>;

    /// Completes it, with its sinks and the number of its tokens.
    async fn complete_publication(
        &self,
        manifest: &ManifestName,
        number: u64,
        contents: (&str, u32),
    ) -> Result<PublicationSummary, ServiceError>;

    /// Withdraws it whole. One that is not there is no error.
    async fn withdraw_publication(&self, manifest: &ManifestName) -> Result<(), ServiceError>;
}

#[async_trait]
impl Publishing for Direct {
    async fn publication(&self, manifest: &ManifestName) -> Result<Option<PublicationView>, ServiceError> {
        let found = self.service.publication(manifest).await?;
        Ok(found.map(|found| PublicationView { publication: PublicationSummary::from(&found), sinks: found.sinks }))
    }

    async fn published_tokens(&self, manifest: &ManifestName) -> Result<Vec<PublishedTokenEntry>, ServiceError> {
        let (mut tokens, mut from) = (Vec::new(), None);
        loop {
            let page = self.service.published_tokens(manifest, PAGE, from.as_ref()).await?;
            tokens.extend(page.tokens.into_iter().map(PublishedTokenEntry::from));
            from = page.next;
            if from.is_none() {
                return Ok(tokens);
            }
        }
    }

    async fn begin_publication(
        &self,
        manifest: &ManifestName,
        revision: Option<u64>,
        force: bool,
    ) -> Result<u64, ServiceError> {
        Ok(self.service.begin_publication(&self.caller, manifest, revision, force).await?)
    }

    async fn publish_tokens(
        &self,
        manifest: &ManifestName,
        number: u64,
        rows: &[PublishedRow],
    ) -> Result<(), ServiceError> {
        Ok(self.service.publish_tokens(&self.caller, manifest, number, rows).await?)
    }

    async fn complete_publication(
        &self,
        manifest: &ManifestName,
        number: u64,
        contents: (&str, u32),
    ) -> Result<PublicationSummary, ServiceError> {
        let done = self.service.complete_publication(&self.caller, manifest, number, contents).await?;
        Ok(PublicationSummary::from(&done))
    }

    async fn withdraw_publication(&self, manifest: &ManifestName) -> Result<(), ServiceError> {
        Ok(self.service.withdraw_publication(&self.caller, manifest).await?)
    }
}
