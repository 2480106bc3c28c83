//! AWS's own rotation: Secrets Manager calls this function step by step for a secret that it rotates. A version of a token is
//! staged and put under AWSPENDING, and then goes the way of every other: the engine delivers it to all places of the token,
//! this one by moving AWSCURRENT, and promotes it.
//!
//! Whoever may tag a secret gets nothing by it: a tag only says in which record the secret is to be looked up.

#[cfg(feature = "lambda")]
mod asked;
mod creating;
mod finishing;
mod pending;
mod refused;
#[cfg(feature = "lambda")]
mod subject;
mod testing;

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use latchkey::name::ManifestName;
use latchkey::place::PlaceId;
use latchkey::protocol::WRITE_BEFORE;
use latchkey::secret::Secret;
use latchkey::token::{Token, TokenKey, TokenState, Version};
use latchkey_sinks::aws_secrets_manager::{PendingValue, Stage};
use latchkey_sinks::reading::shown;

use super::allowed::Allowed;
use crate::plan::Options;
use crate::safeguard::{Safeguard, stands};
use crate::service::{Protocol, ServiceError};
#[cfg(feature = "lambda")]
pub(super) use asked::{Answered, Asked};
pub use pending::PendingVersion;
pub use refused::Refused;

/// The steps of a rotation, in AWS's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A version is staged and put under AWSPENDING.
    Create,
    /// Nothing is set anywhere; what is pending is confirmed.
    Set,
    /// Consumers will be let in with what is pending.
    Test,
    /// It is delivered to all places.
    Finish,
}

/// A rotation by AWS, of the secret of one token.
#[derive(Clone, Copy)]
pub struct Rotation<'a> {
    /// The version that AWS named.
    pub version: &'a dyn PendingVersion,
    /// The service.
    pub protocol: &'a dyn Protocol,
    /// Whose secret it is.
    pub token: &'a TokenKey,
    /// The manifest that declares it.
    pub manifest: &'a ManifestName,
    /// The secret, as the token's record has it.
    pub place: &'a PlaceId,
    /// How its places are reached, and delivered to.
    pub runs: &'a dyn Runs,
}

/// Runs of the token of a rotation, as its manifest is published.
#[async_trait(?Send)]
pub trait Runs {
    /// What a run may touch: as it was applied, and granted.
    ///
    /// # Errors
    /// Why it may touch nothing.
    async fn allowed(&self, record: &Token) -> Result<Allowed, Refused>;

    /// A run of the token alone; why it was not in sync then, if a run can tell.
    ///
    /// # Errors
    /// When the service does not answer.
    async fn run(&self, record: &Token, options: Options) -> Result<Option<Refused>, ServiceError>;
}

/// What a value is for its token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// The version that goes to the places next.
    Staged(u32),
    /// What consumers should have.
    Current,
    /// Valid, and superseded.
    Older,
    /// No valid version.
    Nothing,
}

impl Standing {
    fn of(secret: &Secret, record: &Token, now: Timestamp) -> Self {
        if !stands(Safeguard::PendingConfirmed) {
            return Self::Staged(record.highest);
        }
        let Some(number) = record.version_with(&secret.digest(), now) else { return Self::Nothing };
        let is = |version: Option<&Version>| version.is_some_and(|version| version.number == number);
        match () {
            () if is(record.current()) => Self::Current,
            () if is(record.staged()) => Self::Staged(number),
            () => Self::Older,
        }
    }
}

impl std::fmt::Debug for Rotation<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Rotation({} of {})", self.version.id(), self.token)
    }
}

impl Rotation<'_> {
    /// One step. A step that is repeated does nothing twice.
    ///
    /// # Errors
    /// Why it failed: AWS shows it to whoever looks, and repeats the rotation.
    pub async fn step(&self, step: Step) -> Result<&'static str, Refused> {
        match (self.version.stage(), step) {
            (Stage::Neither, _) if stands(Safeguard::PendingLabel) => self.ended().await,
            (Stage::Current, Step::Create | Step::Set | Step::Test) => Ok("consumers read the version already"),
            (_, Step::Create) => self.create().await,
            (_, Step::Set) => self.set().await,
            (_, Step::Test) => self.test().await,
            (_, Step::Finish) => self.finish().await,
        }
    }

    /// Whether a step stages or delivers, which one run of a manifest does at a time.
    #[cfg(feature = "lambda")]
    fn is_run_by(&self, step: Step) -> bool {
        match self.version.stage() {
            Stage::Pending => matches!(step, Step::Create | Step::Finish),
            Stage::Current => step == Step::Finish,
            Stage::Neither => false,
        }
    }

    /// A version that no rotation is about any more: it was finished, and only AWS has not heard of it, or nobody goes on
    /// with it.
    async fn ended(&self) -> Result<&'static str, Refused> {
        if let PendingValue::Secret(secret) = self.version.value().await? {
            let record = self.record().await?;
            if self.standing(&secret, &record).await? == Standing::Current {
                return Ok("consumers read the secret of the version already");
            }
        }
        let (name, id) = (self.version.name(), shown(self.version.id()));
        let reason =
            format!("the version `{id}` of `{name}` does not have the label AWSPENDING: its rotation has ended");
        Err(Refused::new(reason).hint(start_another(name)))
    }

    /// The token's record as it is now.
    async fn record(&self) -> Result<Token, Refused> {
        let found = self.protocol.holders(self.manifest, std::slice::from_ref(self.token)).await?.pop();
        let active = found.filter(|token| token.state(self.protocol.now()) == TokenState::Active);
        active.ok_or_else(|| Refused::new(format!("the token `{}` has expired or was deleted", self.token)))
    }

    /// What a value is. A step that came twice may have staged it since the record was read: nobody is overtaken by what an
    /// older record does not have.
    async fn standing(&self, secret: &Secret, record: &Token) -> Result<Standing, Refused> {
        let now = self.protocol.now();
        match Standing::of(secret, record, now) {
            Standing::Older | Standing::Nothing if stands(Safeguard::PendingRecord) => {
                Ok(Standing::of(secret, &self.record().await?, now))
            }
            standing => Ok(standing),
        }
    }

    /// Ends a rotation that another run has overtaken.
    async fn superseded(&self) -> Refused {
        self.end("is not the newest of its token, or not valid any more").await
    }

    /// Ends a rotation whose version nobody may go on with, so that AWS can begin another: a late step finds nothing.
    async fn end(&self, why: &str) -> Refused {
        let ended = match self.unlabel().await {
            Ok(()) => "so its label AWSPENDING was removed".to_owned(),
            Err(error) => format!("and its label AWSPENDING could not be removed: {error}"),
        };
        let name = self.version.name();
        let reason = format!("the pending version of `{name}` {why}, {ended}; consumers read what they read before");
        Refused::new(reason).hint(start_another(name))
    }

    /// Takes the label off.
    async fn unlabel(&self) -> Result<(), latchkey_sinks::SinkError> {
        if !stands(Safeguard::PendingEnded) {
            return Ok(());
        }
        self.version.end(self.protocol.deadline(Duration::from_secs(WRITE_BEFORE.0))).await
    }
}

fn start_another(name: &str) -> String {
    format!("start another rotation: `aws secretsmanager rotate-secret --secret-id {name}`")
}
