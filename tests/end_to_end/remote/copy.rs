//! `provision copy`: a whole service from one table to another, and back.

use super::table::Elsewhere;
use crate::command::{START, TWO};

/// A world with a manifest applied to an embedded table, and its secrets.
async fn applied() -> (Elsewhere, Vec<String>) {
    let there = Elsewhere::start("latchkey").await;
    there.world.write("tokens.toml", &format!("{START}{TWO}"));
    there.world.run("apply").exits(0);
    there.world.run("rotate tokens.toml build-api").exits(0);
    let secrets = ["BUILD_TOKEN", "DEPLOY_TOKEN"].map(|name| there.world.entry(".env", name)).to_vec();
    (there, secrets)
}

fn is_valid(there: &Elsewhere, file: &str, secret: &str) -> bool {
    there.world.pipe(&format!("token verify --service embedded:{file}"), secret).code == Some(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_go_on_working_from_a_file_to_a_table_and_back() {
    let (there, secrets) = applied().await;
    let copied = there.run("copy embedded:latchkey.db table:latchkey --format json").exits(0).json();
    assert_eq!(copied["kinds"]["tokens"], 2);
    assert_eq!(copied["resumed"], false);
    for secret in &secrets {
        assert!(there.is_valid("latchkey", secret));
    }
    // The table is the service now: nothing is left to do there, and a rotation is its own.
    there.world.edit("embedded = \"latchkey.db\"", "table = \"latchkey\"\nregion = \"us-east-1\"");
    there.run("plan --detailed-exitcode").exits(0);
    there.run("rotate tokens.toml deploy-api").exits(0);
    let newer = there.world.entry(".env", "DEPLOY_TOKEN");
    let back = there.run("copy table:latchkey embedded:back.db").exits(0);
    assert!(back.stdout.contains("the same in both"), "{}", back.stdout);
    for secret in secrets.iter().chain([&newer]) {
        assert!(is_valid(&there, "back.db", secret));
    }
    assert!(!is_valid(&there, "latchkey.db", &newer), "the source of the first copy was left as it was");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_is_in_use_is_never_written() {
    let (there, secrets) = applied().await;
    there.world.run("role set other -p documents:read --service embedded:other.db").exits(0);
    let foreign = there.run("copy embedded:latchkey.db embedded:other.db").exits(4);
    assert!(foreign.stderr.contains("already contains a service"), "{}", foreign.stderr);
    assert!(!is_valid(&there, "other.db", &secrets[0]));
    there.run("copy embedded:latchkey.db table:latchkey").exits(0);
    // The copy is in use: what was deleted there stays deleted, although the source still has it.
    there.run("token delete build-api --user ci --yes --service table:latchkey").exits(0);
    let done = there.run("copy embedded:latchkey.db table:latchkey").exits(4);
    assert!(done.stderr.contains("already copied from this service"), "{}", done.stderr);
    assert!(!there.is_valid("latchkey", &secrets[0]) && there.is_valid("latchkey", &secrets[1]));
    let other = there.run("copy embedded:other.db table:latchkey").exits(4);
    assert!(other.stderr.contains("is already an unfinished copy of"), "{}", other.stderr);
    there.run("copy embedded:latchkey.db embedded:latchkey.db").exits(1);
    there.run("copy embedded:missing.db embedded:new.db").exits(1);
    there.run("copy https://api.invalid embedded:new.db").exits(1);
}
