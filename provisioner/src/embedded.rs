//! The embedded table: a DynamoDB engine in this process, on one file, behind the unchanged SDK client.
//!
//! Nothing listens: requests go from the client to the engine through a connector in memory, so that no other user of
//! the machine can reach them. The file and its companions have mode 0600.

mod ownership;

use std::io;
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
use latchkey::table::{Table, TableError};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use ownership::Danger;
pub(crate) use ownership::check_untracked;

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
    /// It, or what is beside it, may be somebody else's.
    #[error("`{}` {danger}, so the table was not opened", path.display())]
    NotOurs {
        /// The file, or the companion.
        path: PathBuf,
        danger: Danger,
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
    let name = path.to_str().ok_or_else(|| engine("its path is not UTF-8".to_owned()))?;
    let database = ownership::claim(path, || Database::new(name).map_err(|error| engine(error.to_string())))?;
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
