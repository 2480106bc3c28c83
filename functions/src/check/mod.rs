//! Checking secrets in a service of your own.

#[cfg(feature = "dynamodb")]
mod login;
mod writer;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use crate::clock::SystemClock;
use crate::entropy::SystemEntropy;
use crate::role::PermissionError;
use crate::service::{Service, Valid, Verdict};
use crate::table::{Table, TableError};
use writer::UsageWriter;

/// How often counts are written.
const WRITE_EVERY: Duration = Duration::from_mins(1);
/// How long [`Latchkey::close`] keeps trying.
const CLOSE_FOR: Duration = Duration::from_secs(10);

/// Checks secrets and counts their uses. Cheap to clone: clones share one count.
///
/// A check is one strongly consistent read of the table; a text that is not a secret costs none. What roles allow may be
/// 5 seconds old, everything else acts at once. The credentials need `dynamodb:GetItem`, `dynamodb:Query` and
/// `dynamodb:UpdateItem` on the table.
///
/// Counts are kept in memory, and a task writes them: the first use of a version in 15 minutes at once, all others every
/// minute and when the last clone is dropped. A process that ends without [`Self::close`] loses the counts of its last
/// minute at most. In a process that is frozen between requests, as a Lambda function is, no task runs: there, use
/// [`Service::verify`] and [`Service::note_use`].
///
/// ```no_run
/// # async fn example(secret: &str, peer: std::net::IpAddr) -> Result<(), Box<dyn std::error::Error>> {
/// use latchkey::{Latchkey, Verdict};
///
/// let latchkey = Latchkey::on_table("latchkey").await?;
/// let allowed = match latchkey.check(secret, Some(peer)).await? {
///     Verdict::Valid(valid) => valid.allows("documents:read")?,
///     Verdict::Invalid(_) => false,
/// };
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Latchkey {
    service: Arc<Service>,
    writer: UsageWriter,
}

impl Latchkey {
    /// On a table, with the environment's credentials, region and endpoint, as AWS's own tools take them from
    /// variables, the profile, a web identity, the container or the machine.
    ///
    /// A profile of `aws sso login` or with a `credential_process` needs the feature of `aws-config` in your own
    /// `Cargo.toml`: `aws-config = { version = "1", default-features = false, features = ["sso"] }`.
    ///
    /// # Errors
    /// When there is no region or no credentials, or the table cannot be read.
    #[cfg(feature = "dynamodb")]
    pub async fn on_table(name: &str) -> Result<Self, OpenError> {
        Self::on(login::client().await?, name).await
    }

    /// On a table that a client of yours reaches. Its retries are turned off, as the table has its own.
    ///
    /// # Errors
    /// When the table cannot be read.
    #[cfg(feature = "dynamodb")]
    pub async fn on(client: aws_sdk_dynamodb::Client, name: &str) -> Result<Self, OpenError> {
        let retries = aws_sdk_dynamodb::config::retry::RetryConfig::disabled();
        let config = client.config().to_builder().retry_config(retries).build();
        Self::of(Table::new(aws_sdk_dynamodb::Client::from_conf(config), name)).await
    }

    /// On a table in a file, which is made where there is none. Nothing else is needed.
    ///
    /// # Errors
    /// When the file cannot be opened, is something else, or may be somebody else's.
    #[cfg(feature = "embedded")]
    pub async fn in_file(path: impl AsRef<std::path::Path>) -> Result<Self, OpenError> {
        let engine = crate::table::sqlite::Sqlite::open(path.as_ref(), Arc::new(SystemClock))?;
        Self::of(Table::on(Arc::new(engine))).await
    }

    async fn of(table: Table) -> Result<Self, OpenError> {
        let service = Service::open(table, Arc::new(SystemClock), Arc::new(SystemEntropy)).await?;
        Ok(Self::on_service(Arc::new(service), WRITE_EVERY))
    }

    /// On a service that is open already, with its own clock; counts are written at that interval. Call it within a
    /// Tokio runtime.
    pub fn on_service(service: Arc<Service>, write_every: Duration) -> Self {
        let writer = UsageWriter::start(service.clone(), write_every);
        Self { service, writer }
    }

    /// Checks a secret that came from the address `from`, and counts its use.
    ///
    /// Take the address of the peer, or what a proxy of your own alone can set, never a header that anybody can send:
    /// tokens may be bound to networks. `None` is in no network.
    ///
    /// # Errors
    /// When the table does not answer. The secret is then neither valid nor not: let nobody in, and tell nobody that the
    /// secret is bad.
    pub async fn check(&self, secret: &str, from: Option<IpAddr>) -> Result<Verdict, CheckError> {
        let verdict = self.service.verify(secret, from).await?;
        if let Verdict::Valid(valid) = &verdict {
            self.service.count_use(valid, from);
            if self.service.has_first_uses() {
                self.writer.wake();
            }
        }
        Ok(verdict)
    }

    /// Writes what was counted, and gives up after 10 seconds. Call it before the process ends; other clones continue.
    ///
    /// # Errors
    /// When the counts could not be written. They are kept as long as a clone is left, and lost with the process.
    pub async fn close(self) -> Result<(), CloseError> {
        timeout(CLOSE_FOR, writer::write_all(&self.service)).await.map_err(|_| CloseError::Late)??;
        Ok(())
    }

    /// The service below, with all else that it can do.
    pub fn service(&self) -> &Service {
        &self.service
    }
}

impl Valid {
    /// Whether the token's roles allow a permission, written `resource:action`.
    ///
    /// # Errors
    /// When `permission` is not one: a slip in your code must not look like a token that lacks it.
    pub fn allows(&self, permission: &str) -> Result<bool, AllowsError> {
        let wanted = permission.parse().map_err(|source| AllowsError { permission: permission.to_owned(), source })?;
        Ok(self.permissions.allow(&wanted))
    }
}

/// Why [`Latchkey`] could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Neither `AWS_REGION` nor the profile nor the machine names a region.
    #[error("no AWS region is set")]
    Region,
    /// The file cannot be opened as a table.
    #[cfg(feature = "embedded")]
    #[error(transparent)]
    File(#[from] crate::table::sqlite::OpenError),
    /// There are no credentials, or they could not be read.
    #[error("no AWS credentials were found: {0}")]
    Login(String),
    /// The table does not answer or does not exist, or the credentials do not allow to read it.
    #[error(transparent)]
    Table(#[from] TableError),
}

/// Why a secret could not be checked. Answer 503, never 401.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// The table did not answer.
    #[error(transparent)]
    Table(#[from] TableError),
}

/// Why counts could not be written at the end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CloseError {
    /// It took too long.
    #[error("the counts of uses were not written within 10 seconds")]
    Late,
    /// The table did not accept them.
    #[error("the counts of uses could not be written: {0}")]
    Table(#[from] TableError),
}

/// A text that [`Valid::allows`] was asked for is not a permission.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{permission}` is not a permission: {source}")]
pub struct AllowsError {
    permission: String,
    source: PermissionError,
}
