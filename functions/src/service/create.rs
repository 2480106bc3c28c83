//! Creating a token.

use std::collections::BTreeMap;

use ipnet::IpNet;
use jiff::Timestamp;

use super::notices::News;
use super::rights::{AdmitError, Gain};
use super::verify::{SWEPT, Verification};
use super::{Caller, Denied, Event, Issued, RACE_RETRIES, Service};
use crate::bounds::{BoundsError, check_description, check_labels, check_places, check_verification};
use crate::entropy::EntropyError;
use crate::event::EventKind;
use crate::lifetime::{Contradiction, Seconds, Terms};
use crate::name::{ManifestName, RoleName, TokenName, UserName};
use crate::notice::NoticeKind;
use crate::place::Place;
use crate::protocol::VersionError;
use crate::secret::{Secret, TokenId};
use crate::table::{
    Condition, TableError, TransactError, Transaction, Update, Write, count, encode, encode_token, keys, with_key,
};
use crate::token::{Token, TokenKey};
use crate::user::User;

/// The index of one write more in the transaction that makes a token.
const ALSO: usize = 4;

/// A token to create.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// Whose, and its name.
    pub key: TokenKey,
    /// What it is for.
    pub description: Option<String>,
    /// Its roles; all that the user has at this moment when `None`.
    pub roles: Option<Vec<RoleName>>,
    /// Free labels.
    pub labels: BTreeMap<String, String>,
    /// Where it may be used from; everywhere when empty.
    pub allowed_ips: Vec<IpNet>,
    /// How long it lives.
    pub life: Life,
    /// Where its secret goes.
    pub places: Vec<Place>,
}

impl NewToken {
    /// A token with all roles of its user, and nothing else that it need not have.
    pub fn new(key: TokenKey, life: Life) -> Self {
        let (description, roles, labels) = (None, None, BTreeMap::new());
        Self { key, description, roles, labels, allowed_ips: Vec::new(), life, places: Vec::new() }
    }
}

/// How long a token lives.
#[derive(Debug, Clone)]
pub enum Life {
    /// Until an instant; the policy's default when `None`. Its secret is current at once.
    Until(Option<Timestamp>),
    /// As long as a manifest declares it: its versions come and go. The first one is staged.
    Managed {
        /// The manifest.
        manifest: ManifestName,
        /// The durations.
        terms: Terms,
    },
}

/// Why no token was created.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CreateError {
    /// The user's active tokens have the name already.
    #[error("`{user}` already has an active token `{name}`")]
    NameTaken {
        /// Whose.
        user: UserName,
        /// Which.
        name: TokenName,
        /// The manifest that declares it, if one does.
        managed_by: Option<ManifestName>,
    },
    /// The user's quota is used up.
    #[error("`{user}` has {active} active tokens, and the limit is {max}")]
    LimitReached {
        /// Whose.
        user: UserName,
        /// How many there are.
        active: u32,
        /// How many there may be.
        max: u32,
    },
    /// There is no such user.
    #[error("there is no user `{0}`")]
    NoSuchUser(UserName),
    /// The user is suspended.
    #[error("the user `{0}` is suspended")]
    Suspended(UserName),
    /// Roles that the user does not have.
    #[error("`{user}` does not have the role {}", list(roles))]
    RoleNotHeld {
        /// Whose.
        user: UserName,
        /// Which.
        roles: Vec<RoleName>,
    },
    /// The expiry is in the past.
    #[error("the expiry is in the past: {0:.0}")]
    ExpiryInPast(Timestamp),
    /// The expiry is later than policy allows.
    #[error("the expiry is more than {max} from now, which policy does not allow")]
    ExpiryTooLate {
        /// How long a token may live.
        max: Seconds,
        /// The latest expiry now.
        until: Timestamp,
    },
    /// The name is longer than policy allows.
    #[error("the name is longer than the {0} characters that policy allows")]
    NameTooLong(usize),
    /// Too many or too long.
    #[error(transparent)]
    Bounds(#[from] BoundsError),
    /// The durations contradict each other.
    #[error(transparent)]
    Terms(#[from] Contradiction),
    /// What no manifest may grant.
    #[error("no manifest may grant `{0}`")]
    NotByManifest(String),
    /// Too many places.
    #[error(transparent)]
    Places(#[from] VersionError),
    /// The caller is not allowed to.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// No randomness.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// The table.
    #[error(transparent)]
    Table(#[from] TableError),
}

impl CreateError {
    pub(super) fn name_taken(key: &TokenKey, managed_by: Option<ManifestName>) -> Self {
        Self::NameTaken { user: key.user.clone(), name: key.name.clone(), managed_by }
    }
}

impl From<AdmitError> for CreateError {
    fn from(error: AdmitError) -> Self {
        match error {
            AdmitError::Denied(denied) => denied.into(),
            AdmitError::Table(error) => error.into(),
        }
    }
}

fn list(roles: &[RoleName]) -> String {
    roles.iter().map(|role| format!("`{role}`")).collect::<Vec<_>>().join(", ")
}

impl Service {
    /// Creates a token and its first secret, in one transaction with its user's count.
    ///
    /// # Errors
    /// See [`CreateError`]; nothing was created then.
    pub async fn create(&self, caller: &Caller, new: NewToken) -> Result<Issued, CreateError> {
        self.create_with(caller, new, None, None).await
    }

    /// The same with an id of the caller's choice, and one write more in its transaction: when that one is refused, so
    /// is the rest, and the answer is [`TableError::Busy`] as long as the caller does not find out why.
    pub(super) async fn create_with(
        &self,
        caller: &Caller,
        new: NewToken,
        id: Option<TokenId>,
        also: Option<&Write>,
    ) -> Result<Issued, CreateError> {
        let manifest = match &new.life {
            Life::Managed { manifest, .. } => Some(manifest),
            Life::Until(_) => None,
        };
        // Before anything is told about the user.
        let personal = caller.may_change(&new.key.user);
        match manifest {
            Some(manifest) if caller.runs(manifest) => {
                if personal.is_err() {
                    let user = self.user(&new.key.user).await?;
                    self.grant_of(manifest).await?.names_user(manifest, &new.key.user, user.as_ref())?;
                }
            }
            manifest => {
                personal?;
                manifest.map_or(Ok(()), |manifest| caller.may_join(manifest))?;
            }
        }
        new.description.as_deref().map_or(Ok(()), check_description)?;
        check_labels(&new.labels)?;
        check_places(&new.places)?;
        self.check_length(&new.key.name)?;
        self.check_clock().await?;
        for race in 0..RACE_RETRIES {
            let user = self.user(&new.key.user).await?;
            let user = user.ok_or_else(|| CreateError::NoSuchUser(new.key.user.clone()))?;
            if user.suspended {
                return Err(CreateError::Suspended(user.name));
            }
            let roles = self.roles_for(&user, new.roles.as_deref())?;
            check_verification(&new.key, &roles, &new.allowed_ips)?;
            if let Life::Managed { terms, .. } = &new.life {
                self.check_managed(&roles, *terms, !new.places.is_empty()).await?;
            }
            let (token, secret) = self.build(caller, &new, id.clone(), roles)?;
            self.admit(caller, None, &token, Gain::Version).await?;
            match self.insert(caller, &token, &user, also).await {
                Ok(()) => return Ok(Issued { number: token.highest, token, secret }),
                Err(TransactError::Table(error)) => return Err(error.into()),
                Err(TransactError::Cancelled(failed)) if also.is_some() && failed.includes(ALSO) => {
                    return Err(TableError::Busy("another request was faster".to_owned()).into());
                }
                Err(TransactError::Cancelled(_)) => {
                    self.make_room(&new.key).await?;
                    self.table.pause_after_race(race).await;
                }
            }
        }
        Err(TableError::Busy("other requests are changing the same user".to_owned()).into())
    }

    fn build(
        &self,
        caller: &Caller,
        new: &NewToken,
        id: Option<TokenId>,
        roles: Vec<RoleName>,
    ) -> Result<(Token, Secret), CreateError> {
        let now = self.now();
        let id = id.map_or_else(|| TokenId::mint(&*self.entropy), Ok)?;
        let secret = Secret::mint(&self.policy().prefix, &id, &*self.entropy)?;
        let (expires_at, managed_by, terms) = match &new.life {
            Life::Until(wanted) => {
                let mut end = self.check_expiry(*wanted, now)?;
                if let (None, Some(last)) = (wanted, caller.ends()) {
                    // Whoever names no expiry gets the longest that the caller may give.
                    end = end.min(last);
                }
                (Some(end), None, None)
            }
            Life::Managed { manifest, terms } => (None, Some(manifest.clone()), Some(*terms)),
        };
        let mut token = Token::new(id, new.key.clone(), &caller.actor, now);
        token.description.clone_from(&new.description);
        token.roles = roles;
        token.labels.clone_from(&new.labels);
        token.allowed_ips.clone_from(&new.allowed_ips);
        (token.expires_at, token.managed_by, token.terms) = (expires_at, managed_by, terms);
        token.declare_places(&new.places)?;
        token.stage(secret.digest(), now)?;
        if matches!(new.life, Life::Until(_)) {
            token.promote(1, now)?;
        }
        Ok((token, secret))
    }

    async fn insert(
        &self,
        caller: &Caller,
        token: &Token,
        user: &User,
        also: Option<&Write>,
    ) -> Result<(), TransactError> {
        let mut transaction = Transaction::default();
        let key = keys::token(&token.key());
        transaction.add(Write::new_item(with_key(encode_token(token)?, &key)));
        let key = keys::verification(&token.id);
        let mut item = with_key(encode(&Verification::of(token))?, &key);
        item.insert(SWEPT.to_owned(), count(user.revision));
        Verification::set_person(&mut item, user);
        transaction.add(Write::new_item(item));
        let max = user.max_tokens.unwrap_or(self.policy().max_tokens);
        let mut update = Update::default();
        update.add("active", 1);
        let condition = Condition::at_revision(user.revision).and(Condition::below("active", count(max)));
        transaction.add(Write::Update { key: keys::user(&token.user), update, condition });
        let event = Event::on_token(caller, EventKind::TokenCreate, token, token.created);
        let news = News::of(NoticeKind::Created, token, Some(token.highest));
        transaction.add(self.event_with(&event, Some(&news))?);
        also.cloned().map(|write| transaction.add(write));
        self.table.transact(transaction).await
    }
}
