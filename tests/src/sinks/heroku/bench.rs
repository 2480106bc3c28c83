//! The sink for Heroku on the fake, as the conformance suite sees it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use latchkey::place::Place;
use latchkey_sinks::conformance::{Bench, On, Trouble};
use latchkey_sinks::deadline::Elapsed;
use latchkey_sinks::heroku::{self as sink, Settings, Target};
use latchkey_sinks::host::Queues;
use latchkey_sinks::login::Login;
use latchkey_sinks::transport::{Address, Http};
use latchkey_sinks::{DeclaredSink, PushDeclaration, SinkFacts};
use tempfile::TempDir;

use super::super::vendor::Listening;
use super::super::{Nap, ToolBench, elapsed};
use super::Heroku;

const APP: &str = "acme-worker";

/// A fake with one app, and the file that its login stands in.
#[derive(Debug)]
pub struct HerokuBench {
    pub heroku: Listening<Heroku>,
    folder: TempDir,
    logins: AtomicU64,
}

impl HerokuBench {
    /// A fake with one app, `acme-worker`.
    pub async fn start() -> Self {
        let bench = Self {
            heroku: Heroku::new("login-0", &[APP]).serve().await,
            folder: TempDir::new().expect("a temporary folder can be made"),
            logins: AtomicU64::new(0),
        };
        bench.renew("login-0");
        // Raised on request, as Heroku does: long runs ask more often than an account may by default.
        bench.heroku.vendor().left(1_000_000_000);
        bench
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("login")
    }

    /// The login that is accepted now.
    pub fn login(&self) -> String {
        std::fs::read_to_string(self.file()).unwrap_or_default()
    }

    /// Another login takes over: the fake accepts no other, and the file holds it.
    #[expect(clippy::disallowed_methods, reason = "nobody reads it meanwhile")]
    pub fn renew(&self, login: &str) {
        self.heroku.vendor().accept(login);
        std::fs::write(self.file(), login).expect("a file of one's own can be written");
    }

    /// What a manifest declares for it.
    pub fn settings(&self, target: Target) -> Settings {
        Settings { target, login: Login::File { file: self.file() }, endpoint: Some(self.heroku.url()) }
    }

    /// The sink on an app or a stage.
    pub fn sink_for(&self, target: Target) -> sink::Heroku {
        let config = self.settings(target);
        let address = Address::parse(&self.heroku.url()).expect("loopback is an address");
        let made = sink::Heroku::new(&config, address.clone(), &Queues::default()).expect("loopback is an address");
        made.with_transport(Arc::new(Http::new(address)), Nap, elapsed)
    }
}

#[async_trait]
impl Bench for HerokuBench {
    fn sink(&self) -> Arc<dyn DeclaredSink> {
        Arc::new(self.sink_for(Target::App(APP.to_owned())))
    }

    fn facts(&self) -> Option<Box<dyn SinkFacts>> {
        Some(Box::new(self.settings(Target::App(APP.to_owned()))))
    }

    fn push(&self, name: &str) -> PushDeclaration {
        PushDeclaration::plain("worker", name)
    }

    async fn value(&self, place: &Place) -> Option<String> {
        self.heroku.vendor().running(APP, place.part("name")?)
    }

    async fn by_hand(&self, place: &Place, value: &str) {
        self.heroku.vendor().by_hand(APP, place.part("name").unwrap_or_default(), Some(value));
    }

    async fn removed_by_hand(&self, place: &Place) {
        self.heroku.vendor().by_hand(APP, place.part("name").unwrap_or_default(), None);
    }

    fn trouble(&self, trouble: Trouble, on: On) -> bool {
        if trouble == Trouble::LoginExpired {
            let number = self.logins.fetch_add(1, Ordering::SeqCst) + 1;
            self.renew(&format!("login-{number}"));
        } else {
            self.heroku.meets(trouble, on);
        }
        true
    }

    async fn changes(&self) -> usize {
        self.heroku.changes()
    }

    fn clock(&self) -> Elapsed {
        elapsed
    }
}

#[async_trait]
impl ToolBench for HerokuBench {
    fn url(&self) -> Option<String> {
        Some(self.heroku.url())
    }

    fn declaration(&self, url: &str) -> String {
        let login = self.file().display().to_string();
        format!("type = \"heroku\"\napp = \"{APP}\"\nendpoint = \"{url}\"\nlogin = {{ file = \"{login}\" }}\n")
    }
}
