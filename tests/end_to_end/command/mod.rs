//! The command `provision`, as its users meet it: the real binary, real files, and what it says word for word.

mod adopting;
mod beginning;
mod by_hand;
mod calm;
mod canary;
mod cases;
mod changing;
mod clock;
mod compromised;
mod counts;
mod day_one;
mod doctor;
mod dotenv;
mod events;
mod exits;
mod expiry;
mod files;
mod gitlab;
mod help;
mod hostile;
mod importing;
mod interrupt;
mod job;
mod json;
mod key_vault;
mod keyring;
mod linked;
mod lookups;
mod markdown;
mod moving;
mod overview;
mod people;
mod promises;
mod prompts;
mod prune;
mod publish;
mod published;
mod saved;
mod schedule;
mod screens;
mod seeds;
mod selection;
mod settings;
mod spilt;
mod strangers;
mod talking;
mod tokens;
mod vault;
mod verify;
mod ways_out;
mod words;
mod workflow;

use tests::provision::World;

/// A manifest with everything but tokens.
pub(crate) const START: &str = r#"manifest = "acme"

[service]
embedded = "latchkey.db"

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

/// A token that is rotated without the manifest's file.
pub(crate) const VAULT: &str = r#"
[sinks.vault]
type = "aws-secrets-manager"
region = "eu-west-1"
account = "123456789012"

[tokens.build-api]
user = "ci"
push = [{ sink = "vault", name = "prod/build-token" }]
"#;

/// Two tokens in one file.
pub(crate) const TWO: &str = r#"
[tokens.build-api]
user = "ci"
push = [{ sink = "dev", name = "BUILD_TOKEN" }]

[tokens.deploy-api]
user = "ci"
push = [{ sink = "dev", name = "DEPLOY_TOKEN" }]
"#;

/// A world where [`TWO`] tokens were applied.
fn applied() -> World {
    let world = World::with(&format!("{START}{TWO}"));
    world.run("apply").exits(0);
    let _ = world.told();
    world
}

/// Compares all that was said since the last time with what it should be.
macro_rules! assert_told {
    ($world:expr) => {
        insta::assert_snapshot!($world.told())
    };
    ($world:expr, $name:literal) => {
        insta::assert_snapshot!($name, $world.told())
    };
}
use assert_told;
