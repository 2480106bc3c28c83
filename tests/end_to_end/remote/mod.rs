//! The command against a server, and everything that comes with not having the table in hand.

mod around;
mod attacked;
mod by_hand;
mod clock;
mod container;
mod copy;
mod daily;
mod faults;
mod first_admin;
mod lease;
mod login;
mod moving;
mod planner;
mod publish;
mod run;
mod settings;
mod sign_in;
mod stranger;
mod table;
mod team;
mod trust;
mod two_servers;

use tests::provision::{Ran, World};
use tests::remote::Served;

use crate::command::{START, TWO};

/// The command's manifest with everything but tokens, for a service elsewhere; a world puts its server's address for `URL`.
fn head(service: &str) -> String {
    START.replace("embedded = \"latchkey.db\"", service)
}

/// The same with two tokens in one file.
fn manifest(service: &str) -> String {
    head(service) + TWO
}

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
        Self::with(&manifest("url = \"URL\""))
    }

    fn with(manifest: &str) -> Self {
        let world = World::new();
        let admin = bootstrap(&world, "embedded:latchkey.db");
        for words in [
            "role set job -p manifests:acme",
            "user set pipeline --kind service --roles job",
            "manifest grant acme -p documents:read --new-user ci --new-role reader",
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

    /// Adds a token to the manifest whose role others have made, and allows more than the manifest's grant.
    fn declare_role_beyond_the_grant(&self) {
        let direct = "--service embedded:latchkey.db";
        self.world.run(&format!("role set auditor -p documents:read,audits:read {direct}")).exits(0);
        self.world.run(&format!("user set ana --roles auditor {direct}")).exits(0);
        let text = self.world.read("tokens.toml");
        let declared = "user = \"ana\"\nroles = [\"auditor\"]\npush = [{ sink = \"dev\", name = \"ANA_TOKEN\" }]";
        self.world.write("tokens.toml", &format!("{text}\n[tokens.ana-api]\n{declared}\n"));
        self.admin("manifest grant acme -p documents:read --user ana --role auditor --new-user * --new-role *")
            .exits(0);
    }
}

fn bootstrap(world: &World, service: &str) -> String {
    let made = world.run(&format!("bootstrap --user root --service {service}")).exits(0);
    made.stdout.trim().to_owned()
}
