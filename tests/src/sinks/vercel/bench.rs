//! The sink for Vercel on the fake, as the conformance suite sees it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use latchkey::clock::{Clock, SystemClock};
use latchkey::place::Place;
use latchkey_sinks::conformance::{Bench, On, Trouble};
use latchkey_sinks::deadline::Elapsed;
use latchkey_sinks::host::Queues;
use latchkey_sinks::login::Login;
use latchkey_sinks::transport::{Address, Http};
use latchkey_sinks::vercel::{self as sink, Environment, Settings};
use latchkey_sinks::{DeclaredSink, PushDeclaration, SinkFacts};
use tempfile::TempDir;

use super::super::vendor::Listening;
use super::super::{Nap, ToolBench, elapsed};
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
    pub fn settings(&self) -> Settings {
        Settings {
            project: PROJECT.to_owned(),
            team: None,
            login: Login::File { file: self.file("login") },
            endpoint: Some(self.vercel.url()),
            deploy_hook: None,
        }
    }

    /// The settings with a deploy hook, which stands in a file.
    pub fn with_hook(&self) -> Settings {
        Settings { deploy_hook: Some(Login::File { file: self.file("hook") }), ..self.settings() }
    }

    /// The sink with such settings.
    pub fn sink_for(&self, settings: &Settings) -> sink::Vercel {
        let address = Address::parse(&self.vercel.url()).expect("loopback is an address");
        let made = sink::Vercel::new(settings, &Queues::default()).expect("loopback is an address");
        made.with_transport(Arc::new(Http::new(address)), Nap, elapsed)
    }
}

#[async_trait]
impl Bench for VercelBench {
    fn sink(&self) -> Arc<dyn DeclaredSink> {
        Arc::new(self.sink_for(&self.settings()))
    }

    fn facts(&self) -> Option<Box<dyn SinkFacts>> {
        Some(Box::new(self.settings()))
    }

    fn push(&self, name: &str) -> PushDeclaration {
        PushDeclaration { environment: Some(Environment::Production), ..PushDeclaration::plain("web", name) }
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

    fn clock(&self) -> Elapsed {
        elapsed
    }
}

#[async_trait]
impl ToolBench for VercelBench {
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
}
