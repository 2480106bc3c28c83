//! The token service: every operation on tokens, users and roles, on the table.
//!
//! An operation loads what it needs, applies pure rules and writes in one transaction, its audit event included.
//! Nothing here knows HTTP, Lambda or a command line.

mod addresses;
mod allowed;
mod audit;
mod bootstrap;
mod change;
mod clock_guard;
mod create;
mod created;
mod delete;
mod due;
mod edit;
mod everybody;
mod expire;
mod find;
mod fold;
mod grant;
mod introspect;
mod lease;
mod list;
mod manifests;
mod notices;
mod permissions;
mod publication;
mod rights;
mod roles;
mod tell;
mod turns;
mod usage;
mod users;
mod verify;
mod versions;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;

pub use audit::{Event, EventPage};
pub use bootstrap::{ADMIN_ROLE, BootstrapError, Bootstrapped};
pub use change::ChangeError;
pub use clock_guard::AcceptError;
pub use create::{CreateError, Life, NewToken};
pub use created::NEW_MAX;
pub use due::{DuePage, DuePosition, PutOffError};
pub use edit::{Edit, EditError, Forget};
pub use everybody::{EverybodyPage, EverybodyPosition};
pub use grant::{GRANT_MAX, Grant, GrantError};
pub use introspect::{Introspection, Presented};
pub use lease::{LEASE, Lease, LeaseError};
pub use list::TokenPage;
pub use manifests::{ManagedPage, ManifestRecord, NoteError, Origin};
pub use publication::{
    PUBLISHED_PUSH_MAX, PUBLISHED_ROWS, PUBLISHED_SINKS_MAX, Publication, PublishError, PublishedPage, PublishedRow,
    PublishedToken,
};
pub use rights::{Denied, Visibility};
pub use roles::{Role, RoleError};
pub use turns::{DriftPosition, ManifestTurn, NoteTurnError, TROUBLES_KEPT, Turn, TurnTrouble};
pub use usage::UsageDay;
pub use users::{UserChange, UserError};
pub use verify::{Invalid, Valid, Verdict};
pub use versions::{Announced, Issued};

use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::mutex::Mutex;
use crate::policy::Policy;
use crate::table::{Table, TableError, decode, encode, keys, with_key};

/// Who asks: `operator:<OS user>` or `<user>/<token>`, from where, and with which rights.
#[derive(Debug, Clone, PartialEq)]
pub struct Caller {
    /// Who.
    pub actor: String,
    /// From which address, where there is one.
    pub from: Option<IpAddr>,
    rights: rights::Rights,
}

impl Caller {
    /// An operator: whoever can write the table.
    pub fn operator(name: &str) -> Self {
        Self { actor: format!("operator:{name}"), from: None, rights: rights::Rights::Operator }
    }
}

/// The token service on one table.
#[derive(Debug)]
pub struct Service {
    table: Table,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    policy: Policy,
    /// Whether changes queue notices, as the settings had it when they were read last.
    notices: AtomicBool,
    process: String,
    roles: permissions::RolesRead,
    refusals: audit::Refusals,
    usage: Mutex<usage::Tally>,
    /// Where the clock is the machine's own.
    guard: Option<clock_guard::ClockGuard>,
}

/// How often an operation that lost a race is tried again.
const RACE_RETRIES: usize = 24;

impl Service {
    /// Opens the service: reads the deployment's settings.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn open(table: Table, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Result<Self, TableError> {
        let policy = match table.get(&keys::settings()).await? {
            Some(item) => decode(item)?,
            None => Policy::default(),
        };
        let mut process = [0_u8; 6];
        entropy.fill(&mut process).map_err(|error| TableError::Unreachable(error.to_string()))?;
        let process = crate::secret::Digest::of(&process).fingerprint().to_string();
        let (roles, usage) = (permissions::RolesRead::default(), Mutex::default());
        let notices = AtomicBool::new(policy.notices.on);
        Ok(Self {
            table,
            clock,
            entropy,
            policy,
            notices,
            process,
            roles,
            refusals: audit::Refusals::default(),
            usage,
            guard: None,
        })
    }

    /// Replaces the deployment's settings.
    ///
    /// # Errors
    /// When the table cannot be written, or a receiver of notices is beyond the bounds.
    pub async fn set_policy(&mut self, policy: Policy) -> Result<(), TableError> {
        crate::bounds::check_receivers(&policy.notices.receivers)
            .map_err(|error| TableError::Invalid(error.to_string()))?;
        let mut update = crate::table::Update::default();
        for (name, value) in encode(&policy)? {
            update.set(&name, value);
        }
        let key = update.name(keys::PK);
        let condition = format!("attribute_exists({key}) OR attribute_not_exists({key})");
        self.table.update(&keys::settings(), update, &condition).await?;
        self.notices.store(policy.notices.on, Ordering::Relaxed);
        self.policy = policy;
        Ok(())
    }

    /// Reads again whether changes queue notices: a process that runs for days calls it every minute or so, as a receiver
    /// may be set meanwhile. What else the settings say is as it was when the service was opened.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn reread_notices(&self) -> Result<(), TableError> {
        let settings: Option<Policy> = self.table.get(&keys::settings()).await?.map(decode).transpose()?;
        self.notices.store(settings.is_some_and(|policy| policy.notices.on), Ordering::Relaxed);
        Ok(())
    }

    /// Whether changes queue notices.
    fn queues_notices(&self) -> bool {
        self.notices.load(Ordering::Relaxed)
    }

    /// The deployment's settings.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The table below.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// The service's time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}
