//! Tokens that are no longer declared: kept without the flag, guarded with it, ended in two steps.

use tests::provision::{DAY, HOUR, World};

use super::{START, TWO, applied, assert_told};

fn many(count: usize) -> String {
    use std::fmt::Write as _;
    let mut text = START.replace("roles = [\"reader\"]", "roles = [\"reader\"]\nmax_tokens = 20");
    for number in 1..=count {
        let _ = write!(
            text,
            "\n[tokens.build-{number}]\nuser = \"ci\"\npush = [{{ sink = \"dev\", name = \"B{number}\" }}]\n"
        );
    }
    text
}

#[test]
fn an_emptied_manifest_prunes_nothing_without_the_flag_and_little_with_it() {
    let world = applied();
    let before = world.read(".env");
    world.write("tokens.toml", START);
    world.run("plan --detailed-exitcode").exits(0);
    world.run("apply").exits(0);
    world.run("plan --prune").exits(1);
    world.run("apply --prune").exits(4);
    world.run("apply --prune --allow-deletes 1").exits(4);
    assert_eq!(world.read(".env"), before);
    assert!(world.is_valid(&world.entry(".env", "BUILD_TOKEN")));
    assert_told!(world);
    world.run("apply --prune --allow-deletes 2").exits(0);
    assert!(!world.read(".env").contains("TOKEN"));
}

#[test]
fn a_manifest_that_lost_most_of_its_tokens_is_stopped_by_a_guard() {
    let world = World::with(&many(12));
    world.run("apply").exits(0);
    let _ = world.told();
    world.write("tokens.toml", &many(7));
    world.run("apply --prune").exits(4);
    assert!(world.is_valid(&world.entry(".env", "B12")));
    assert_told!(world);
    // A few are what pruning is for.
    world.write("tokens.toml", &many(9));
    world.run("apply --prune").exits(0);
    assert!(!world.read(".env").contains("B12="));
    assert!(world.read(".env").contains("B9="));
}

#[test]
fn pruning_removes_the_entries_first_and_ends_the_token_after_its_overlap() {
    let world = applied();
    let secret = world.entry(".env", "DEPLOY_TOKEN");
    let (kept, _) = TWO.split_once("[tokens.deploy-api]").unwrap();
    world.write("tokens.toml", &format!("{START}{kept}"));
    world.run("plan --prune --detailed-exitcode").exits(2);
    world.run("apply --prune").exits(0);
    assert!(!world.read(".env").contains("DEPLOY_TOKEN"));
    assert!(world.is_valid(&secret), "a consumer that read it at its start goes on");
    world.clock(24 * HOUR - 60);
    world.run("apply --prune").exits(0);
    assert!(world.is_valid(&secret));
    world.clock(24 * HOUR + 60);
    // Without the flag nothing ends.
    world.run("apply").exits(0);
    assert!(world.is_valid(&secret));
    world.run("apply --prune").exits(0);
    assert!(!world.is_valid(&secret));
    world.run("plan --prune --detailed-exitcode").exits(0);
    world.run("token list -u ci").exits(0);
    assert_told!(world);
}

#[test]
fn a_token_that_is_declared_again_stays() {
    let world = applied();
    let secret = world.entry(".env", "DEPLOY_TOKEN");
    let (kept, _) = TWO.split_once("[tokens.deploy-api]").unwrap();
    world.write("tokens.toml", &format!("{START}{kept}"));
    world.run("apply --prune").exits(0);
    world.write("tokens.toml", &format!("{START}{TWO}"));
    let _ = world.told();
    world.run("apply").exits(0);
    assert_told!(world);
    world.clock(2 * DAY);
    world.run("apply --prune").exits(0);
    world.run("plan --prune --detailed-exitcode").exits(0);
    let now = world.entry(".env", "DEPLOY_TOKEN");
    assert!(world.is_valid(&now));
    assert_ne!(now, secret, "its only readable copy was removed");
}

#[tokio::test]
async fn a_token_that_was_used_lately_is_not_pruned_unless_told_so() {
    let world = applied();
    let secret = world.entry(".env", "DEPLOY_TOKEN");
    super::vault::note_use(&world, &secret).await;
    let (kept, _) = TWO.split_once("[tokens.deploy-api]").unwrap();
    world.write("tokens.toml", &format!("{START}{kept}"));
    world.run("apply --prune").exits(3);
    assert_eq!(world.entry(".env", "DEPLOY_TOKEN"), secret);
    assert_told!(world);
    world.run("apply --prune --prune-used").exits(0);
    assert!(!world.read(".env").contains("DEPLOY_TOKEN"));
}
