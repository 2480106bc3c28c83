//! Heroku's own command drives our fake of Heroku: what it takes for Heroku, our sink may too.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tempfile::TempDir;
use tests::sinks::heroku::{Heroku, PIPELINE};
use tests::sinks::vendor::Listening;
use tokio::process::Command;

/// How a command ended: whether well, and all that it said.
struct Said {
    good: bool,
    out: String,
    all: String,
}

struct Shell {
    home: TempDir,
    heroku: Listening<Heroku>,
}

impl Shell {
    async fn run(&self, words: &str) -> Said {
        let mut command = Command::new(program());
        command.args(words.split(' ')).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.home.path()).env("HEROKU_HOST", self.heroku.url()).env("HEROKU_API_KEY", "login-0");
        // Nothing of this leaves the machine.
        command.env("DISABLE_TELEMETRY", "true").env("HEROKU_SKIP_NEW_VERSION_CHECK", "true").env("CI", "true");
        command.env("http_proxy", "http://127.0.0.1:9").env("https_proxy", "http://127.0.0.1:9");
        command.env("no_proxy", "127.0.0.1").env("NO_COLOR", "1");
        let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await.unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        Said { good: output.status.success(), all: format!("{out}{err}"), out }
    }
}

fn program() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/engines/heroku/node_modules/.bin/heroku")
}

#[tokio::test]
async fn herokus_own_command_takes_the_fake_for_heroku() {
    if !program().exists() {
        tests::skip!("needs Heroku's command: run `tests/engines.sh`, with `npm` on this machine");
    }
    let heroku = Heroku::new("login-0", &["acme-worker"]).serve().await;
    let shell = Shell { home: TempDir::new().unwrap(), heroku };
    let vendor = shell.heroku.vendor();
    let set = shell.run("config:set GREETING=hello OTHER=a$b -a acme-worker").await;
    assert!(set.good, "{}", set.all);
    assert!(set.all.contains("v2"), "{}", set.all);
    assert_eq!(vendor.value("acme-worker", "GREETING").as_deref(), Some("hello"));
    assert_eq!(vendor.value("acme-worker", "OTHER").as_deref(), Some("a$b"));
    let get = shell.run("config:get GREETING -a acme-worker").await;
    assert_eq!((get.good, get.out.trim()), (true, "hello"), "{}", get.all);
    let all = shell.run("config -a acme-worker --json").await;
    assert!(all.good && all.out.contains("\"OTHER\": \"a$b\""), "{}", all.all);
    let unset = shell.run("config:unset OTHER -a acme-worker").await;
    assert!(unset.good, "{}", unset.all);
    assert_eq!(vendor.value("acme-worker", "OTHER"), None);
    let releases = shell.run("releases -a acme-worker --json").await;
    assert!(releases.good && releases.out.contains("\"version\": 3"), "{}", releases.all);
    let stage = shell.run(&format!("pipelines:info {PIPELINE}")).await;
    assert!(!stage.good, "the fake has no more of pipelines than their config vars");
    let nowhere = shell.run("config -a nobody-s-app").await;
    assert!(!nowhere.good && nowhere.all.contains("Couldn't find that app"), "{}", nowhere.all);
    vendor.accept("another");
    let refused = shell.run("config -a acme-worker").await;
    assert!(!refused.good, "{}", refused.all);
}
