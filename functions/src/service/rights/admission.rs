//! What is decided with the table's help: whether a caller, or a manifest by its grant, may change a token, and what a
//! run may see.

use super::super::{Caller, Grant, Origin, Role, Service};
use super::Denied;
use crate::name::{ManifestName, UserName};
use crate::table::TableError;
use crate::token::Token;
use crate::user::User;

/// A refusal, or trouble on the way to it.
#[derive(Debug, thiserror::Error)]
pub(in crate::service) enum AdmitError {
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    Table(#[from] TableError),
}

/// What a change of a token gives to whoever makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::service) enum Gain {
    /// Nothing that could be used.
    #[default]
    Nothing,
    /// A valid version: all that the token allows.
    Version,
    /// Whatever the token allows more than before.
    Difference,
}

/// What a run of a manifest may see of users, roles and tokens: what is the manifest's own or moves to it, and what its
/// grant names.
/// An admin of all three sees everything.
#[derive(Debug)]
pub struct Visibility {
    all: bool,
    manifest: ManifestName,
    grant: Grant,
}

impl Visibility {
    /// Whether it shows a user, and the user's tokens.
    pub fn shows_user(&self, user: &User) -> bool {
        let moves_here = user.moved_to.as_ref() == Some(&self.manifest);
        self.all || moves_here || self.grant.names_user(&self.manifest, &user.name, Some(user)).is_ok()
    }

    /// Whether it shows a role.
    pub fn shows_role(&self, role: &Role) -> bool {
        let moves_here = role.moved_to.as_ref() == Some(&self.manifest);
        self.all || moves_here || self.grant.names_role(&self.manifest, &role.name, role.managed_by.as_ref()).is_ok()
    }

    /// Whether it shows where a token id comes from.
    pub fn shows_origin(&self, origin: &Origin) -> bool {
        self.all || origin.managed_by.as_ref() == Some(&self.manifest)
    }
}

impl Service {
    /// What a run of a manifest may see.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn visibility(&self, caller: &Caller, manifest: &ManifestName) -> Result<Visibility, TableError> {
        let all = ["admin:tokens", "admin:users", "admin:roles"].iter().all(|permission| caller.has(permission));
        Ok(Visibility { all, manifest: manifest.clone(), grant: self.grant_of(manifest).await? })
    }

    /// Demands that a caller may change a token as `wanted` says. `old` is `None` when it is made now.
    pub(in crate::service) async fn admit(
        &self,
        caller: &Caller,
        old: Option<&Token>,
        new: &Token,
        wanted: Gain,
    ) -> Result<(), AdmitError> {
        if caller.is_operator() {
            return Ok(());
        }
        // What a manifest may grant is its grant's to say, not its job's own permissions.
        let manifest = new.managed_by.as_ref().filter(|manifest| caller.runs(manifest));
        let personal = self.admit_person(caller, old, new, wanted).await;
        let (Err(AdmitError::Denied(denied)), Some(manifest)) = (&personal, manifest) else { return personal };
        tracing::debug!(%denied, "not by the caller's own rights");
        self.admit_manifest(manifest, new).await
    }

    async fn admit_person(
        &self,
        caller: &Caller,
        old: Option<&Token>,
        new: &Token,
        wanted: Gain,
    ) -> Result<(), AdmitError> {
        caller.may_change(&new.user)?;
        if wanted == Gain::Nothing {
            return Ok(());
        }
        let permissions = self.permissions_of(&new.roles).await?;
        let now = self.now();
        match old.filter(|_| wanted == Gain::Difference) {
            None => caller.contains(new, &permissions, now)?,
            Some(old) => {
                let before = self.permissions_of(&old.roles).await?;
                caller.contains_growth((old, new), (&before, &permissions), now)?;
            }
        }
        Ok(())
    }

    async fn admit_manifest(&self, manifest: &ManifestName, token: &Token) -> Result<(), AdmitError> {
        let grant = self.grant_of(manifest).await?;
        let user = self.user(&token.user).await?;
        grant.names_user(manifest, &token.user, user.as_ref())?;
        for role in &token.roles {
            let defined = self.role(role).await?;
            grant.names_role(manifest, role, defined.as_ref().and_then(|role| role.managed_by.as_ref()))?;
        }
        grant.covers(manifest, &self.permissions_of(&token.roles).await?)?;
        Ok(())
    }

    /// Demands that a caller may learn of a user's tokens, or may take one into a manifest that it runs.
    pub(in crate::service) async fn may_reach(
        &self,
        caller: &Caller,
        user: &UserName,
        manifest: Option<&ManifestName>,
    ) -> Result<(), AdmitError> {
        let personal = caller.may_see(user);
        let (Err(_), Some(manifest)) = (&personal, manifest.filter(|manifest| caller.runs(manifest))) else {
            return Ok(personal?);
        };
        let found = self.user(user).await?;
        Ok(self.grant_of(manifest).await?.names_user(manifest, user, found.as_ref())?)
    }
}
