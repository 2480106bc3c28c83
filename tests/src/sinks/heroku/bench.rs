//! The sink for Heroku on the fake, as the conformance suite sees it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use latchkey::place::Place;
use provisioner::sinks::heroku::{self as sink, Settings, Target};
use provisioner::sinks::host::Queues;
use provisioner::sinks::login::Login;
use provisioner::sinks::{DeclaredSink, PushDeclaration};
use provisioner::transport::{Address, Http};
use tempfile::TempDir;

use super::super::vendor::Listening;
use super::super::{Bench, Nap, On, Trouble, elapsed};
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

    /// The sink on an app or a stage.
    pub fn sink_for(&self, target: Target) -> sink::Heroku {
        let endpoint = self.heroku.url();
        let address = Address::parse(&endpoint).expect("loopback is an address");
        let config = Settings { target, login: Login::File { file: self.file() }, endpoint: Some(endpoint) };
        let made = sink::Heroku::new(&config, &Queues::default()).expect("loopback is an address");
        made.with_transport(Arc::new(Http::new(address)), Nap, elapsed)
    }
}

#[async_trait]
impl Bench for HerokuBench {
    fn sink(&self) -> Arc<dyn DeclaredSink> {
        Arc::new(self.sink_for(Target::App(APP.to_owned())))
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

    fn url(&self) -> Option<String> {
        Some(self.heroku.url())
    }

    fn declaration(&self, url: &str) -> String {
        let login = self.file().display().to_string();
        format!("type = \"heroku\"\napp = \"{APP}\"\nendpoint = \"{url}\"\nlogin = {{ file = \"{login}\" }}\n")
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
}
