//! What a token may be, whoever creates or changes it: what the deployment's policy allows, which roles its user can
//! give it, and what no manifest grants.

use jiff::Timestamp;

use super::{CreateError, Service};
use crate::bounds::check_roles;
use crate::lifetime::{Seconds, Terms};
use crate::name::{RoleName, TokenName};
use crate::role::{Permission, Permissions};
use crate::user::User;

/// Never by manifest: `admin:*`, `manifests:*`, and `*` as a resource.
pub(super) fn refuse_for_manifests(permissions: &Permissions) -> Result<(), CreateError> {
    not_by_manifest(permissions).map_or(Ok(()), |permission| Err(CreateError::NotByManifest(permission.to_string())))
}

/// The first permission that no manifest may grant.
pub(super) fn not_by_manifest(permissions: &Permissions) -> Option<&Permission> {
    permissions
        .iter()
        .find(|permission| matches!(permission.resource(), "*" | "admin" | "manifests" | "manifests-read"))
}

impl Service {
    /// Whether policy allows a name so long.
    pub(super) fn check_length(&self, name: &TokenName) -> Result<(), CreateError> {
        let most = self.policy().name_max;
        if name.as_str().len() > most { Err(CreateError::NameTooLong(most)) } else { Ok(()) }
    }

    /// What an expiry may be: in the future, and no later than policy allows.
    pub(super) fn check_expiry(&self, wanted: Option<Timestamp>, now: Timestamp) -> Result<Timestamp, CreateError> {
        let expiry = wanted.unwrap_or_else(|| self.policy().expiry_default.after(now));
        let max = self.policy().expiry_max;
        if expiry <= now {
            return Err(CreateError::ExpiryInPast(expiry));
        }
        let until = max.after(now);
        // A date means the end of its day, so the last allowed day counts whole.
        let is_date = expiry.as_millisecond().rem_euclid(86_400_000) == 0;
        let latest = if is_date { Seconds::days(1).after(until) } else { until };
        if expiry > latest { Err(CreateError::ExpiryTooLate { max, until }) } else { Ok(expiry) }
    }

    /// The roles of a token: those asked for, which the user must hold, or all that the user has.
    #[expect(clippy::unused_self, reason = "reads as the rule of this service that it is")]
    pub(super) fn roles_for(&self, user: &User, wanted: Option<&[RoleName]>) -> Result<Vec<RoleName>, CreateError> {
        let mut roles = wanted.map_or_else(|| user.roles.clone(), <[RoleName]>::to_vec);
        roles.sort();
        roles.dedup();
        let missing: Vec<RoleName> = roles.iter().filter(|role| !user.roles.contains(role)).cloned().collect();
        if !missing.is_empty() {
            return Err(CreateError::RoleNotHeld { user: user.name.clone(), roles: missing });
        }
        check_roles(&roles)?;
        Ok(roles)
    }

    /// Whether policy allows versions that live so long.
    pub(super) fn check_life(&self, terms: Terms) -> Result<(), CreateError> {
        let max = self.policy().expiry_max;
        if terms.expires_in > max {
            return Err(CreateError::ExpiryTooLate { max, until: max.after(self.now()) });
        }
        Ok(())
    }

    /// What holds for every token of a manifest, whoever applies it.
    pub(super) async fn check_managed(
        &self,
        roles: &[RoleName],
        terms: Terms,
        has_places: bool,
    ) -> Result<(), CreateError> {
        if let Some(contradiction) = terms.contradiction(has_places) {
            return Err(contradiction.into());
        }
        self.check_life(terms)?;
        refuse_for_manifests(&self.permissions_of(roles).await?)
    }
}
