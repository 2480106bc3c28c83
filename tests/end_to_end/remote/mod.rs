//! The command against a server, and everything that comes with not having the table in hand.

mod by_hand;
mod copy;
mod faults;
mod first_admin;
mod lease;
mod run;
mod table;
mod trust;

use tests::provision::{Ran, World};
use tests::remote::Served;

/// A manifest with everything but the service and tokens.
const START: &str = r#"manifest = "acme"

[service]
url = "URL"

[defaults]
expires_in = "90d"
rotate_every = "30d"
overlap = "24h"

[roles.reader]
permissions = ["documents:read"]

[users.ci]
kind = "service"
roles = ["reader"]

[sinks.dev]
type = "dotenv"
path = ".env"
"#;

/// Two tokens in one file.
const TWO: &str = r#"
[tokens.build-api]
user = "ci"
push = [{ sink = "dev", name = "BUILD_TOKEN" }]

[tokens.deploy-api]
user = "ci"
push = [{ sink = "dev", name = "DEPLOY_TOKEN" }]
"#;

/// A world with a server, an admin's token and a CI job's.
struct Remote {
    world: World,
    served: Served,
    url: String,
    admin: String,
    job: String,
}

impl Remote {
    /// A manifest with two tokens, by URL.
    fn start() -> Self {
        Self::with(&format!("{START}{TWO}"))
    }

    fn with(manifest: &str) -> Self {
        let world = World::new();
        let admin = bootstrap(&world, "embedded:latchkey.db");
        for words in [
            "role set job -p manifests:acme",
            "user set pipeline --kind service --roles job",
            "manifest grant acme -p documents:read",
        ] {
            world.run(&format!("{words} --service embedded:latchkey.db")).exits(0);
        }
        let made = world.run("token set main-pipeline --user pipeline --service embedded:latchkey.db").exits(0);
        let job = made.stdout.trim().to_owned();
        let served = Served::start(&world, "latchkey.db");
        let url = served.url().to_owned();
        world.write("tokens.toml", &manifest.replace("URL", &url));
        let _ = world.told();
        Self { world, served, url, admin, job }
    }

    /// Runs a command with the job's token.
    fn run(&self, words: &str) -> Ran {
        self.run_as(&self.job, words)
    }

    /// Runs a command with the admin's token.
    fn admin(&self, words: &str) -> Ran {
        self.run_as(&self.admin, words)
    }

    fn run_as(&self, token: &str, words: &str) -> Ran {
        self.world.run_in(&[("LATCHKEY_URL", &self.url), ("LATCHKEY_TOKEN", token)], words)
    }

    /// Whether a secret is valid, asked where the table is.
    fn is_valid(&self, secret: &str) -> bool {
        let ran = self.world.pipe("token verify --service embedded:latchkey.db", secret);
        ran.code == Some(0)
    }
}

fn bootstrap(world: &World, service: &str) -> String {
    let made = world.run(&format!("bootstrap --user root --service {service}")).exits(0);
    made.stdout.trim().to_owned()
}
