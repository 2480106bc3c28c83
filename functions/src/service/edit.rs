//! Editing a token: everything but its secret.

use std::collections::BTreeMap;

use ipnet::IpNet;
use jiff::Timestamp;

use super::create::{CreateError, check_text, check_verification};
use super::{Caller, ChangeError, Service};
use crate::lifetime::Terms;
use crate::name::{ManifestName, RoleName, TokenName, UserName};
use crate::place::{Place, PlaceId};
use crate::secret::TokenId;
use crate::table::TableError;
use crate::token::Token;
use crate::version::VersionError;

/// What is to change; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct Edit {
    /// A new name.
    pub name: Option<TokenName>,
    /// A new description; an empty one removes it.
    pub description: Option<String>,
    /// Other roles, which the user must hold.
    pub roles: Option<Vec<RoleName>>,
    /// Other labels.
    pub labels: Option<BTreeMap<String, String>>,
    /// Other allowed networks.
    pub allowed_ips: Option<Vec<IpNet>>,
    /// Another expiry, for a token that is not managed.
    pub expires_at: Option<Timestamp>,
    /// Other durations, for a managed token.
    pub terms: Option<Terms>,
    /// The places that are declared now.
    pub places: Option<Vec<Place>>,
    /// A place that holds nothing of the token any more.
    pub forget: Option<PlaceId>,
    /// The manifest that declares the token from now on.
    pub managed_by: Option<ManifestName>,
    /// Whether it leaves with its manifest's declaration.
    pub leaving: Option<bool>,
}

/// Why a token was not edited.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// A rule that creating knows too.
    #[error(transparent)]
    Create(#[from] CreateError),
    /// A rule about places.
    #[error(transparent)]
    Places(#[from] VersionError),
    /// An expiry for a managed token.
    #[error("the token is managed by `{0}`: its versions expire by its durations")]
    Managed(ManifestName),
    /// It belongs to another manifest.
    #[error("the token belongs to the manifest `{0}`")]
    OtherManifest(ManifestName),
}

impl Service {
    /// Changes a token. With `revision`, only if it still is at it.
    ///
    /// # Errors
    /// See [`EditError`] and [`ChangeError`].
    pub async fn edit(
        &self,
        caller: &Caller,
        (user, name): (&UserName, &TokenName),
        id: Option<&TokenId>,
        revision: Option<u64>,
        edit: &Edit,
    ) -> Result<Token, ChangeError<EditError>> {
        let rule = |error: CreateError| ChangeError::Rule(EditError::Create(error));
        let roles = self.roles_wanted(user, edit).await.map_err(|error| match error {
            CreateError::Table(error) => ChangeError::Table(error),
            error => rule(error),
        })?;
        if let Some(wanted) = revision {
            let missing = || ChangeError::NoSuchToken { user: user.clone(), name: name.clone() };
            let found = self.load(user, name).await?.ok_or_else(missing)?.revision;
            if found != wanted {
                return Err(ChangeError::Revision { wanted, found });
            }
        }
        if let Some(new) = edit.name.as_ref().filter(|new| *new != name) {
            self.free_name(user, new).await.map_err(|error| match error {
                CreateError::Table(error) => ChangeError::Table(error),
                error => rule(error),
            })?;
        }
        let edited = self
            .change(caller, (user, name), id, "token.edit", |token| {
                apply(self, token, edit, roles.clone()).map(|detail| ((), detail))
            })
            .await?;
        Ok(edited.0)
    }

    async fn roles_wanted(&self, user: &UserName, edit: &Edit) -> Result<Option<Vec<RoleName>>, CreateError> {
        let Some(wanted) = &edit.roles else { return Ok(None) };
        let user = self.user(user).await?.ok_or_else(|| CreateError::NoSuchUser(user.clone()))?;
        self.roles_for(&user, Some(wanted)).map(Some)
    }

    async fn free_name(&self, user: &UserName, name: &TokenName) -> Result<(), CreateError> {
        let Some(holder) = self.load(user, name).await? else { return Ok(()) };
        if holder.state(self.now()) == crate::token::TokenState::Expired {
            self.move_expired(&holder).await?;
            return Ok(());
        }
        let (user, name) = (user.clone(), name.clone());
        Err(CreateError::NameTaken { user, name, managed_by: holder.managed_by })
    }

    /// Drops a role from a token, when its user has lost it.
    pub(super) async fn drop_roles(&self, caller: &Caller, token: &Token, kept: &[RoleName]) -> Result<(), TableError> {
        let key = (&token.user, &token.name);
        let dropped = self
            .change(caller, key, Some(&token.id), "token.roles", |token| {
                token.roles.retain(|role| kept.contains(role));
                Ok::<_, std::convert::Infallible>(((), "the user lost a role".to_owned()))
            })
            .await;
        match dropped {
            Err(ChangeError::Table(error)) => Err(error),
            // Ended or replaced meanwhile: nothing is left to drop it from.
            _ => Ok(()),
        }
    }
}

fn apply(service: &Service, token: &mut Token, edit: &Edit, roles: Option<Vec<RoleName>>) -> Result<String, EditError> {
    let mut changed: Vec<&str> = Vec::new();
    if let Some(manifest) = &edit.managed_by {
        if let Some(other) = token.managed_by.as_ref().filter(|other| *other != manifest) {
            return Err(EditError::OtherManifest(other.clone()));
        }
        token.managed_by = Some(manifest.clone());
        // From here on versions expire, not the token.
        if let (Some(end), Some(current)) = (token.expires_at.take(), position_of_current(token)) {
            token.versions[current].expiry = Some(end);
        }
        changed.push("managed_by");
    }
    if let Some(name) = &edit.name {
        token.name = name.clone();
        changed.push("name");
    }
    if let Some(description) = &edit.description {
        token.description = Some(description.clone()).filter(|text| !text.is_empty());
        changed.push("description");
    }
    if let Some(roles) = roles {
        token.roles = roles;
        changed.push("roles");
    }
    if let Some(labels) = &edit.labels {
        token.labels = labels.clone();
        changed.push("labels");
    }
    if let Some(networks) = &edit.allowed_ips {
        token.allowed_ips.clone_from(networks);
        changed.push("allowed_ips");
    }
    if let Some(expiry) = edit.expires_at {
        if let Some(manifest) = &token.managed_by {
            return Err(EditError::Managed(manifest.clone()));
        }
        token.expires_at = Some(service.check_expiry(Some(expiry), service.now())?);
        changed.push("expires_at");
    }
    if let Some(terms) = edit.terms {
        token.terms = Some(terms);
        changed.push("durations");
    }
    if let Some(places) = &edit.places {
        token.declare_places(places)?;
        changed.push("places");
    }
    if let Some(place) = &edit.forget {
        token.forget_place(place, service.now())?;
        changed.push("places");
    }
    if let Some(leaving) = edit.leaving {
        token.leaving = leaving.then(|| token.leaving.unwrap_or_else(|| service.now()));
        changed.push("leaving");
    }
    check_text(token.description.as_deref(), &token.labels)?;
    check_verification(&token.user, &token.name, &token.roles, &token.allowed_ips)?;
    Ok(changed.join(" "))
}

fn position_of_current(token: &Token) -> Option<usize> {
    token.versions.iter().position(|version| version.state == crate::version::VersionState::Current)
}
