//! `table:NAME`: AWS directly. `LATCHKEY_TEST_ENGINE=ministack` takes that engine, otherwise the embedded one behind a
//! socket.

use latchkey::table::Table;
use tests::engine::{Engine, Store};
use tests::provision::{Ran, World, secrets_in};
use tests::remote::{DynamoDb, Served, environment};

use super::{bootstrap, manifest};

/// A world, and a table somewhere.
pub(super) struct Elsewhere {
    pub(super) world: World,
    environment: Vec<(String, String)>,
    _store: Option<Store>,
}

impl Elsewhere {
    pub(super) async fn start(table: &str) -> Self {
        let (environment, store) = match Engine::of_aws() {
            Engine::Dynoxide => (DynamoDb::start().environment(), None),
            engine => {
                let store = Store::on(engine).await;
                let url = store.endpoint().expect("it listens").to_owned();
                (environment(&url), Some(store))
            }
        };
        let elsewhere = Self { world: World::new(), environment, _store: store };
        elsewhere.make(table).await;
        elsewhere
    }

    /// Makes a table, as a template would.
    pub(super) async fn make(&self, table: &str) {
        let client = tests::engine::client_at(&self.environment[0].1);
        Table::new(client, table).create_if_absent().await.unwrap();
    }

    pub(super) fn run(&self, words: &str) -> Ran {
        let pairs: Vec<(&str, &str)> = self.environment.iter().map(|(name, value)| (&**name, &**value)).collect();
        self.world.run_in(&pairs, words)
    }

    /// A server on it.
    pub(super) fn serve(&self, words: &str) -> Served {
        let mut command = self.world.command(format!("serve {words}").split_whitespace());
        command.envs(self.environment.iter().cloned());
        Served::run(command)
    }

    /// Whether a secret is valid there.
    pub(super) fn is_valid(&self, table: &str, secret: &str) -> bool {
        let service = format!("table:{table}");
        let mut command = self.world.command(["token", "verify", "--service", &service]);
        command.envs(self.environment.iter().cloned()).stdin(std::process::Stdio::piped());
        tests::provision::finish(command.spawn().unwrap(), Some(secret)).code == Some(0)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_is_applied_to_a_table_as_its_operator() {
    let there = Elsewhere::start("latchkey").await;
    let manifest = manifest("table = \"latchkey\"\nregion = \"us-east-1\"");
    there.world.write("tokens.toml", &manifest);
    there.run("plan --detailed-exitcode").exits(2);
    there.run("apply").exits(0);
    assert!(there.is_valid("latchkey", &there.world.entry(".env", "BUILD_TOKEN")));
    there.run("rotate tokens.toml --all --wait 0").exits(0);
    there.run("plan --detailed-exitcode").exits(0);
    let shown = there.run("token show build-api --user ci --format json").exits(0).json();
    let actor = shown["events"][0]["actor"].as_str().unwrap();
    assert_eq!(actor, format!("operator:{}", tests::provision::login()), "no STS answers behind the endpoint");
    let told = there.world.told();
    assert!(secrets_in(&told).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_not_there_is_told_and_not_made() {
    let there = Elsewhere::start("latchkey").await;
    let missing = there.run("role list --service table:another").exits(1);
    assert!(missing.stderr.contains("the table `another` does not exist"), "{}", missing.stderr);
    let nowhere = there.world.run("role list --service table:latchkey").exits(1);
    assert!(nowhere.stderr.contains("no AWS region is set"), "{}", nowhere.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_more_than_a_minute_off_is_refused() {
    let there = Elsewhere::start("latchkey").await;
    if Engine::of_aws() == Engine::Dynoxide {
        // The engine of these tests takes the real time.
        there.world.clock(50);
        there.run("role list --service table:latchkey").exits(0);
    }
    for seconds in [90, -90] {
        there.world.clock(seconds);
        let refused = there.run("role set reader -p documents:read --service table:latchkey").exits(1);
        assert!(refused.stderr.contains("clock and the table's are"), "{}", refused.stderr);
    }
    there.world.clock(0);
    let roles = there.run("role list --service table:latchkey").exits(0);
    assert!(roles.stdout.contains("No roles"), "{}", roles.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_admin_of_a_table_is_made_with_bootstrap() {
    let there = Elsewhere::start("latchkey").await;
    let made = there.run("bootstrap --user root --service table:latchkey").exits(0);
    assert!(there.is_valid("latchkey", made.stdout.trim()));
    there.run("bootstrap --user root --service table:latchkey").exits(1);
    let _ = bootstrap(&there.world, "embedded:other.db");
}
