//! The deployment's settings, as admins read and change them.

use async_trait::async_trait;
use latchkey::api::wire::{ChangeSettings, SettingsRecord};
use latchkey::policy::{Policy, PolicyChange};

use crate::service::ServiceError;
use crate::service::direct::Direct;
use crate::service::remote::Remote;
use crate::service::remote::call::Call;

/// The deployment's settings, as admins read and change them.
#[async_trait]
pub trait SettingsAdministration: Send + Sync {
    /// The settings as they are now.
    async fn settings(&self) -> Result<Policy, ServiceError>;

    /// Changes the settings if they are still `old`.
    ///
    /// # Errors
    /// [`ServiceError::Gone`] when somebody else has changed them.
    async fn change_settings(&self, old: &Policy, change: &PolicyChange) -> Result<Policy, ServiceError>;
}

#[async_trait]
impl SettingsAdministration for Direct {
    async fn settings(&self) -> Result<Policy, ServiceError> {
        Ok(self.service.settings().await?)
    }

    async fn change_settings(&self, old: &Policy, change: &PolicyChange) -> Result<Policy, ServiceError> {
        Ok(self.service.change_settings(&self.caller, Some(old.revision), change).await?)
    }
}

const PATH: &str = "/v1/settings";

#[async_trait]
impl SettingsAdministration for Remote {
    async fn settings(&self) -> Result<Policy, ServiceError> {
        read(&self.line.repeat(Call::new("GET", PATH)).await?)
    }

    async fn change_settings(&self, old: &Policy, change: &PolicyChange) -> Result<Policy, ServiceError> {
        let body = body(change);
        let call = Call::new("PATCH", PATH).body(&body).if_match(old.revision);
        match self.line.repeat(call).await {
            Ok(record) => read(&record),
            Err(ServiceError::Gone(told)) => {
                // By an earlier try, whose answer was lost: then they are what was wanted.
                let now = self.settings().await?;
                let wanted = old.with(change).ok().map(|wanted| Policy { revision: old.revision + 1, ..wanted });
                if wanted.as_ref() == Some(&now) { Ok(now) } else { Err(ServiceError::Gone(told)) }
            }
            Err(error) => Err(error),
        }
    }
}

fn read(record: &SettingsRecord) -> Result<Policy, ServiceError> {
    let unknown = || "the server's settings are not as this version of `provision` knows them".to_owned();
    record.policy().ok_or_else(|| ServiceError::Unavailable(unknown()))
}

fn body(change: &PolicyChange) -> ChangeSettings {
    let older = change.older_prefixes.as_ref();
    ChangeSettings {
        prefix: change.prefix.as_ref().map(|prefix| prefix.as_str().to_owned()),
        older_prefixes: older.map(|older| older.iter().map(|prefix| prefix.as_str().to_owned()).collect()),
        max_tokens: change.max_tokens,
        expiry_default: change.expiry_default.map(|life| life.to_string()),
        expiry_max: change.expiry_max.map(|life| life.to_string()),
        name_max: change.name_max,
        notices: change.notices,
        receivers: change.receivers.clone(),
    }
}
