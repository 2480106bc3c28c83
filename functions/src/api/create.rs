//! The function `create`.

use super::Api;
use super::needs::CHANGES;
use super::problem::Problem;
use super::reading::Fields;
use super::replies::Created;
use super::request::RoutedRequest;
use super::rows::routes;
use super::wire::{CreateToken, IssuedRecord};
use crate::name::UserName;
use crate::service::{Life, NewToken};
use crate::token::TokenKey;

routes! {
    createToken: POST "/v1/users/{user}/tokens" => Api::create_token {
        summary: "Creates a token and returns its secret, which is shown only once",
        needs: CHANGES,
        problems: [403, 404, 409],
    }
}

impl Api {
    async fn create_token(
        &self,
        asked: &RoutedRequest<'_, UserName, (), CreateToken>,
    ) -> Result<Created<IssuedRecord>, Problem> {
        let new = read(asked.path()?, &asked.body()?)?;
        let issued = self.service.create(asked.caller(), new).await?;
        let location = format!("/v1/users/{}/tokens/{}", issued.token.user, issued.token.name);
        let record = IssuedRecord::of(&issued, self.service.now());
        Ok(Created::new(record).with("location", location).etag(issued.token.revision))
    }
}

fn read(user: UserName, body: &CreateToken) -> Result<NewToken, Problem> {
    let mut fields = Fields::default();
    let name = fields.one("/name", &body.name);
    let roles = body.roles.as_deref().map(|roles| fields.list("/roles", roles));
    let allowed_ips = fields.networks("/allowed_ips", &body.allowed_ips);
    let expires_at = fields.expiry("/expires_at", body.expires_at.as_deref());
    let manifest = fields.maybe("/manifest", body.manifest.as_deref());
    let terms = fields.terms(body.terms.as_ref());
    if body.manifest.is_some() != body.terms.is_some() {
        let missing = if body.terms.is_some() { "/manifest" } else { "/terms" };
        fields.fault(missing, "`manifest` and `terms` must be set together");
    }
    if body.manifest.is_some() && body.expires_at.is_some() {
        fields.fault("/expires_at", "the versions of a token that a manifest declares expire by its `terms`");
    }
    if body.manifest.is_none() && !body.places.is_empty() {
        fields.fault("/places", "only a token that a manifest declares has places");
    }
    fields.done()?;
    let life = match (manifest, terms) {
        (Some(manifest), Some(terms)) => Life::Managed { manifest, terms },
        _ => Life::Until(expires_at),
    };
    let name = name.ok_or_else(|| Problem::field("/name", "is missing"))?;
    let (description, labels, places) = (body.description.clone(), body.labels.clone(), body.places.clone());
    let key = TokenKey::new(user, name);
    Ok(NewToken { key, description, roles, labels, allowed_ips, life, places })
}
