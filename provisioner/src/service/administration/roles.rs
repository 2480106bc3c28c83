//! Roles, as people ask for them.

use async_trait::async_trait;
use latchkey::api::wire::{RoleList, RoleRecord};
use latchkey::moving::Moving;
use latchkey::name::RoleName;
use latchkey::role::Permissions;
use latchkey::service::Role;

use crate::service::ServiceError;
use crate::service::direct::Direct;
use crate::service::remote::Remote;
use crate::service::remote::call::Call;
use crate::service::remote::tokens::put_role;

/// Roles, as people ask for them.
#[async_trait]
pub trait RoleAdministration: Send + Sync {
    async fn role(&self, name: &RoleName) -> Result<Option<Role>, ServiceError>;

    /// All roles by name.
    async fn all_roles(&self) -> Result<Vec<Role>, ServiceError>;

    /// Changes what a role allows, and whose it is, if it is still `old`.
    ///
    /// # Errors
    /// [`ServiceError::Gone`] when it has changed.
    async fn change_role(&self, old: &Role, permissions: &Permissions, moving: &Moving) -> Result<Role, ServiceError>;

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

    async fn change_role(&self, old: &Role, permissions: &Permissions, moving: &Moving) -> Result<Role, ServiceError> {
        let declared = (None, moving);
        Ok(self.service.declare_role(&self.caller, &old.name, Some(old.revision), permissions, declared).await?)
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

    async fn change_role(&self, old: &Role, permissions: &Permissions, moving: &Moving) -> Result<Role, ServiceError> {
        let call = put_role(&old.name, permissions, (None, moving)).if_match(old.revision);
        match self.line.repeat::<RoleRecord>(call).await {
            Ok(record) => Ok(record.into()),
            Err(ServiceError::Gone(told)) => {
                // By an earlier try, whose answer was lost: then it is what was wanted.
                let now = self.role(&old.name).await?;
                let is_wanted =
                    |now: &Role| now.permissions == *permissions && (!moving.release || now.managed_by.is_none());
                now.filter(is_wanted).ok_or(ServiceError::Gone(told))
            }
            Err(error) => Err(error),
        }
    }

    async fn delete_role(&self, name: &RoleName) -> Result<(), ServiceError> {
        self.line.remove(&format!("/v1/roles/{name}"), "no_such_role", &format!("there is no role `{name}`")).await
    }
}
