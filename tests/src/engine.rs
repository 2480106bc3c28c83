//! The engines that the table runs on, and faults on the way to them.
//!
//! `LATCHKEY_TEST_ENGINE` chooses: `sqlite` (in this process; the default), or one of AWS's protocol: `dynoxide`,
//! `ministack`, or `dynamodb-local` (opt-in, for its licence). `LATCHKEY_TEST_ENDPOINT` names a server that runs already;
//! otherwise each process starts its own.

mod faults;
mod raw;
mod seam;
mod server;
mod wire;

use std::sync::Arc;

use aws_credential_types::Credentials;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Region, StalledStreamProtectionConfig};
use aws_smithy_http_client::Connector;
use aws_smithy_runtime_api::client::http::{SharedHttpClient, SharedHttpConnector, http_client_fn};
use latchkey::clock::{Clock, SystemClock};
use latchkey::entropy::{Entropy, SystemEntropy};
use latchkey::table::Table;
use latchkey::table::dynamodb::DynamoDb;
use latchkey::table::sqlite::Sqlite;

pub use faults::Faults;
pub use raw::Raw;
pub use server::Server;

/// What serves the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// In this process, in memory.
    Sqlite,
    /// A server in Rust.
    Dynoxide,
    /// A server in Python.
    Ministack,
    /// The official one, in Java: `LATCHKEY_DYNAMODB_LOCAL` names its folder.
    DynamodbLocal,
}

impl Engine {
    /// The one that the environment asks for.
    pub fn chosen() -> Self {
        match std::env::var("LATCHKEY_TEST_ENGINE").as_deref() {
            Err(_) | Ok("" | "sqlite") => Self::Sqlite,
            Ok("dynoxide") => Self::Dynoxide,
            Ok("ministack") => Self::Ministack,
            Ok("dynamodb-local") => Self::DynamodbLocal,
            Ok(other) => panic!("LATCHKEY_TEST_ENGINE is `{other}`: sqlite, dynoxide, ministack or dynamodb-local"),
        }
    }

    /// The one that the environment asks for, where it speaks AWS's protocol, and else one that does.
    pub fn of_aws() -> Self {
        match Self::chosen() {
            Self::Sqlite => Self::Dynoxide,
            other => other,
        }
    }
}

/// A table of its own, gone with the test.
#[derive(Debug)]
pub struct Store {
    /// What serves it.
    pub engine: Engine,
    /// Its items, past the table; no faults on this way.
    pub raw: Raw,
    pub table: Table,
    /// Faults on the way from `table`.
    pub faults: Faults,
    client: Option<Client>,
    endpoint: Option<String>,
    _server: Option<Arc<Server>>,
}

impl Store {
    /// A new empty table on the chosen engine.
    pub async fn open() -> Self {
        Self::on(Engine::chosen()).await
    }

    /// A new empty table on `engine`.
    pub async fn on(engine: Engine) -> Self {
        Self::with_clock(engine, Arc::new(SystemClock)).await
    }

    /// The same; in this process rows go by that clock when their time has come.
    pub async fn with_clock(engine: Engine, clock: Arc<dyn Clock>) -> Self {
        let faults = Faults::default();
        if engine == Engine::Sqlite {
            let inner: Arc<dyn latchkey::table::engine::Engine> =
                Arc::new(Sqlite::memory(clock).expect("a table in memory"));
            let table = Table::on(Arc::new(seam::Faulty { inner: inner.clone(), faults: faults.clone() }));
            return Self { engine, raw: Raw(inner), table, faults, client: None, endpoint: None, _server: None };
        }
        let mut bytes = [0_u8; 8];
        SystemEntropy.fill(&mut bytes).expect("random bytes");
        let name = format!("test-{:016x}", u64::from_be_bytes(bytes));
        let running = std::env::var("LATCHKEY_TEST_ENDPOINT").ok().filter(|_| engine == Engine::chosen());
        let (server, endpoint) = running.map_or_else(|| Server::shared(engine), |endpoint| (None, endpoint));
        let plain = client_at(&endpoint);
        let between = wire::Faulty { inner: loopback(), faults: faults.clone() };
        let table = Table::new(client(SharedHttpClient::new(between), &endpoint), &name);
        table.create_if_absent().await.expect("a new table");
        let raw = Raw(Arc::new(DynamoDb::new(plain.clone(), &name)));
        Self { engine, raw, table, faults, client: Some(plain), endpoint: Some(endpoint), _server: server }
    }

    /// The SDK's client below the table, without faults on its way.
    ///
    /// # Panics
    /// On an engine in this process, which has none.
    pub fn client(&self) -> &Client {
        self.client.as_ref().expect("an engine of AWS's protocol, see `Engine::of_aws`")
    }

    /// Where the engine listens, if it does.
    pub fn endpoint(&self) -> Option<&str> {
        self.endpoint.as_deref()
    }
}

/// A client of an engine that listens at `endpoint`, without faults on the way.
pub fn client_at(endpoint: &str) -> Client {
    client(loopback(), endpoint)
}

/// Plain HTTP: the servers listen on loopback.
pub fn loopback() -> SharedHttpClient {
    let connector = SharedHttpConnector::new(Connector::builder().build_http());
    http_client_fn(move |_, _| connector.clone())
}

/// A client without retries of its own, as the table wants it.
pub fn client(http: SharedHttpClient, endpoint: &str) -> Client {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .endpoint_url(endpoint)
        .http_client(http)
        .retry_config(RetryConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .build();
    Client::from_conf(config)
}
