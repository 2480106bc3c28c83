//! Who may do what. Every operation that changes something asks here before it writes, and nobody gains: what an
//! operation yields lies within the caller's own permissions, networks and expiry, or within a manifest's grant.

mod admission;
mod moving;
#[cfg(test)]
mod tests;

use ipnet::IpNet;
use jiff::Timestamp;

pub use self::admission::Visibility;
pub(super) use self::admission::{AdmitError, Gain};
use super::{Caller, Valid};
use crate::lifetime::Seconds;
use crate::name::{ManifestName, UserName};
use crate::protocol::STAGED_LIFE;
use crate::role::{Permission, Permissions};
use crate::token::Token;

/// How long a token has to be valid still to widen roles and grants.
const WIDENS_FROM: Seconds = Seconds::days(1);

/// What a caller may do.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Rights {
    /// Whoever can write the table.
    Operator,
    /// What a token allows.
    Token(Box<Holder>),
}

/// The token in a caller's hand.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Holder {
    pub(super) user: UserName,
    pub(super) person: bool,
    pub(super) permissions: Permissions,
    pub(super) allowed_ips: Vec<IpNet>,
    pub(super) expires: Timestamp,
}

/// Why a caller may not do something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Denied {
    /// The caller may not even know whether it is there.
    #[error("not found, or this token is not allowed to see it")]
    Hidden,
    /// A permission is missing.
    #[error("this token lacks the permission `{0}`")]
    Lacks(String),
    /// It would allow what the caller may not do.
    #[error("this would grant {}, which this token does not have", list(.0))]
    Permissions(Vec<String>),
    /// It would be valid from where the caller's token is not.
    #[error(
        "this would be valid from networks that this token is not allowed from; set `allowed_ips` to some of its own"
    )]
    Networks,
    /// It would outlive the caller's token.
    #[error("this would outlive this token, which expires at {0:.0}")]
    Outlives(Timestamp),
    /// It would widen a role or a grant for good, by a token that is bound to networks.
    #[error(
        "this token is bound to `allowed_ips`, and only a token without them is allowed to widen a role or a grant, or to change \
         settings"
    )]
    Bound,
    /// It would widen a role or a grant for good, by a token that ends soon.
    #[error(
        "this token expires at {0:.0}, and only a token that is valid for another day is allowed to widen a role or a grant, or to change settings"
    )]
    Brief(Timestamp),
    /// A manifest's grant does not cover it.
    #[error(
        "the manifest `{manifest}` is not allowed to grant {what}; ask an admin to extend its grant: `provision manifest grant {manifest} --from tokens.toml`"
    )]
    NotGranted {
        /// Which.
        manifest: ManifestName,
        /// What is not within its grant.
        what: String,
    },
}

impl Denied {
    fn lacks(permission: &str) -> Self {
        Self::Lacks(permission.to_owned())
    }
}

pub(super) fn list(permissions: &[String]) -> String {
    permissions.iter().map(|permission| format!("`{permission}`")).collect::<Vec<_>>().join(", ")
}

impl Caller {
    /// Whoever presented a valid secret.
    pub fn token(valid: &Valid, from: Option<std::net::IpAddr>) -> Self {
        let holder = Holder {
            user: valid.user.clone(),
            person: valid.person,
            permissions: valid.permissions.clone(),
            allowed_ips: valid.allowed_ips.clone(),
            expires: valid.expires,
        };
        // A user's name holds no `/`.
        let actor = format!("{}/{}", valid.user, valid.name);
        Self { actor, from, rights: Rights::Token(Box::new(holder)) }
    }

    /// Whether the caller is an operator.
    pub fn is_operator(&self) -> bool {
        self.rights == Rights::Operator
    }

    /// The same for what follows from an operation that was admitted: named in the audit, held back by nothing.
    pub(super) fn trusted(&self) -> Self {
        Self { rights: Rights::Operator, ..self.clone() }
    }

    fn holder(&self) -> Option<&Holder> {
        match &self.rights {
            Rights::Operator => None,
            Rights::Token(holder) => Some(holder),
        }
    }

    /// The user behind the token in hand.
    pub fn user(&self) -> Option<&UserName> {
        self.holder().map(|holder| &holder.user)
    }

    /// Whether the caller has a permission.
    fn has(&self, permission: &str) -> bool {
        let Ok(wanted) = permission.parse::<Permission>() else { return false };
        self.holder().is_none_or(|holder| holder.permissions.hold(&wanted))
    }

    /// Demands a permission.
    pub(super) fn must_have(&self, permission: &str) -> Result<(), Denied> {
        if self.has(permission) { Ok(()) } else { Err(Denied::lacks(permission)) }
    }

    /// Whether the caller runs a manifest: `manifests:<name>`.
    pub(super) fn runs(&self, manifest: &ManifestName) -> bool {
        // A manifest's name may end in `-` or look unlike an action; such a one is run by `manifests:*` only.
        self.has(&format!("manifests:{manifest}")) || self.has("manifests:*")
    }

    /// Demands that the caller runs a manifest; whoever does not may not know of it.
    ///
    /// # Errors
    /// [`Denied::Hidden`].
    pub fn must_run(&self, manifest: &ManifestName) -> Result<(), Denied> {
        if self.runs(manifest) { Ok(()) } else { Err(Denied::Hidden) }
    }

    /// Demands that the caller may read what a plan of a manifest needs: who runs it, and whoever has
    /// `manifests-read:<name>`.
    ///
    /// # Errors
    /// [`Denied::Hidden`].
    pub fn may_plan(&self, manifest: &ManifestName) -> Result<(), Denied> {
        let reads = self.has(&format!("manifests-read:{manifest}")) || self.has("manifests-read:*");
        if reads { Ok(()) } else { self.must_run(manifest) }
    }

    /// Demands that the caller may put a token into a manifest, whose run acts on every token that is in it, or may
    /// change what such a run goes by: who runs the manifest does.
    pub(super) fn may_join(&self, manifest: &ManifestName) -> Result<(), Denied> {
        if self.runs(manifest) { Ok(()) } else { Err(Denied::Lacks(format!("manifests:{manifest}"))) }
    }

    /// Demands that the caller may read what is known of a manifest: its grant is an admin's matter too.
    ///
    /// # Errors
    /// [`Denied::Hidden`].
    pub fn may_read_manifest(&self, manifest: &ManifestName) -> Result<(), Denied> {
        if self.has("admin:roles") { Ok(()) } else { self.may_plan(manifest) }
    }

    /// Demands that the caller may read the tokens of a manifest.
    ///
    /// # Errors
    /// [`Denied::Hidden`].
    pub fn may_read_tokens_of(&self, manifest: &ManifestName) -> Result<(), Denied> {
        if self.has("admin:tokens") { Ok(()) } else { self.may_plan(manifest) }
    }

    /// Demands that the caller may read all roles.
    ///
    /// # Errors
    /// [`Denied::Lacks`].
    pub fn may_read_roles(&self) -> Result<(), Denied> {
        self.must_have("admin:roles")
    }

    /// Demands that the caller may read all users.
    ///
    /// # Errors
    /// [`Denied::Lacks`].
    pub fn may_read_users(&self) -> Result<(), Denied> {
        self.must_have("admin:users")
    }

    /// Demands that the caller may read a user's record: everybody may read their own.
    ///
    /// # Errors
    /// [`Denied::Hidden`].
    pub fn may_read_user(&self, user: &UserName) -> Result<(), Denied> {
        if self.user() == Some(user) || self.has("admin:users") { Ok(()) } else { Err(Denied::Hidden) }
    }

    /// Demands that the caller may read everybody's events.
    ///
    /// # Errors
    /// [`Denied::Lacks`].
    pub fn may_read_events(&self) -> Result<(), Denied> {
        self.must_have("admin:audit")
    }

    /// Demands that the caller may read the deployment's settings, which name who is told of what.
    ///
    /// # Errors
    /// [`Denied::Lacks`].
    pub fn may_read_settings(&self) -> Result<(), Denied> {
        self.must_have("admin:settings")
    }

    /// Demands that the caller may change the deployment's settings: they hold for everybody, and outlive every token.
    pub(super) fn may_change_settings(&self, now: Timestamp) -> Result<(), Denied> {
        self.must_have("admin:settings")?;
        self.may_widen(now)
    }

    /// Demands that the caller may list all manifests: who may read each of them.
    ///
    /// # Errors
    /// [`Denied::Lacks`].
    pub fn may_list_manifests(&self) -> Result<(), Denied> {
        let all = self.has("manifests-read:*") || self.has("manifests:*");
        if all { Ok(()) } else { self.must_have("admin:roles") }
    }

    /// Demands that the caller may ask about others' secrets.
    ///
    /// # Errors
    /// [`Denied::Lacks`].
    pub fn may_introspect(&self) -> Result<(), Denied> {
        self.must_have("tokens:introspect")
    }

    /// Demands that the caller may see a user's tokens: a person's tokens see the person's, those of service users need
    /// `tokens:write`; everybody's with `admin:tokens`.
    ///
    /// # Errors
    /// [`Denied::Hidden`].
    pub fn may_see(&self, user: &UserName) -> Result<(), Denied> {
        let Some(holder) = self.holder() else { return Ok(()) };
        let own = holder.user == *user && (holder.person || self.has("tokens:write"));
        if own || self.has("admin:tokens") { Ok(()) } else { Err(Denied::Hidden) }
    }

    /// Demands that the caller may see everybody's tokens.
    ///
    /// # Errors
    /// [`Denied::Lacks`].
    pub fn may_see_all(&self) -> Result<(), Denied> {
        self.must_have("admin:tokens")
    }

    /// Whether the caller sees what was before a user's name went to somebody else.
    pub fn sees_former(&self) -> bool {
        self.has("admin:tokens") || self.has("admin:audit")
    }

    /// Demands that the caller may read what was done to a user's tokens.
    ///
    /// # Errors
    /// [`Denied::Hidden`].
    pub fn may_audit(&self, user: &UserName) -> Result<(), Denied> {
        if self.has("admin:audit") { Ok(()) } else { self.may_see(user) }
    }

    /// Demands that the caller may create and change a user's tokens.
    ///
    /// # Errors
    /// [`Denied::Hidden`], or [`Denied::Lacks`] for whoever may see them.
    pub fn may_change(&self, user: &UserName) -> Result<(), Denied> {
        self.may_see(user)?;
        let Some(holder) = self.holder() else { return Ok(()) };
        if self.has("admin:tokens") || (holder.user == *user && self.has("tokens:write")) {
            return Ok(());
        }
        Err(Denied::lacks("tokens:write"))
    }

    /// Demands that the caller may end a token: its owner does, and whoever runs its manifest.
    pub(super) fn may_end(&self, user: &UserName, manifest: Option<&ManifestName>) -> Result<(), Denied> {
        if manifest.is_some_and(|manifest| self.runs(manifest)) {
            return Ok(());
        }
        // Every token may end itself; the way to that is by id.
        self.may_see(user)
    }

    /// Demands that permissions lie within the caller's own.
    pub(super) fn covers(&self, permissions: &Permissions) -> Result<(), Denied> {
        let Some(holder) = self.holder() else { return Ok(()) };
        let beyond = beyond(&holder.permissions, permissions);
        if beyond.is_empty() { Ok(()) } else { Err(Denied::Permissions(beyond)) }
    }

    /// Demands that networks lie within the caller's own.
    fn reaches(&self, networks: &[IpNet]) -> Result<(), Denied> {
        let Some(holder) = self.holder() else { return Ok(()) };
        if within(networks, &holder.allowed_ips) { Ok(()) } else { Err(Denied::Networks) }
    }

    /// Demands that an instant is no later than the caller's own end.
    fn outlives(&self, end: Timestamp) -> Result<(), Denied> {
        let Some(holder) = self.holder() else { return Ok(()) };
        if end <= holder.expires { Ok(()) } else { Err(Denied::Outlives(holder.expires)) }
    }

    /// The latest end of what the caller makes, where there is one.
    pub(super) fn ends(&self) -> Option<Timestamp> {
        self.holder().map(|holder| holder.expires)
    }

    /// Demands that all a token yields from now on lies within the caller's own.
    fn contains(&self, token: &Token, permissions: &Permissions, now: Timestamp) -> Result<(), Denied> {
        self.covers(permissions)?;
        self.reaches(&token.allowed_ips)?;
        self.outlives(lasts(token, now))
    }

    /// Demands that a change adds nothing to a token that the caller's own does not contain. Permissions, networks and
    /// life are one box: where any side of it grows, all of what comes out has to lie within.
    fn contains_growth(
        &self,
        (old, new): (&Token, &Token),
        (before, after): (&Permissions, &Permissions),
        now: Timestamp,
    ) -> Result<(), Denied> {
        let grows =
            !before.contain(after) || !within(&new.allowed_ips, &old.allowed_ips) || lasts(new, now) > lasts(old, now);
        if grows { self.contains(new, after, now) } else { Ok(()) }
    }

    /// Demands that the caller may widen what others hold already, a role or a grant: that outlives and leaves the
    /// networks of every token, so a token that is bound to networks, or ends within a day, is no reason to do it.
    pub(super) fn may_widen(&self, now: Timestamp) -> Result<(), Denied> {
        let Some(holder) = self.holder() else { return Ok(()) };
        if !holder.allowed_ips.is_empty() {
            return Err(Denied::Bound);
        }
        if holder.expires < WIDENS_FROM.after(now) { Err(Denied::Brief(holder.expires)) } else { Ok(()) }
    }
}

/// The permissions that `held` does not cover.
pub(super) fn beyond(held: &Permissions, wanted: &Permissions) -> Vec<String> {
    wanted.iter().filter(|permission| !held.hold(permission)).map(ToString::to_string).collect()
}

/// Whether one list of networks lies within another; an empty list is everywhere.
fn within(inner: &[IpNet], outer: &[IpNet]) -> bool {
    let covered = |network: &IpNet| outer.iter().any(|wide| wide.contains(network));
    outer.is_empty() || (!inner.is_empty() && inner.iter().all(covered))
}

/// Until when a version of the token that is staged, announced or promoted now may work.
fn lasts(token: &Token, now: Timestamp) -> Timestamp {
    let by_terms = token.terms.map(|terms| terms.expires_in.max(STAGED_LIFE).after(now));
    match (token.expires_at, by_terms) {
        (Some(end), _) | (None, Some(end)) => end,
        (None, None) => STAGED_LIFE.after(now),
    }
}
