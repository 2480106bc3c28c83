//! The function `roles`, for the deployment's settings.

use super::Api;
use super::parameters::IfMatch;
use super::problem::Problem;
use super::reading::Fields;
use super::replies::Json;
use super::request::RoutedRequest;
use super::rows::routes;
use super::wire::{ChangeSettings, SettingsRecord};
use crate::policy::{Policy, PolicyChange};

routes! {
    showSettings: GET "/v1/settings" => Api::show_settings {
        summary: "Shows the settings of the deployment",
        needs: "`admin:settings`",
        problems: [403],
    }
    changeSettings: PATCH "/v1/settings" => Api::change_settings {
        summary: "Changes settings of the deployment",
        needs: "`admin:settings`, by a token without `allowed_ips` that is valid for another day",
        problems: [403, 412],
    }
}

impl Api {
    async fn show_settings(&self, asked: &RoutedRequest<'_>) -> Result<Json<SettingsRecord>, Problem> {
        asked.caller().may_read_settings()?;
        Ok(shown(&self.service.settings().await?))
    }

    async fn change_settings(
        &self,
        asked: &RoutedRequest<'_, (), IfMatch, ChangeSettings>,
    ) -> Result<Json<SettingsRecord>, Problem> {
        let body = asked.body()?;
        let mut fields = Fields::default();
        let change = PolicyChange {
            prefix: fields.maybe("/prefix", body.prefix.as_deref()),
            older_prefixes: body.older_prefixes.as_deref().map(|prefixes| fields.list("/older_prefixes", prefixes)),
            max_tokens: body.max_tokens,
            expiry_default: fields.maybe("/expiry_default", body.expiry_default.as_deref()),
            expiry_max: fields.maybe("/expiry_max", body.expiry_max.as_deref()),
            name_max: body.name_max,
            notices: body.notices,
            receivers: body.receivers,
        };
        fields.done()?;
        let revision = asked.given.revision()?;
        Ok(shown(&self.service.change_settings(asked.caller(), revision, &change).await?))
    }
}

fn shown(policy: &Policy) -> Json<SettingsRecord> {
    Json::new(SettingsRecord::from(policy)).etag(policy.revision)
}
