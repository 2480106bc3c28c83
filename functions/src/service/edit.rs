//! Editing a token: everything but its secret.

use std::collections::BTreeMap;

use ipnet::IpNet;
use jiff::Timestamp;

use super::allowed::refuse_for_manifests;
use super::change::Precondition;
use super::rights::Gain;
use super::{Caller, ChangeError, CreateError, RACE_RETRIES, Service};
use crate::bounds::{BoundsError, check_description, check_labels, check_places, check_verification};
use crate::event::EventKind;
use crate::lifetime::Terms;
use crate::moving::{MoveError, Moving, Owner};
use crate::name::{ManifestName, RoleName, TokenName};
use crate::place::{Place, PlaceId};
use crate::protocol::VersionError;
use crate::role::Permissions;
use crate::secret::TokenId;
use crate::table::TableError;
use crate::token::{Token, TokenKey, TokenState};
use crate::user::User;

/// What is to change; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct Edit {
    /// A new name.
    pub name: Option<TokenName>,
    /// A new description; an empty one removes it.
    pub description: Option<String>,
    /// Other roles, which the user must have.
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
    /// A place that no longer contains anything of the token.
    pub forget: Option<Forget>,
    /// The manifest that declares the token from now on.
    pub managed_by: Option<ManifestName>,
    /// Whether it moves from one manifest to another.
    pub moving: Moving,
    /// Whether it leaves, as its manifest no longer declares it.
    pub leaving: Option<bool>,
}

impl Edit {
    /// Whether it changes what a run of the manifest goes by.
    fn steers_runs(&self) -> bool {
        let recorded = self.places.is_some() || self.forget.is_some() || self.leaving.is_some();
        recorded || self.terms.is_some() || self.name.is_some()
    }

    /// Whether what is recorded depends on the time.
    fn goes_by_time(&self) -> bool {
        let forgets = self.forget.as_ref().is_some_and(|forget| forget.looked_at.is_some());
        self.expires_at.is_some() || self.leaving == Some(true) || forgets
    }
}

/// A place to be dropped from a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forget {
    /// Which.
    pub place: PlaceId,
    /// When the look began that found nothing of the token there, at most 5 minutes ago; without one a person says so.
    pub looked_at: Option<Timestamp>,
}

/// Why a token was not edited.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// A rule that creating knows too.
    #[error(transparent)]
    Create(#[from] CreateError),
    /// A rule about places.
    #[error(transparent)]
    Places(#[from] VersionError),
    /// An expiry for a managed token.
    #[error("the token is managed by `{0}`: its versions expire by the durations in the manifest")]
    Managed(ManifestName),
    /// One without the other.
    #[error("only tokens that a manifest declares have durations, and they have to")]
    DurationsAndManifest,
    /// Places for a token that nobody pushes.
    #[error("only a token that a manifest declares has places")]
    PlacesWithoutManifest,
    /// It belongs to another manifest.
    #[error("the token belongs to the manifest `{0}`")]
    OtherManifest(ManifestName),
    /// It does not move.
    #[error("the token does not move: {0}")]
    Moving(MoveError),
}

impl From<MoveError> for EditError {
    fn from(error: MoveError) -> Self {
        match error {
            MoveError::OtherManifest(owner) => Self::OtherManifest(owner),
            error => Self::Moving(error),
        }
    }
}

impl From<BoundsError> for EditError {
    fn from(error: BoundsError) -> Self {
        Self::Create(error.into())
    }
}

impl Service {
    /// Changes a token. With `revision`, only if it still is at it.
    ///
    /// # Errors
    /// See [`EditError`] and [`ChangeError`].
    pub async fn edit(
        &self,
        caller: &Caller,
        key: &TokenKey,
        id: Option<&TokenId>,
        revision: Option<u64>,
        edit: &Edit,
    ) -> Result<Token, ChangeError<EditError>> {
        let create = |error: CreateError| match error {
            CreateError::Table(error) => ChangeError::Table(error),
            error => ChangeError::Rule(EditError::Create(error)),
        };
        if !caller.is_operator() {
            // What follows tells about the user and the user's other tokens.
            let token = self.load(key).await?;
            self.may_touch(caller, &key.user, token.as_ref(), edit.managed_by.as_ref()).await?;
            let joins = edit
                .managed_by
                .as_ref()
                .filter(|wanted| token.as_ref().is_some_and(|token| token.managed_by.as_ref() != Some(*wanted)));
            if let Some(manifest) = joins {
                caller.may_join(manifest)?;
            }
            let owner = token.as_ref().and_then(|token| token.managed_by.as_ref());
            if let Some(manifest) = edit.managed_by.as_ref().or(owner).filter(|_| edit.steers_runs()) {
                caller.may_join(manifest)?;
            }
        }
        if edit.goes_by_time() {
            self.check_clock().await?;
        }
        let renamed = edit.name.as_ref().filter(|new| **new != key.name);
        for race in 0..RACE_RETRIES {
            // What depends on the user is checked together with the user: a sweep must neither miss the token under
            // its new name nor be undone by roles that the user had a moment ago.
            let mut owner = None;
            if renamed.is_some() || edit.roles.is_some() {
                let found = self.user(&key.user).await?;
                owner = Some(found.ok_or_else(|| create(CreateError::NoSuchUser(key.user.clone())))?);
            }
            if let Some(new) = renamed {
                self.check_length(new).map_err(create)?;
                self.free_name(&TokenKey::new(key.user.clone(), new.clone())).await.map_err(create)?;
            }
            let mut roles = None;
            if let (Some(owner), Some(wanted)) = (&owner, &edit.roles) {
                roles = Some(self.roles_for(owner, Some(wanted)).map_err(create)?);
            }
            let grants = edit.roles.is_some() || edit.managed_by.is_some();
            let defined = if grants { Some(self.defined(key, roles.as_deref()).await?) } else { None };
            let manifest = edit.managed_by.as_ref();
            let wanted = Gain::Difference;
            let guard = Precondition { id, revision, wanted, manifest, owner: owner.as_ref(), by_run: false };
            let edited = self
                .change_once(caller, key, guard, edit.kind(), |token| {
                    caller
                        .may_agree(token.managed_by.as_ref(), &edit.moving, "admin:tokens")
                        .map_err(CreateError::Denied)?;
                    let detail = apply(self, token, edit, roles)?;
                    if let Some(owner) = &owner {
                        token.roles.retain(|role| owner.roles.contains(role));
                    }
                    if let (Some(defined), true) = (&defined, token.managed_by.is_some()) {
                        let mut handed_out = Permissions::default();
                        for role in &token.roles {
                            // The token's roles changed since they were read.
                            let raced = || TableError::Busy("another request changed the same token".to_owned());
                            handed_out.extend(defined.get(role).ok_or_else(|| CreateError::Table(raced()))?);
                        }
                        refuse_for_manifests(&handed_out)?;
                    }
                    Ok::<_, EditError>(((), detail))
                })
                .await?;
            if let Some((token, ())) = edited {
                return Ok(token);
            }
            self.table.pause_after_race(race).await;
        }
        Err(TableError::Busy("other requests are changing the same token".to_owned()).into())
    }

    /// What the roles of a token allow that it has, or is to have.
    async fn defined(
        &self,
        key: &TokenKey,
        roles: Option<&[RoleName]>,
    ) -> Result<BTreeMap<RoleName, Permissions>, TableError> {
        match roles {
            Some(roles) => self.permissions_by_role(roles).await,
            None => self.permissions_by_role(&self.load(key).await?.map(|token| token.roles).unwrap_or_default()).await,
        }
    }

    async fn free_name(&self, key: &TokenKey) -> Result<(), CreateError> {
        let Some(holder) = self.load(key).await? else { return Ok(()) };
        if holder.state(self.now()) == TokenState::Expired {
            self.check_clock().await?;
            self.move_expired(&holder).await?;
            return Ok(());
        }
        Err(CreateError::name_taken(key, holder.managed_by))
    }

    /// Drops from a token the roles that its user has lost; false when one of the two changed meanwhile.
    pub(super) async fn drop_roles(&self, caller: &Caller, token: &Token, owner: &User) -> Result<bool, TableError> {
        let guard = Precondition { id: Some(&token.id), owner: Some(owner), ..Precondition::default() };
        let dropped = self
            .change_once(&caller.trusted(), &token.key(), guard, EventKind::TokenRoles, |token| {
                token.roles.retain(|role| owner.roles.contains(role));
                Ok::<_, std::convert::Infallible>(((), "the user lost a role".to_owned()))
            })
            .await;
        match dropped {
            Ok(dropped) => Ok(dropped.is_some()),
            Err(ChangeError::Table(error)) => Err(error),
            // Ended or renamed meanwhile: a rename drops such roles itself.
            Err(_) => Ok(true),
        }
    }
}

impl Edit {
    /// What its event is called.
    fn kind(&self) -> EventKind {
        match self.moving {
            Moving { from: Some(_), .. } => EventKind::TokenMove,
            Moving { to: Some(_), .. } => EventKind::TokenAgree,
            Moving { from: None, to: None, .. } => EventKind::TokenEdit,
        }
    }
}

fn owner(token: &mut Token) -> Owner<'_> {
    Owner { managed_by: &mut token.managed_by, moved_to: &mut token.moved_to }
}

fn apply(service: &Service, token: &mut Token, edit: &Edit, roles: Option<Vec<RoleName>>) -> Result<String, EditError> {
    let mut changed: Vec<String> = Vec::new();
    if let Some(manifest) = &edit.managed_by {
        let from = token.managed_by.clone().filter(|owner| owner != manifest);
        owner(token).change(Some(manifest), &Moving { to: None, ..edit.moving.clone() })?;
        // From here on versions expire, not the token.
        if let Some(end) = token.expires_at.take() {
            for version in &mut token.versions {
                version.expiry = Some(version.expiry.map_or(end, |expiry| expiry.min(end)));
            }
        }
        changed.push(from.map_or("managed_by".to_owned(), |from| format!("moved from `{from}` to `{manifest}`")));
    }
    if let Some(to) = &edit.moving.to {
        owner(token).change(None, &edit.moving)?;
        changed.push(format!("moved_to {}", to.as_ref().map_or("none", ManifestName::as_str)));
    }
    if let Some(name) = &edit.name {
        token.name = name.clone();
        changed.push("name".to_owned());
    }
    if let Some(description) = &edit.description {
        token.description = Some(description.clone()).filter(|text| !text.is_empty());
        changed.push("description".to_owned());
    }
    if let Some(roles) = roles {
        token.roles = roles;
        changed.push("roles".to_owned());
    }
    if let Some(labels) = &edit.labels {
        token.labels = labels.clone();
        changed.push("labels".to_owned());
    }
    if let Some(networks) = &edit.allowed_ips {
        token.allowed_ips.clone_from(networks);
        changed.push("allowed_ips".to_owned());
    }
    if let Some(expiry) = edit.expires_at {
        if let Some(manifest) = &token.managed_by {
            return Err(EditError::Managed(manifest.clone()));
        }
        token.expires_at = Some(service.check_expiry(Some(expiry), service.now())?);
        changed.push("expires_at".to_owned());
    }
    if let Some(terms) = edit.terms {
        token.terms = Some(terms);
        changed.push("durations".to_owned());
    }
    if token.terms.is_some() != token.managed_by.is_some() {
        return Err(EditError::DurationsAndManifest);
    }
    if let Some(places) = &edit.places {
        check_places(places)?;
        if token.managed_by.is_none() && !places.is_empty() {
            return Err(EditError::PlacesWithoutManifest);
        }
        token.declare_places(places)?;
        changed.push("places".to_owned());
    }
    if let Some(terms) = token.terms.filter(|_| edit.terms.is_some() || edit.places.is_some()) {
        service.check_life(terms)?;
        let has_places = token.places.values().any(|record| record.declared);
        terms.contradiction(has_places).map_or(Ok(()), |contradiction| Err(CreateError::Terms(contradiction)))?;
    }
    if let Some(Forget { place, looked_at }) = &edit.forget {
        token.forget_place(place, *looked_at, service.now())?;
        changed.push("places".to_owned());
    }
    if let Some(leaving) = edit.leaving {
        let now = service.now();
        // Times that a clock ahead has recorded would make it stay for ever.
        token.rewrite_future(now);
        token.leaving = leaving.then(|| token.leaving.unwrap_or(now));
        changed.push("leaving".to_owned());
    }
    token.description.as_deref().map_or(Ok(()), check_description)?;
    check_labels(&token.labels)?;
    check_verification(&token.key(), &token.roles, &token.allowed_ips)?;
    Ok(changed.join(" "))
}
