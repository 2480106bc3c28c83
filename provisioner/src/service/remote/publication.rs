//! What a manifest publishes, at a server. All of it may be asked twice: a number that got lost is replaced by the next
//! one, and rows and sinks are written as they are.

use async_trait::async_trait;
use latchkey::api::wire::{
    BeginPublication, BegunPublication, CompletePublication, PublicationSummary, PublicationView, PublishToken,
    PublishTokens, PublishedTokenEntry, PublishedTokens,
};
use latchkey::name::ManifestName;
use latchkey::service::PublishedRow;

use super::Remote;
use super::call::Call;
use super::plans::manifest_path;
use crate::service::{Publishing, ServiceError};

fn path(manifest: &ManifestName, rest: &str) -> String {
    manifest_path(manifest, &format!("/publication{rest}"))
}

#[async_trait]
impl Publishing for Remote {
    async fn publication(&self, manifest: &ManifestName) -> Result<Option<PublicationView>, ServiceError> {
        match self.line.repeat(Call::new("GET", path(manifest, ""))).await {
            Ok(view) => Ok(Some(view)),
            Err(ServiceError::Gone(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn published_tokens(&self, manifest: &ManifestName) -> Result<Vec<PublishedTokenEntry>, ServiceError> {
        let (mut tokens, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let call = Call::new("GET", path(manifest, "/tokens"));
            let call = match &cursor {
                Some(cursor) => call.query("cursor", cursor),
                None => call,
            };
            let page: PublishedTokens = self.line.repeat(call).await?;
            tokens.extend(page.tokens);
            cursor = page.next;
            if cursor.is_none() {
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
        let begin = BeginPublication { revision, force };
        let begun: BegunPublication = self.line.repeat(Call::new("POST", path(manifest, "")).body(&begin)).await?;
        Ok(begun.number)
    }

    async fn publish_tokens(
        &self,
        manifest: &ManifestName,
        number: u64,
        rows: &[PublishedRow],
    ) -> Result<(), ServiceError> {
        let tokens = rows.iter().map(|row| PublishToken {
            user: row.token.user.clone(),
            name: row.token.name.clone(),
            push: row.push.clone(),
        });
        let publish = PublishTokens { number, tokens: tokens.collect() };
        self.line.repeat_for_nothing(Call::new("PUT", path(manifest, "/tokens")).body(&publish)).await
    }

    async fn complete_publication(
        &self,
        manifest: &ManifestName,
        number: u64,
        (sinks, tokens): (&str, u32),
    ) -> Result<PublicationSummary, ServiceError> {
        let complete = CompletePublication { number, sinks: sinks.to_owned(), tokens };
        let done: PublicationView = self.line.repeat(Call::new("PUT", path(manifest, "")).body(&complete)).await?;
        Ok(done.publication)
    }

    async fn withdraw_publication(&self, manifest: &ManifestName) -> Result<(), ServiceError> {
        self.line.repeat_for_nothing(Call::new("DELETE", path(manifest, ""))).await
    }
}
