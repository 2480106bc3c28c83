//! The function `manifests`: what a manifest publishes for the scheduled job.

use super::Api;
use super::manifests::position;
use super::needs::{READS_MANIFEST, RUNS};
use super::parameters::{Given, Limit, query};
use super::problem::Problem;
use super::replies::{Json, NoContent};
use super::request::RoutedRequest;
use super::rows::routes;
use super::wire::{
    BeginPublication, BegunPublication, CompletePublication, PublicationSummary, PublicationView, PublishTokens,
    PublishedTokens,
};
use crate::name::ManifestName;
use crate::service::{Publication, PublishedRow};
use crate::token::TokenKey;

routes! {
    showPublication: GET "/v1/manifests/{manifest}/publication" => Api::show_publication {
        summary: "Shows what a manifest has published for the scheduled job, but for its tokens",
        needs: READS_MANIFEST,
        problems: [404],
    }
    beginPublication: POST "/v1/manifests/{manifest}/publication" => Api::begin_publication {
        summary: "Begins a publication and answers its number; earlier ones that are under way end",
        needs: RUNS,
        problems: [404, 409],
    }
    completePublication: PUT "/v1/manifests/{manifest}/publication" => Api::complete_publication {
        summary: "Completes a publication: from now on its sinks are those of the manifest",
        needs: RUNS,
        problems: [404, 409],
    }
    withdrawPublication: DELETE "/v1/manifests/{manifest}/publication" => Api::withdraw_publication {
        summary: "Withdraws what a manifest has published: the scheduled job no longer rotates its tokens",
        needs: RUNS,
        problems: [404],
    }
    publishedTokens: GET "/v1/manifests/{manifest}/publication/tokens" => Api::published_tokens {
        summary: "Lists the tokens of a publication",
        needs: READS_MANIFEST,
        problems: [404],
    }
    publishTokens: PUT "/v1/manifests/{manifest}/publication/tokens" => Api::publish_tokens {
        summary: "Writes tokens into a publication that was begun, and removes others",
        needs: RUNS,
        problems: [404, 409],
    }
}

query! {
    /// A page of a publication's tokens.
    Paging {
        /// The maximum number of entries on a page.
        limit: Given<Limit<PAGE_MAX>>,
        /// `next` of the previous page.
        cursor: Given<String>,
    }
}

/// The longest page of a publication's tokens.
const PAGE_MAX: i32 = 500;

fn view(publication: &Publication) -> PublicationView {
    let sinks = publication.sinks.clone();
    PublicationView { publication: PublicationSummary::from(publication), sinks, last_turn: None, job: None }
}

impl Api {
    async fn show_publication(
        &self,
        asked: &RoutedRequest<'_, ManifestName>,
    ) -> Result<Json<PublicationView>, Problem> {
        let manifest = asked.path()?;
        asked.caller().may_read_manifest(&manifest)?;
        let found = self.service.publication(&manifest).await?;
        let view = view(&found.ok_or_else(Problem::not_found)?);
        let last_turn = self.service.last_turn().await?.map(|turn| turn.at);
        let job = self.service.manifest_turn(&manifest).await?;
        Ok(Json::new(PublicationView { last_turn, job, ..view }))
    }

    async fn begin_publication(
        &self,
        asked: &RoutedRequest<'_, ManifestName, (), BeginPublication>,
    ) -> Result<Json<BegunPublication>, Problem> {
        let manifest = asked.path()?;
        let BeginPublication { revision, force } = asked.body()?;
        let number = self.service.begin_publication(asked.caller(), &manifest, revision, force).await?;
        Ok(Json::new(BegunPublication { number }))
    }

    async fn complete_publication(
        &self,
        asked: &RoutedRequest<'_, ManifestName, (), CompletePublication>,
    ) -> Result<Json<PublicationView>, Problem> {
        let manifest = asked.path()?;
        let CompletePublication { number, sinks, tokens } = asked.body()?;
        let done = self.service.complete_publication(asked.caller(), &manifest, number, (&sinks, tokens)).await?;
        Ok(Json::new(view(&done)))
    }

    async fn withdraw_publication(&self, asked: &RoutedRequest<'_, ManifestName>) -> Result<NoContent, Problem> {
        let manifest = asked.path()?;
        self.service.withdraw_publication(asked.caller(), &manifest).await?;
        Ok(NoContent)
    }

    async fn published_tokens(
        &self,
        asked: &RoutedRequest<'_, ManifestName, Paging>,
    ) -> Result<Json<PublishedTokens>, Problem> {
        let (manifest, Paging { limit, cursor }) = (asked.path()?, &asked.given);
        asked.caller().may_read_manifest(&manifest)?;
        let (from, limit) = (position(cursor)?, limit.or(PAGE_MAX)?);
        let page = self.service.published_tokens(&manifest, limit, from.as_ref()).await?;
        Ok(Json::new(PublishedTokens {
            tokens: page.tokens.into_iter().map(Into::into).collect(),
            next: page.next.map(|key| key.to_string()),
        }))
    }

    async fn publish_tokens(
        &self,
        asked: &RoutedRequest<'_, ManifestName, (), PublishTokens>,
    ) -> Result<NoContent, Problem> {
        let manifest = asked.path()?;
        let PublishTokens { number, tokens } = asked.body()?;
        let rows: Vec<PublishedRow> = tokens
            .into_iter()
            .map(|row| PublishedRow { token: TokenKey::new(row.user, row.name), push: row.push })
            .collect();
        self.service.publish_tokens(asked.caller(), &manifest, number, &rows).await?;
        Ok(NoContent)
    }
}
