//! What a manifest publishes for the scheduled job. All that a server is asked may be asked twice: a number that got lost
//! is replaced by the next one, and rows and sinks are written as they are.

use async_trait::async_trait;
use latchkey::api::wire::{
    BeginPublication, BegunPublication, CompletePublication, PublicationSummary, PublicationView, PublishToken,
    PublishTokens, PublishedTokenEntry, PublishedTokens,
};
use latchkey::name::ManifestName;
use latchkey::service::{Publication, PublishedRow};

use crate::service::ServiceError;
use crate::service::direct::Direct;
use crate::service::remote::Remote;
use crate::service::remote::call::Call;
use crate::service::remote::plans::manifest_path;

/// The longest page of a publication's tokens.
const PAGE: i32 = 500;

/// The service as publishers ask it, step by step: take a number, write the rows that differ, complete it, remove the rows
/// that are no longer in it.
#[async_trait]
pub trait PublicationAdministration: Send + Sync {
    /// What is published, but for its tokens.
    async fn publication(&self, manifest: &ManifestName) -> Result<Option<PublicationView>, ServiceError>;

    /// The same, with what the scheduled job did with the manifest last.
    async fn job(&self, manifest: &ManifestName) -> Result<Option<PublicationView>, ServiceError>;

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
impl PublicationAdministration for Direct {
    async fn publication(&self, manifest: &ManifestName) -> Result<Option<PublicationView>, ServiceError> {
        let found = self.service.publication(manifest).await?;
        let view = |found: Publication| {
            let publication = PublicationSummary::from(&found);
            PublicationView { publication, sinks: found.sinks, last_turn: None, job: None }
        };
        Ok(found.map(view))
    }

    async fn job(&self, manifest: &ManifestName) -> Result<Option<PublicationView>, ServiceError> {
        let Some(view) = self.publication(manifest).await? else { return Ok(None) };
        let last_turn = self.service.last_turn().await?.map(|turn| turn.at);
        let job = self.service.manifest_turn(manifest).await?;
        Ok(Some(PublicationView { last_turn, job, ..view }))
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

fn path(manifest: &ManifestName, rest: &str) -> String {
    manifest_path(manifest, &format!("/publication{rest}"))
}

#[async_trait]
impl PublicationAdministration for Remote {
    async fn publication(&self, manifest: &ManifestName) -> Result<Option<PublicationView>, ServiceError> {
        match self.line.repeat(Call::new("GET", path(manifest, ""))).await {
            Ok(view) => Ok(Some(view)),
            Err(ServiceError::Gone(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn job(&self, manifest: &ManifestName) -> Result<Option<PublicationView>, ServiceError> {
        self.publication(manifest).await
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
