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
mod manifest_list;
mod manifests;
mod notices;
mod permissions;
mod publication;
mod reindex;
mod rights;
mod roles;
mod settings;
mod tell;
mod turns;
mod usage;
mod users;
mod verify;
mod versions;

use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;

pub use audit::{EVENTS_KEPT, Event, EventPage};
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
pub use manifest_list::{ManifestPage, ManifestSummary};
pub use manifests::{ManagedPage, ManifestRecord, NoteError, Origin};
pub use publication::{
    PUBLISHED_PUSH_MAX, PUBLISHED_ROWS, PUBLISHED_SINKS_MAX, Publication, PublishError, PublishedPage, PublishedRow,
    PublishedToken,
};
pub use reindex::{DUE_RULES, Reindexed};
pub use rights::{Denied, Visibility};
pub use roles::{Role, RoleError};
pub use settings::{SETTINGS_AGE, SettingsError};
pub use turns::{DriftPosition, ManifestTurn, NoteTurnError, TROUBLES_KEPT, Turn, TurnTrouble};
pub use usage::UsageDay;
pub use users::{UserChange, UserError};
pub use verify::{Invalid, Valid, Verdict};
pub use versions::{Announced, Issued};

use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::mutex::Mutex;
use crate::table::{Table, TableError, with_key};

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
    settings: settings::SettingsRead,
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
        let settings = settings::SettingsRead::of(settings::stored(&table).await?, clock.now());
        let mut process = [0_u8; 6];
        entropy.fill(&mut process).map_err(|error| TableError::Unreachable(error.to_string()))?;
        let process = crate::secret::Digest::of(&process).fingerprint().to_string();
        let (roles, usage) = (permissions::RolesRead::default(), Mutex::default());
        Ok(Self {
            table,
            clock,
            entropy,
            settings,
            process,
            roles,
            refusals: audit::Refusals::default(),
            usage,
            guard: None,
        })
    }

    /// Reads one item, to see whether the table answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn reach(&self) -> Result<(), TableError> {
        self.table.get(&crate::table::keys::settings()).await.map(drop)
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
