//! Azure Key Vault for tests: a vault with its sign-in on loopback, as strict as Azure, and a bench over it.
//!
//! Versions, soft delete and recovery that take a while, purge protection, rights, tokens that end. Every request and
//! every reply is held against Microsoft's own document; what differs makes the test fail when the fake goes.

mod bench;
mod contract;
mod secrets;
mod server;
mod sign_in;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use latchkey::mutex::{Mutex, MutexGuard};
use latchkey_sinks::conformance::{On, Trouble};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

pub use bench::KeyVaultBench;
pub use contract::{Contract, Operation};
use secrets::Secrets;
pub use secrets::Version;

/// The tenant that the vault belongs to.
pub const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
/// The application that may sign in.
pub const CLIENT: &str = "11111111-2222-3333-4444-555555555555";
/// Its secret: no sink may show it.
pub const CLIENT_SECRET: &str = "Qx8~client-secret-of-the-application";
/// What the other issuer's tokens are.
pub const ASSERTION: &str = "eyJhbGciOiJSUzI1NiJ9.assertion.signature";
/// What a job of GitHub asks for its token with.
pub const JOB_TOKEN: &str = "github-job-token";
/// What App Service wants to see.
pub const IDENTITY_HEADER: &str = "app-service-identity-header";

/// The present time in whole seconds.
pub type Now = fn() -> i64;

/// A vault, and whoever gives out tokens for it.
#[derive(Debug)]
pub struct KeyVault {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    listening: JoinHandle<()>,
}

/// What may be set about the fake while it runs.
#[derive(Debug, Clone)]
pub struct Rules {
    /// What it says in its 401, where that is not what a vault says.
    pub challenge: Option<String>,
    /// Actions that are refused: `set`, `get`, `list`, `delete`, `recover`; and the innermost code.
    pub forbidden: BTreeMap<String, String>,
    /// How many requests a deletion and a recovery take.
    pub polls: u32,
    /// Nothing that was deleted can be purged.
    pub purge_protection: bool,
    /// The next page's address, where it is not the vault's own.
    pub next_link: Option<String>,
    /// How long a token lasts, in seconds.
    pub token_seconds: i64,
    /// The code of `AADSTS` that sign-ins get.
    pub sign_in_fails: Option<u64>,
    /// A policy of the organisation wants an expiry in every secret, and refuses others with these words.
    pub demands_expiry: Option<&'static str>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            challenge: None,
            forbidden: BTreeMap::new(),
            polls: 2,
            purge_protection: false,
            next_link: None,
            token_seconds: 3_600,
            sign_in_fails: None,
            demands_expiry: None,
        }
    }
}

#[derive(Debug)]
struct State {
    now: Now,
    /// Where sign-ins go.
    url: String,
    contract: Contract,
    rules: Rules,
    secrets: Secrets,
    /// Each token and the second at which it ends.
    tokens: BTreeMap<String, i64>,
    issued: usize,
    troubles: Vec<(On, Trouble)>,
    /// `METHOD /path`, in order.
    requests: Vec<String>,
    /// Paths, queries, tags: everything but values and logins.
    said: String,
    violations: BTreeSet<String>,
    changes: usize,
}

#[derive(Debug)]
struct Reply {
    status: u16,
    body: Option<Value>,
    headers: Vec<(&'static str, String)>,
}

impl Reply {
    fn ok(body: Value) -> Self {
        Self { status: 200, body: Some(body), headers: Vec::new() }
    }

    fn error(status: u16, code: &str, inner: &str) -> Self {
        let inner = if inner.is_empty() { Value::Null } else { json!({ "code": inner }) };
        let error = json!({ "code": code, "message": format!("{code}: said by a fake"), "innererror": inner });
        Self { status, body: Some(json!({ "error": error })), headers: Vec::new() }
    }
}

impl KeyVault {
    /// Starts an empty vault.
    pub async fn start(now: Now) -> Self {
        let state = State {
            now,
            url: String::new(),
            contract: Contract::load(include_str!("../../../specs/azure-keyvault-secrets.openapi.json")),
            rules: Rules::default(),
            secrets: Secrets::default(),
            tokens: BTreeMap::new(),
            issued: 0,
            troubles: Vec::new(),
            requests: Vec::new(),
            said: String::new(),
            violations: BTreeSet::new(),
            changes: 0,
        };
        let state = Arc::new(Mutex::new(state));
        let (address, listening) = server::serve(Arc::clone(&state)).await;
        let vault = Self { address, state, listening };
        vault.state().url = vault.url();
        vault
    }

    /// Where it is: the vault, the sign-in, the machine's metadata.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Changes what it does.
    pub fn rule(&self, change: impl FnOnce(&mut Rules)) {
        change(&mut self.state().rules);
    }

    /// The environment of a process that signs in with the application's secret.
    pub fn variables(&self) -> BTreeMap<String, String> {
        [
            ("AZURE_TENANT_ID", TENANT),
            ("AZURE_CLIENT_ID", CLIENT),
            ("AZURE_CLIENT_SECRET", CLIENT_SECRET),
            ("AZURE_AUTHORITY_HOST", &self.url()),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    /// The versions of a secret, the oldest first; empty when there is none.
    pub fn versions(&self, name: &str) -> Vec<Version> {
        self.state().secrets.versions(name)
    }

    /// A person sets a value in the portal.
    pub fn set_by_hand(&self, name: &str, value: &str, tags: &[(&str, &str)]) {
        let state = &mut *self.state();
        let tags = tags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        state.secrets.settle();
        state.secrets.restore(name);
        let set = state.secrets.set((name, value), tags, &Value::Null, (state.now)());
        assert!(set.is_ok(), "a person's value");
    }

    /// A person sets a value in the portal so many seconds from now.
    pub fn set_by_hand_at(&self, name: &str, value: &str, tags: &[(&str, &str)], later: i64) {
        self.set_by_hand(name, value, tags);
        self.state().secrets.made_later(name, later);
    }

    /// A person deletes a secret, and waits until it is done.
    pub fn delete_by_hand(&self, name: &str) {
        let state = &mut *self.state();
        let now = (state.now)();
        // There may be none.
        let _ = state.secrets.delete(name, now, 0);
    }

    /// A person enables or disables the newest version.
    pub fn enable_by_hand(&self, name: &str, enabled: bool) {
        self.state().secrets.enable(name, enabled);
    }

    /// A person makes a secret a certificate's.
    pub fn manage(&self, name: &str) {
        self.state().secrets.manage(name);
    }

    /// All tokens end now.
    pub fn end_tokens(&self) {
        self.state().tokens.clear();
    }

    /// The next request of that kind meets trouble.
    pub fn trouble(&self, trouble: Trouble, on: On) {
        self.state().troubles.push((on, trouble));
    }

    /// The requests so far, as `METHOD /path`.
    pub fn requests(&self) -> Vec<String> {
        self.state().requests.clone()
    }

    /// How many requests so far started like this.
    pub fn count(&self, start: &str) -> usize {
        self.state().requests.iter().filter(|request| request.starts_with(start)).count()
    }

    /// A token that works, as somebody has who is signed in elsewhere.
    pub fn token(&self) -> String {
        let state = &mut *self.state();
        let (token, end) = ("token-of-somebody-signed-in".to_owned(), (state.now)() + state.rules.token_seconds);
        state.tokens.insert(token.clone(), end);
        token
    }

    /// How many tokens were given out.
    pub fn issued(&self) -> usize {
        self.state().issued
    }

    /// How many requests took effect that change something.
    pub fn changes(&self) -> usize {
        self.state().changes
    }

    /// Everything that it was told besides values and logins.
    pub fn said(&self) -> String {
        self.state().said.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

impl Drop for KeyVault {
    fn drop(&mut self) {
        self.listening.abort();
        let violations = std::mem::take(&mut self.state().violations);
        if !std::thread::panicking() {
            assert!(violations.is_empty(), "the vendor's document does not allow this: {violations:#?}");
        }
    }
}
