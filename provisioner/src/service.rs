//! The service as the tool sees it: the operations that plans and applies need, with failures told apart by what the
//! tool does about them. Today it is always the service in this process; the caller is the operator.

use std::collections::BTreeMap;

use ipnet::IpNet;
use jiff::Timestamp;
use latchkey::lifetime::Terms;
use latchkey::name::{ManifestName, RoleName, TokenName, UserName};
use latchkey::place::{Place, PlaceId};
use latchkey::role::Permissions;
use latchkey::secret::{Secret, TokenId};
use latchkey::service::{
    Caller, ChangeError, CreateError, Edit, EditError, Life, NewToken, Origin, PublishError, Role, RoleError, Service,
    UserChange, UserError, Valid, Verdict,
};
use latchkey::table::TableError;
use latchkey::token::{Token, TokenState};
use latchkey::user::User;
use latchkey::version::{Look, VersionError};

use crate::deadline::{Deadline, Elapsed, since_boot};

/// Why the service did not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ServiceError {
    /// A rule refuses; asking again gives the same answer.
    #[error("{0}")]
    Refused(String),
    /// A rule of versions refuses.
    #[error("{0}")]
    Version(#[from] VersionError),
    /// The token is gone, or its name belongs to another token by now.
    #[error("{0}")]
    Gone(String),
    /// The service, or its table, did not answer.
    #[error("{0}")]
    Unavailable(String),
}

impl From<TableError> for ServiceError {
    fn from(error: TableError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<ChangeError<VersionError>> for ServiceError {
    fn from(error: ChangeError<VersionError>) -> Self {
        match error {
            ChangeError::Rule(error) => Self::Version(error),
            ChangeError::Table(error) => error.into(),
            ChangeError::Denied(error) => Self::Refused(error.to_string()),
            error => Self::Gone(error.to_string()),
        }
    }
}

impl From<ChangeError<EditError>> for ServiceError {
    fn from(error: ChangeError<EditError>) -> Self {
        match error {
            ChangeError::Rule(EditError::Places(error)) => Self::Version(error),
            ChangeError::Table(error) => error.into(),
            ChangeError::Rule(error) => Self::Refused(error.to_string()),
            ChangeError::Denied(error) => Self::Refused(error.to_string()),
            error => Self::Gone(error.to_string()),
        }
    }
}

impl From<CreateError> for ServiceError {
    fn from(error: CreateError) -> Self {
        match error {
            CreateError::Table(error) => error.into(),
            error => Self::Refused(error.to_string()),
        }
    }
}

impl From<PublishError> for ServiceError {
    fn from(error: PublishError) -> Self {
        match error {
            PublishError::Table(error) => error.into(),
            error => Self::Refused(error.to_string()),
        }
    }
}

impl From<RoleError> for ServiceError {
    fn from(error: RoleError) -> Self {
        match error {
            RoleError::Table(error) => error.into(),
            error => Self::Refused(error.to_string()),
        }
    }
}

impl From<UserError> for ServiceError {
    fn from(error: UserError) -> Self {
        match error {
            UserError::Table(error) => error.into(),
            error => Self::Refused(error.to_string()),
        }
    }
}

/// A token that a manifest declares, to be made.
#[derive(Debug, Clone)]
pub struct DeclaredToken {
    /// Whose.
    pub user: UserName,
    /// Its name.
    pub name: TokenName,
    /// What it is for.
    pub description: Option<String>,
    /// Its roles.
    pub roles: Vec<RoleName>,
    /// Free labels.
    pub labels: BTreeMap<String, String>,
    /// Where it may be used from.
    pub allowed_ips: Vec<IpNet>,
    /// Its durations.
    pub terms: Terms,
    /// Where its secret goes.
    pub places: Vec<Place>,
}

/// A version's secret on its way to its places.
#[derive(Debug)]
pub struct Carried {
    /// The record as it was when the secret was handed out.
    pub token: Token,
    /// The version's number.
    pub number: u32,
    /// The secret. It lives no longer than the run.
    pub secret: Secret,
}

/// The service, reached as somebody.
#[derive(Debug)]
pub struct Client {
    service: Service,
    caller: Caller,
    elapsed: Elapsed,
}

impl Client {
    /// The service in this process, with all rights of an operator.
    #[must_use]
    pub fn operator(service: Service, name: &str) -> Self {
        Self { service, caller: Caller::operator(name), elapsed: since_boot }
    }

    /// The same, with another clock for deadlines.
    #[must_use]
    pub fn with_elapsed(self, elapsed: Elapsed) -> Self {
        Self { elapsed, ..self }
    }

    /// A deadline so long from now.
    #[must_use]
    pub fn deadline(&self, length: std::time::Duration) -> Deadline {
        Deadline::by(self.elapsed, length)
    }

    /// The service itself, for commands that show more than plans need.
    #[must_use]
    pub fn service(&self) -> &Service {
        &self.service
    }

    /// Who asks.
    #[must_use]
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The service's time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.service.now()
    }

    /// All tokens of a manifest.
    ///
    /// # Errors
    /// [`ServiceError::Unavailable`].
    pub async fn managed_tokens(&self, manifest: &ManifestName) -> Result<Vec<Token>, ServiceError> {
        Ok(self.service.managed_tokens(manifest).await?)
    }

    /// Tokens by user and name, whoever manages them.
    ///
    /// # Errors
    /// [`ServiceError::Unavailable`].
    pub async fn holders(&self, wanted: &[(UserName, TokenName)]) -> Result<Vec<Token>, ServiceError> {
        Ok(self.service.holders(wanted).await?)
    }

    /// Where token ids come from.
    ///
    /// # Errors
    /// [`ServiceError::Unavailable`].
    pub async fn origins(&self, ids: &[TokenId]) -> Result<Vec<(TokenId, Origin)>, ServiceError> {
        Ok(self.service.origins(ids).await?)
    }

    /// How many of a user's tokens have expired and still hold their names.
    ///
    /// # Errors
    /// [`ServiceError::Unavailable`].
    pub async fn expired_tokens(&self, user: &UserName) -> Result<u32, ServiceError> {
        let (mut count, mut from) = (0, None);
        loop {
            let page = self.service.list_active(user, 500, from).await?;
            let expired = page.tokens.iter().filter(|token| token.state(self.now()) == TokenState::Expired);
            count += u32::try_from(expired.count()).unwrap_or(u32::MAX);
            from = page.next;
            if from.is_none() {
                return Ok(count);
            }
        }
    }

    /// Users by name.
    ///
    /// # Errors
    /// [`ServiceError::Unavailable`].
    pub async fn users(&self, names: &[UserName]) -> Result<Vec<User>, ServiceError> {
        Ok(self.service.users(names).await?)
    }

    /// All roles.
    ///
    /// # Errors
    /// [`ServiceError::Unavailable`].
    pub async fn roles(&self) -> Result<Vec<Role>, ServiceError> {
        Ok(self.service.list_roles().await?)
    }

    /// The highest revision of a manifest that was applied.
    ///
    /// # Errors
    /// [`ServiceError::Unavailable`].
    pub async fn applied(&self, manifest: &ManifestName) -> Result<Option<u64>, ServiceError> {
        Ok(self.service.manifest(manifest).await?.and_then(|record| record.applied))
    }

    /// Notes that a revision of a manifest is about to be applied.
    ///
    /// # Errors
    /// [`ServiceError::Unavailable`].
    pub async fn note_applied(&self, manifest: &ManifestName, revision: Option<u64>) -> Result<(), ServiceError> {
        Ok(self.service.note_applied(&self.caller, manifest, revision).await?)
    }

    /// Defines a role of a manifest.
    ///
    /// # Errors
    /// See [`ServiceError`].
    pub async fn put_role(
        &self,
        name: &RoleName,
        permissions: &Permissions,
        manifest: &ManifestName,
    ) -> Result<(), ServiceError> {
        self.service.put_role(&self.caller, name, permissions, Some(manifest)).await?;
        Ok(())
    }

    /// Makes or changes a user of a manifest.
    ///
    /// # Errors
    /// See [`ServiceError`].
    pub async fn put_user(&self, name: &UserName, change: &UserChange) -> Result<(), ServiceError> {
        self.service.put_user(&self.caller, name, change).await?;
        Ok(())
    }

    /// Makes a token of a manifest; its first version is staged.
    ///
    /// # Errors
    /// See [`ServiceError`].
    pub async fn create(&self, manifest: &ManifestName, new: DeclaredToken) -> Result<Carried, ServiceError> {
        let new = NewToken {
            user: new.user,
            name: new.name,
            description: new.description,
            roles: Some(new.roles),
            labels: new.labels,
            allowed_ips: new.allowed_ips,
            life: Life::Managed { manifest: manifest.clone(), terms: new.terms },
            places: new.places,
        };
        let created = self.service.create(&self.caller, new).await?;
        Ok(Carried { number: created.token.highest, token: created.token, secret: created.secret })
    }

    /// Changes a token.
    ///
    /// # Errors
    /// See [`ServiceError`].
    pub async fn edit(&self, token: &Token, edit: &Edit) -> Result<Token, ServiceError> {
        let key = (&token.user, &token.name);
        Ok(self.service.edit(&self.caller, key, Some(&token.id), None, edit).await?)
    }

    /// Stages a version.
    ///
    /// # Errors
    /// See [`ServiceError`].
    pub async fn stage(&self, token: &Token) -> Result<Carried, ServiceError> {
        let staged = self.service.stage(&self.caller, (&token.user, &token.name), &token.id).await?;
        Ok(Carried { token: staged.token, number: staged.number, secret: staged.secret })
    }

    /// Announces a push, and answers until when the write may start.
    ///
    /// # Errors
    /// See [`ServiceError`].
    pub async fn announce(&self, token: &Token, number: u32, place: &PlaceId) -> Result<Deadline, ServiceError> {
        // The service's two minutes begin no earlier than this call, so neither do ours.
        let granted = self.deadline(std::time::Duration::from_secs(latchkey::version::WRITE_BEFORE.0));
        self.service.announce(&self.caller, (&token.user, &token.name), &token.id, number, place).await?;
        Ok(granted)
    }

    /// Reports a delivery.
    ///
    /// # Errors
    /// See [`ServiceError`].
    pub async fn deliver(
        &self,
        token: &Token,
        number: u32,
        place: &PlaceId,
        receipt: &str,
    ) -> Result<Token, ServiceError> {
        let key = (&token.user, &token.name);
        Ok(self.service.deliver(&self.caller, key, &token.id, number, (place, receipt)).await?)
    }

    /// Makes a staged version current.
    ///
    /// # Errors
    /// See [`ServiceError`].
    pub async fn promote(&self, token: &Token, number: u32) -> Result<Token, ServiceError> {
        Ok(self.service.promote(&self.caller, (&token.user, &token.name), &token.id, number).await?)
    }

    /// Retires an older version.
    ///
    /// # Errors
    /// See [`ServiceError`].
    pub async fn retire(&self, token: &Token, number: u32, look: Look, force: bool) -> Result<Token, ServiceError> {
        let key = (&token.user, &token.name);
        Ok(self.service.retire(&self.caller, key, &token.id, number, (look, force)).await?)
    }

    /// Ends a token that leaves, after a look that found none of its versions anywhere.
    ///
    /// # Errors
    /// See [`ServiceError`].
    pub async fn end_leaving(&self, token: &Token, look: Look) -> Result<Token, ServiceError> {
        Ok(self.service.end_leaving(&self.caller, (&token.user, &token.name), Some(&token.id), look).await?)
    }

    /// Drops a place from the record, unless anything about the token changed since it was read.
    ///
    /// # Errors
    /// See [`ServiceError`].
    pub async fn forget(&self, token: &Token, place: &PlaceId) -> Result<Token, ServiceError> {
        let key = (&token.user, &token.name);
        let edit = Edit { forget: Some(place.clone()), ..Edit::default() };
        Ok(self.service.edit(&self.caller, key, Some(&token.id), Some(token.revision), &edit).await?)
    }

    /// A token's record as it is now.
    ///
    /// # Errors
    /// [`ServiceError::Gone`] when it has ended, or its name belongs to another token by now.
    pub async fn again(&self, token: &Token) -> Result<Token, ServiceError> {
        let found = self.holders(&[(token.user.clone(), token.name.clone())]).await?;
        let same = found.into_iter().find(|found| found.id == token.id);
        same.ok_or_else(|| ServiceError::Gone("the token was deleted meanwhile".to_owned()))
    }

    /// Whether a value read from a place is a valid version of this token, and which. Counts no use.
    ///
    /// # Errors
    /// [`ServiceError::Unavailable`].
    pub async fn confirm(&self, token: &Token, secret: &Secret) -> Result<Option<u32>, ServiceError> {
        // Allowed addresses do not matter here: nobody uses the secret.
        let digest = secret.digest();
        let now = self.now();
        let record = self.service.holder(&token.user, &token.name).await?.filter(|record| record.id == token.id);
        let number = record.and_then(|record| {
            record.live(now).find(|version| version.digest.matches(&digest)).map(|version| version.number)
        });
        Ok(number)
    }

    /// Checks a secret as an application would, but counts no use.
    ///
    /// # Errors
    /// [`ServiceError::Unavailable`].
    pub async fn verify(
        &self,
        presented: &str,
    ) -> Result<Result<Box<Valid>, latchkey::service::Invalid>, ServiceError> {
        match self.service.verify(presented, None).await? {
            Verdict::Valid(valid) => Ok(Ok(valid)),
            Verdict::Invalid(invalid) => Ok(Err(invalid)),
        }
    }
}
