//! One way to change a token: load, apply a pure rule, save guarded by the revision, again when somebody was faster.

use super::notices::News;
use super::rights::{AdmitError, Gain};
use super::verify::Verification;
use super::{Caller, Denied, Event, RACE_RETRIES, Service};
use crate::event::EventKind;
use crate::name::{ManifestName, TokenName, UserName};
use crate::notice::NoticeKind;
use crate::secret::TokenId;
use crate::table::{
    Condition, TableError, TransactError, Transaction, Write, decode_token, encode, encode_token, keys,
};
use crate::token::{Token, TokenKey, TokenRef};
use crate::user::User;

/// What has to hold for a change, besides the token being there.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Precondition<'a> {
    /// The id that the caller means.
    pub(super) id: Option<&'a TokenId>,
    /// The revision of the record that the caller read.
    pub(super) revision: Option<u64>,
    /// The manifest that declares the token from now on.
    pub(super) manifest: Option<&'a ManifestName>,
    /// What the change gives to whoever makes it.
    pub(super) wanted: Gain,
    /// Whether only who runs the token's manifest may make it, where it has one.
    pub(super) by_run: bool,
    /// The owner as the change assumes it to be, checked in the transaction.
    pub(super) owner: Option<&'a User>,
}

/// Who may make a change of a token that a manifest declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// Its owner and admins too.
    Anybody,
    /// Who runs the manifest: what its runs go by is theirs to record.
    Run,
}

/// What a change is called in the audit, and what it is for those who are told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Action {
    kind: EventKind,
    news: Option<(NoticeKind, u32)>,
}

impl Action {
    /// One that people are told of: what, and of which version.
    pub(super) fn telling(kind: EventKind, notice: NoticeKind, version: u32) -> Self {
        Self { kind, news: Some((notice, version)) }
    }
}

impl From<EventKind> for Action {
    fn from(kind: EventKind) -> Self {
        Self { kind, news: None }
    }
}

/// Why a token was not changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError<E: std::error::Error + 'static> {
    /// There is no such active token.
    #[error("there is no active token `{user}/{name}`")]
    NoSuchToken {
        /// Whose.
        user: UserName,
        /// Which.
        name: TokenName,
    },
    /// The name has been used again since: this is another token.
    #[error("the token `{name}` was replaced: its id is now {found}, not {wanted}")]
    Replaced {
        /// Which.
        name: TokenName,
        /// The id that the caller meant.
        wanted: TokenId,
        /// The id that the name has now.
        found: TokenId,
    },
    /// The record changed since the caller read it.
    #[error("the token was changed by another request: it is at revision {found}, not {wanted}")]
    Revision {
        /// What the caller read.
        wanted: u64,
        /// What it is.
        found: u64,
    },
    /// The caller is not allowed to.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// A rule refuses.
    #[error(transparent)]
    Rule(E),
    /// The table.
    #[error(transparent)]
    Table(#[from] TableError),
}

impl<E: std::error::Error + 'static> ChangeError<E> {
    pub(super) fn missing(key: &TokenKey) -> Self {
        Self::NoSuchToken { user: key.user.clone(), name: key.name.clone() }
    }

    pub(super) fn replaced(key: &TokenKey, wanted: &TokenId, found: &TokenId) -> Self {
        Self::Replaced { name: key.name.clone(), wanted: wanted.clone(), found: found.clone() }
    }
}

impl<E: std::error::Error + 'static> From<AdmitError> for ChangeError<E> {
    fn from(error: AdmitError) -> Self {
        match error {
            AdmitError::Denied(denied) => Self::Denied(denied),
            AdmitError::Table(error) => Self::Table(error),
        }
    }
}

impl Service {
    /// The active record of a token; expired ones are found too while nothing has moved them.
    pub(super) async fn load(&self, key: &TokenKey) -> Result<Option<Token>, TableError> {
        self.table.get(&keys::token(key)).await?.map(decode_token).transpose()
    }

    /// Applies `rule` to a token and saves it with its verification item and an audit event.
    pub(super) async fn change<T, E: std::error::Error + 'static>(
        &self,
        caller: &Caller,
        token: &TokenRef,
        (wanted, by): (Gain, By),
        action: impl Into<Action>,
        mut rule: impl FnMut(&mut Token) -> Result<(T, String), E>,
    ) -> Result<(Token, T), ChangeError<E>> {
        let guard = Precondition { id: Some(&token.id), wanted, by_run: by == By::Run, ..Precondition::default() };
        let action = action.into();
        for race in 0..RACE_RETRIES {
            if let Some(changed) = self.change_once(caller, &token.key, guard, action, &mut rule).await? {
                return Ok(changed);
            }
            self.table.pause_after_race(race).await;
        }
        Err(TableError::Busy("other requests are changing the same token".to_owned()).into())
    }

    /// Demands that a caller may change a token at all, before anything is told about it or its user.
    pub(super) async fn may_touch(
        &self,
        caller: &Caller,
        user: &UserName,
        token: Option<&Token>,
        manifest: Option<&ManifestName>,
    ) -> Result<(), AdmitError> {
        let managed = token.and_then(|token| token.managed_by.as_ref());
        if managed.is_some_and(|manifest| caller.runs(manifest)) {
            return Ok(());
        }
        self.may_reach(caller, user, manifest).await?;
        if manifest.is_some_and(|manifest| caller.runs(manifest)) { Ok(()) } else { Ok(caller.may_change(user)?) }
    }

    /// The same, tried once: `None` when somebody else was faster.
    pub(super) async fn change_once<T, E: std::error::Error + 'static>(
        &self,
        caller: &Caller,
        key: &TokenKey,
        guard: Precondition<'_>,
        action: impl Into<Action>,
        rule: impl FnOnce(&mut Token) -> Result<(T, String), E>,
    ) -> Result<Option<(Token, T)>, ChangeError<E>> {
        let missing = || ChangeError::missing(key);
        let old = self.load(key).await?;
        self.may_touch(caller, &key.user, old.as_ref(), guard.manifest).await?;
        let old = old.ok_or_else(missing)?;
        if let Some(manifest) = old.managed_by.as_ref().filter(|_| guard.by_run) {
            caller.may_join(manifest)?;
        }
        // What has ended by its own expiry stays ended; a managed token comes back with its next version.
        if old.expires_at.is_some_and(|end| end <= self.now()) {
            return Err(missing());
        }
        if let Some(wanted) = guard.id.filter(|wanted| **wanted != old.id) {
            return Err(ChangeError::replaced(key, wanted, &old.id));
        }
        if let Some(wanted) = guard.revision.filter(|wanted| *wanted != old.revision) {
            return Err(ChangeError::Revision { wanted, found: old.revision });
        }
        let mut new = old.clone();
        let (answer, detail) = rule(&mut new).map_err(ChangeError::Rule)?;
        self.admit(caller, Some(&old), &new, guard.wanted).await?;
        if new == old {
            return Ok(Some((new, answer)));
        }
        new.revision = old.revision + 1;
        let Action { kind, news } = action.into();
        let event = Event::on_token(caller, kind, &old, self.now()).with(detail);
        let news = news.map(|(kind, version)| News::of(kind, &new, Some(version)));
        match self.save((&old, &new), guard.owner, self.event_with(&event, news.as_ref())?).await {
            Ok(()) => Ok(Some((new, answer))),
            Err(TransactError::Cancelled(_)) => Ok(None),
            Err(TransactError::Table(error)) => Err(error.into()),
        }
    }

    /// Writes the difference between two states of a token, its name included, and the event that goes with it.
    async fn save(
        &self,
        (old, new): (&Token, &Token),
        owner: Option<&User>,
        event: Write,
    ) -> Result<(), TransactError> {
        let mut transaction = Transaction::default();
        if let Some(owner) = owner {
            transaction
                .add(Write::Check { key: keys::user(&owner.name), condition: Condition::at_revision(owner.revision) });
        }
        let (was, will) = (encode_token(old)?, encode_token(new)?);
        if old.name == new.name {
            let key = keys::token(&old.key());
            if let Some(mut write) = Write::change(key, &was, &will, old.revision) {
                for gone in old.versions.iter().filter(|version| new.version(version.number).is_none()) {
                    // Uses are noted without touching the revision, and the rule may have rested on there being none.
                    let number = gone.number.to_string();
                    write.also_unused(&number, old.uses.get(&number).map(|used| used.last));
                }
                transaction.add(write);
            }
        } else {
            let key = keys::token(&old.key());
            transaction.add(Write::Delete { key, condition: Condition::at_revision(old.revision) });
            let item = super::with_key(will, &keys::token(&new.key()));
            transaction.add(Write::new_item(item));
        }
        let (was, will) = (encode(&Verification::of(old))?, encode(&Verification::of(new))?);
        if was != will {
            let mut update = crate::table::Update::between(&was, &will);
            if let Some(owner) = owner {
                // A sweep of the owner that listed the former name may miss the new one.
                Verification::set_suspended(&mut update, owner);
            }
            let condition = Condition::exists(keys::PK);
            transaction.add(Write::Update { key: keys::verification(&new.id), update, condition });
        }
        transaction.add(event);
        self.table.transact(transaction).await
    }
}
