//! Users, as people ask for them.

use async_trait::async_trait;
use latchkey::api::wire::{UserList, UserRecord};
use latchkey::name::UserName;
use latchkey::user::User;

use crate::service::ServiceError;
use crate::service::direct::Direct;
use crate::service::remote::Remote;
use crate::service::remote::call::Call;

/// Users, as people ask for them.
#[async_trait]
pub trait UserAdministration: Send + Sync {
    async fn user(&self, name: &UserName) -> Result<Option<User>, ServiceError>;

    /// All users by name.
    async fn all_users(&self) -> Result<Vec<User>, ServiceError>;

    /// Deletes a user without active tokens.
    async fn delete_user(&self, name: &UserName) -> Result<(), ServiceError>;
}

#[async_trait]
impl UserAdministration for Direct {
    async fn user(&self, name: &UserName) -> Result<Option<User>, ServiceError> {
        Ok(self.service.user(name).await?)
    }

    async fn all_users(&self) -> Result<Vec<User>, ServiceError> {
        Ok(self.service.list_users().await?)
    }

    async fn delete_user(&self, name: &UserName) -> Result<(), ServiceError> {
        Ok(self.service.delete_user(&self.caller, name).await?)
    }
}

#[async_trait]
impl UserAdministration for Remote {
    async fn user(&self, name: &UserName) -> Result<Option<User>, ServiceError> {
        match self.line.repeat::<UserRecord>(Call::new("GET", format!("/v1/users/{name}"))).await {
            Ok(record) => Ok(Some(record.into())),
            Err(ServiceError::Gone(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn all_users(&self) -> Result<Vec<User>, ServiceError> {
        let list: UserList = self.line.repeat(Call::new("GET", "/v1/users")).await?;
        Ok(list.users.into_iter().map(User::from).collect())
    }

    async fn delete_user(&self, name: &UserName) -> Result<(), ServiceError> {
        self.line.remove(&format!("/v1/users/{name}"), "no_such_user", &format!("there is no user `{name}`")).await
    }
}
