//! The embedded table: a DynamoDB engine in this process, on one file, behind the unchanged SDK client.
//!
//! Nothing listens: requests go from the client to the engine through a connector in memory, so that no other user of
//! the machine can reach them. The file and its companions have mode 0600.

use std::collections::BTreeSet;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use aws_credential_types::Credentials;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Region, StalledStreamProtectionConfig};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use dynoxide::Database;
use dynoxide::errors::DynoxideError;
use latchkey::mutex::Mutex;
use latchkey::table::{Table, TableError};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The name of the table in an embedded file.
pub const TABLE: &str = "latchkey";

/// Why an embedded table could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    #[error("cannot open `{}`: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    /// Not a file of this kind, or a damaged one.
    #[error("`{}` is not a table of Latchkey, or is damaged: {reason}", path.display())]
    Engine {
        path: PathBuf,
        /// What the engine reported.
        reason: String,
    },
    /// The table in it.
    #[error(transparent)]
    Table(#[from] TableError),
}

/// Opens the table in `path`, creating file and table where there are none.
///
/// # Errors
/// When the file cannot be opened or is something else.
pub async fn open(path: &Path) -> Result<Table, EmbeddedError> {
    let engine = |reason: String| EmbeddedError::Engine { path: path.to_owned(), reason };
    let file = |source| EmbeddedError::File { path: path.to_owned(), source };
    match claim(path).map_err(file)? {
        Claimed::Ours => {}
        Claimed::Foreign => return Err(engine("it contains something else, and was not changed".to_owned())),
    }
    let name = path.to_str().ok_or_else(|| engine("its path is not UTF-8".to_owned()))?;
    let database = Database::new(name).map_err(|error| engine(error.to_string()))?;
    if let Ok(metadata) = std::fs::metadata(path) {
        IN_USE.lock().insert(identity(&metadata));
    }
    Ok(on(InProcess { database }).await?)
}

/// A table in memory, gone with the process.
///
/// # Errors
/// When the engine refuses.
pub async fn memory() -> Result<Table, EmbeddedError> {
    Ok(on(InProcess::memory()?).await?)
}

/// The table behind any connector to an engine, created if there is none.
///
/// # Errors
/// When the engine refuses.
pub async fn on(connector: impl HttpClient + 'static) -> Result<Table, TableError> {
    let table = Table::new(client(connector), TABLE);
    table.create_if_absent().await?;
    Ok(table)
}

/// An engine in memory, as that through which a client sends its requests: tests put faults in between.
///
/// # Errors
/// When the engine refuses.
pub fn engine_in_memory() -> Result<SharedHttpClient, EmbeddedError> {
    let engine = |error: DynoxideError| EmbeddedError::Engine { path: ":memory:".into(), reason: error.to_string() };
    Ok(SharedHttpClient::new(InProcess { database: Database::memory().map_err(engine)? }))
}

/// Whose a file is.
enum Claimed {
    /// New, empty or one of the engine's, with mode 0600.
    Ours,
    /// Something else; it was not touched.
    Foreign,
}

/// Creates the file with mode 0600, or narrows its mode to that. The engine gives its companion files the same mode.
///
/// A file that is private already is not opened: closing it would drop the locks of a table that this process may have
/// open on it.
fn claim(path: &Path) -> io::Result<Claimed> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            options.create(true).truncate(false).open(path)?;
            return Ok(Claimed::Ours);
        }
        Err(error) => return Err(error),
    };
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a file"));
    }
    if is_private(&metadata) && IN_USE.lock().contains(&identity(&metadata)) {
        return Ok(Claimed::Ours);
    }
    let mut file = options.open(path)?;
    if !is_ours(&mut file, path)? {
        return Ok(Claimed::Foreign);
    }
    if !is_private(&metadata) {
        narrow(&file)?;
    }
    Ok(Claimed::Ours)
}

/// Files that this process has open as tables, by device and inode.
static IN_USE: Mutex<BTreeSet<(u64, u64)>> = Mutex::new(BTreeSet::new());

#[cfg(unix)]
fn identity(metadata: &Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino())
}

#[cfg(not(unix))]
fn identity(_: &Metadata) -> (u64, u64) {
    (0, 0)
}

/// What every SQLite file starts with.
const MAGIC: &[u8] = b"SQLite format 3\0";

/// How the engine's own bookkeeping reads in the schema of its files.
const OWN: &[u8] = b"CREATE TABLE _tables";
/// As much of a file as its schema can take.
const SCHEMA_MAX: u64 = 1 << 20;

/// Whether a file is empty or contains the engine's own tables, and not another program's.
fn is_ours(file: &mut File, path: &Path) -> io::Result<bool> {
    let mut start = Vec::new();
    file.take(SCHEMA_MAX).read_to_end(&mut start)?;
    if start.is_empty() {
        return Ok(true);
    }
    if !start.starts_with(MAGIC) {
        return Ok(false);
    }
    // No table at all: another process is creating its first ones right now. The count of entries of the schema's page
    // is at byte 103.
    if start.get(103..105) == Some(&[0, 0]) {
        return Ok(true);
    }
    // A process that was killed may have left the schema in the log beside the file.
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    if let Ok(log) = File::open(log) {
        log.take(SCHEMA_MAX).read_to_end(&mut start)?;
    }
    Ok(start.windows(OWN.len()).any(|window| window == OWN))
}

#[cfg(unix)]
fn is_private(metadata: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode().trailing_zeros() >= 6
}

#[cfg(unix)]
fn narrow(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o600))
}

#[cfg(not(unix))]
fn is_private(_: &Metadata) -> bool {
    true
}

#[cfg(not(unix))]
fn narrow(_: &File) -> io::Result<()> {
    Ok(())
}

/// A client of an engine in this process. The table has retries of its own, so the client has none.
pub fn client(engine: impl HttpClient + 'static) -> Client {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::from_static("embedded"))
        .credentials_provider(Credentials::new("embedded", "embedded", None, None, "embedded"))
        .endpoint_url("http://embedded.invalid")
        .http_client(engine)
        .retry_config(RetryConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .build();
    Client::from_conf(config)
}

/// Hands the client's requests to the engine.
#[derive(Clone)]
pub struct InProcess {
    database: Database,
}

impl InProcess {
    /// An engine in memory, gone with its last clone.
    ///
    /// # Errors
    /// When the engine refuses.
    pub fn memory() -> Result<Self, EmbeddedError> {
        let engine =
            |error: DynoxideError| EmbeddedError::Engine { path: ":memory:".into(), reason: error.to_string() };
        Ok(Self { database: Database::memory().map_err(engine)? })
    }

    /// Answers one request, and blocks while it does.
    pub fn answer(&self, request: &HttpRequest) -> (u16, String) {
        answer(&self.database, request)
    }
}

impl std::fmt::Debug for InProcess {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("InProcess")
    }
}

impl HttpClient for InProcess {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for InProcess {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let database = self.database.clone();
        HttpConnectorFuture::new(async move {
            // The engine blocks, on its file and on other processes that write to it.
            let answered = tokio::task::spawn_blocking(move || answer(&database, &request)).await;
            let (status, body) = answered.map_err(|error| ConnectorError::other(error.into(), None))?;
            let status = status.try_into().map_err(|error| ConnectorError::other(Box::new(error), None))?;
            Ok(HttpResponse::new(status, SdkBody::from(body)))
        })
    }
}

fn answer(database: &Database, request: &HttpRequest) -> (u16, String) {
    let target = request.headers().get("x-amz-target").unwrap_or_default();
    let operation = target.rsplit('.').next().unwrap_or_default();
    let body = request.body().bytes().unwrap_or_default();
    match dispatch(database, operation, body) {
        Ok(body) => (200, body),
        Err(error) => (error.status_code(), error.to_json()),
    }
}

fn dispatch(database: &Database, operation: &str, body: &[u8]) -> Result<String, DynoxideError> {
    match operation {
        "CreateTable" => run(body, |request| database.create_table(request)),
        "DescribeTable" => run(body, |request| database.describe_table(request)),
        "GetItem" => run(body, |request| database.get_item(request)),
        "BatchGetItem" => run(body, |request| database.batch_get_item(request)),
        "Query" => run(body, |request| database.query(request)),
        "BatchWriteItem" => run(body, |request| database.batch_write_item(request)),
        "Scan" => run(body, |request| database.scan(request)),
        "PutItem" => run(body, |request| database.put_item(request)),
        "UpdateItem" => run(body, |request| database.update_item(request)),
        "DeleteItem" => run(body, |request| database.delete_item(request)),
        "TransactWriteItems" => run(body, |request| database.transact_write_items(request)),
        other => Err(DynoxideError::ValidationException(format!("the embedded table has no operation `{other}`"))),
    }
}

fn run<Q: DeserializeOwned, R: Serialize>(
    body: &[u8],
    operation: impl FnOnce(Q) -> Result<R, DynoxideError>,
) -> Result<String, DynoxideError> {
    let request = serde_json::from_slice(body).map_err(|error| {
        let message = error.to_string();
        // The engine reports what its types refuse with this mark.
        let message = message.strip_prefix("VALIDATION:").map_or(message.clone(), str::to_owned);
        DynoxideError::ValidationException(message)
    })?;
    let response = operation(request)?;
    serde_json::to_string(&response).map_err(|error| DynoxideError::InternalServerError(error.to_string()))
}
