//! The sink for Vercel on the fake, as the conformance suite sees it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use latchkey::clock::{Clock, SystemClock};
use latchkey::place::Place;
use provisioner::manifest::{Environment, Login, PushDeclaration, VercelConfig};
use provisioner::sinks::DeclaredSink;
use provisioner::sinks::host::Queues;
use provisioner::sinks::vercel as sink;
use provisioner::transport::{Address, Http};
use tempfile::TempDir;

use super::super::vendor::Listening;
use super::super::{Bench, Nap, On, Trouble, elapsed, push};
use super::{HOOK, PROJECT, Vercel};

/// A fake, and the file that its login stands in.
#[derive(Debug)]
pub struct VercelBench {
    pub vercel: Listening<Vercel>,
    folder: TempDir,
    logins: AtomicU64,
}

impl VercelBench {
    /// A fake with the project `acme-web`.
    pub async fn start() -> Self {
        Self::at(Arc::new(SystemClock)).await
    }

    /// The same at another time.
    pub async fn at(clock: Arc<dyn Clock>) -> Self {
        let bench = Self {
            vercel: Vercel::at(clock, "login-0").serve().await,
            folder: TempDir::new().expect("a temporary folder can be made"),
            logins: AtomicU64::new(0),
        };
        bench.renew("login-0");
        bench.write("hook", &format!("{}{HOOK}", bench.vercel.url()));
        bench
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    #[expect(clippy::disallowed_methods, reason = "nobody reads it meanwhile")]
    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.file(name), text).expect("a file of one's own can be written");
    }

    /// The login that is accepted now.
    pub fn login(&self) -> String {
        std::fs::read_to_string(self.file("login")).unwrap_or_default()
    }

    /// Another login takes over: the fake accepts no other, and the file holds it.
    pub fn renew(&self, login: &str) {
        self.vercel.vendor().accept(login);
        self.write("login", login);
    }

    /// The settings of the sink.
    pub fn config(&self) -> VercelConfig {
        VercelConfig {
            project: PROJECT.to_owned(),
            team: None,
            login: Login::File(self.file("login")),
            endpoint: Some(self.vercel.url()),
            deploy_hook: None,
        }
    }

    /// The settings with a deploy hook, which stands in a file.
    pub fn with_hook(&self) -> VercelConfig {
        VercelConfig { deploy_hook: Some(Login::File(self.file("hook"))), ..self.config() }
    }

    /// The sink with such settings.
    pub fn on(&self, config: &VercelConfig) -> sink::Vercel {
        let address = Address::parse(&self.vercel.url()).expect("loopback is an address");
        let made = sink::Vercel::new(config, &Queues::default()).expect("loopback is an address");
        made.over(Arc::new(Http::new(address)), Nap, elapsed)
    }
}

#[async_trait]
impl Bench for VercelBench {
    fn sink(&self) -> Arc<dyn DeclaredSink> {
        Arc::new(self.on(&self.config()))
    }

    fn push(&self, name: &str) -> PushDeclaration {
        PushDeclaration { environment: Some(Environment::Production), ..push("web", name) }
    }

    async fn value(&self, place: &Place) -> Option<String> {
        self.vercel.vendor().value(place.part("name")?, place.part("target")?, place.part("branch"))
    }

    async fn by_hand(&self, place: &Place, value: &str) {
        let part = |name| place.part(name).unwrap_or_default();
        self.vercel.vendor().by_hand(part("name"), part("target"), place.part("branch"), value);
    }

    async fn removed_by_hand(&self, place: &Place) {
        let part = |name| place.part(name).unwrap_or_default();
        self.vercel.vendor().removed_by_hand(part("name"), part("target"), place.part("branch"));
    }

    fn url(&self) -> Option<String> {
        Some(self.vercel.url())
    }

    fn declaration(&self, url: &str) -> String {
        let login = self.file("login").display().to_string();
        format!("type = \"vercel\"\nproject = \"{PROJECT}\"\nendpoint = \"{url}\"\nlogin = {{ file = \"{login}\" }}\n")
    }

    async fn redeployed(&self) {
        self.vercel.vendor().deploy("production", None);
    }

    fn trouble(&self, trouble: Trouble, on: On) -> bool {
        if trouble == Trouble::LoginExpired {
            let number = self.logins.fetch_add(1, Ordering::SeqCst) + 1;
            self.renew(&format!("login-{number}"));
        } else {
            self.vercel.meets(trouble, on);
        }
        true
    }

    async fn changes(&self) -> usize {
        self.vercel.changes()
    }
}
