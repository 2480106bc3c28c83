//! Roles and users.

use latchkey::api::wire::{PutRole, PutUser, RoleList, RoleRecord, UserList, UserRecord};
use latchkey::name::{ManifestName, RoleName, UserName};
use latchkey::role::Permissions;
use latchkey::service::{Role, UserChange};
use latchkey::user::User;

use super::Remote;
use super::call::{Call, Undone};
use super::tokens::BEGUN;
use crate::service::ServiceError;

impl Remote {
    pub(in crate::service) async fn put_role(
        &self,
        name: &RoleName,
        permissions: &Permissions,
        manifest: Option<&ManifestName>,
    ) -> Result<Role, ServiceError> {
        let permissions = permissions.iter().map(ToString::to_string).collect();
        let put = PutRole { permissions, manifest: manifest.map(ToString::to_string) };
        let record: RoleRecord = self.line.repeat(Call::new("PUT", format!("/v1/roles/{name}")).body(&put)).await?;
        Ok(record.into())
    }

    pub(in crate::service) async fn put_user(
        &self,
        name: &UserName,
        change: &UserChange,
    ) -> Result<User, ServiceError> {
        let put = PutUser {
            kind: change.kind,
            roles: change.roles.as_ref().map(|roles| roles.iter().map(ToString::to_string).collect()),
            max_tokens: change.max_tokens,
            suspended: change.suspended,
            manifest: change.managed_by.as_ref().map(ToString::to_string),
        };
        let record: UserRecord = self.line.repeat(Call::new("PUT", format!("/v1/users/{name}")).body(&put)).await?;
        Ok(record.into())
    }

    pub(in crate::service) async fn user(&self, name: &UserName) -> Result<Option<User>, ServiceError> {
        match self.line.repeat::<UserRecord>(Call::new("GET", format!("/v1/users/{name}"))).await {
            Ok(record) => Ok(Some(record.into())),
            Err(ServiceError::Gone(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(in crate::service) async fn all_users(&self) -> Result<Vec<User>, ServiceError> {
        let list: UserList = self.line.repeat(Call::new("GET", "/v1/users")).await?;
        Ok(list.users.into_iter().map(User::from).collect())
    }

    pub(in crate::service) async fn delete_user(&self, name: &UserName) -> Result<(), ServiceError> {
        self.remove(&format!("/v1/users/{name}"), "no_such_user", &format!("there is no user `{name}`")).await
    }

    pub(in crate::service) async fn all_roles(&self) -> Result<Vec<Role>, ServiceError> {
        let list: RoleList = self.line.repeat(Call::new("GET", "/v1/roles")).await?;
        Ok(list.roles.into_iter().map(Role::from).collect())
    }

    pub(in crate::service) async fn delete_role(&self, name: &RoleName) -> Result<(), ServiceError> {
        self.remove(&format!("/v1/roles/{name}"), "no_such_role", &format!("there is no role `{name}`")).await
    }

    /// Deletes what has a name. That an earlier try did it is told by its being gone.
    async fn remove(&self, target: &str, code: &str, missing: &str) -> Result<(), ServiceError> {
        let mut lost = None;
        for _ in 0..BEGUN {
            match self.line.once_for_nothing(Call::new("DELETE", target)).await {
                Ok(()) => return Ok(()),
                Err(Undone::Answered(ServiceError::Gone(_))) if lost.is_some() => return Ok(()),
                Err(Undone::Answered(ServiceError::Gone(_))) => return Err(ServiceError::refused(code, missing)),
                Err(Undone::Answered(error)) => return Err(error),
                Err(Undone::Unknown(error)) => lost = Some(error),
            }
        }
        Err(lost.unwrap_or_else(|| ServiceError::Unavailable("nothing was deleted".to_owned())))
    }
}
