//! Roles, as people ask for them.

use async_trait::async_trait;
use latchkey::api::wire::{RoleList, RoleRecord};
use latchkey::name::RoleName;
use latchkey::service::Role;

use crate::service::ServiceError;
use crate::service::direct::Direct;
use crate::service::remote::Remote;
use crate::service::remote::call::Call;

/// Roles, as people ask for them.
#[async_trait]
pub trait RoleAdministration: Send + Sync {
    async fn role(&self, name: &RoleName) -> Result<Option<Role>, ServiceError>;

    /// All roles by name.
    async fn all_roles(&self) -> Result<Vec<Role>, ServiceError>;

    /// Deletes a role that nobody has.
    async fn delete_role(&self, name: &RoleName) -> Result<(), ServiceError>;
}

#[async_trait]
impl RoleAdministration for Direct {
    async fn role(&self, name: &RoleName) -> Result<Option<Role>, ServiceError> {
        Ok(self.service.role(name).await?)
    }

    async fn all_roles(&self) -> Result<Vec<Role>, ServiceError> {
        Ok(self.service.list_roles().await?)
    }

    async fn delete_role(&self, name: &RoleName) -> Result<(), ServiceError> {
        Ok(self.service.delete_role(&self.caller, name).await?)
    }
}

#[async_trait]
impl RoleAdministration for Remote {
    async fn role(&self, name: &RoleName) -> Result<Option<Role>, ServiceError> {
        match self.line.repeat::<RoleRecord>(Call::new("GET", format!("/v1/roles/{name}"))).await {
            Ok(record) => Ok(Some(record.into())),
            Err(ServiceError::Gone(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn all_roles(&self) -> Result<Vec<Role>, ServiceError> {
        let list: RoleList = self.line.repeat(Call::new("GET", "/v1/roles")).await?;
        Ok(list.roles.into_iter().map(Role::from).collect())
    }

    async fn delete_role(&self, name: &RoleName) -> Result<(), ServiceError> {
        self.line.remove(&format!("/v1/roles/{name}"), "no_such_role", &format!("there is no role `{name}`")).await
    }
}
