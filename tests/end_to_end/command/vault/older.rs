//! Older versions: retired, kept, and put back by somebody.

use tests::engines::Fault;
use tests::provision::HOUR;

use super::{Vault, assert_told, note_use};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_older_version_is_retired_after_overlap_and_quiet_time_and_not_a_run_earlier() {
    let vault = Vault::start().await;
    let world = &vault.world;
    vault.run("apply").exits(0);
    let first = vault.value("prod/build-token").await;
    vault.run("rotate tokens.toml build-api").exits(0);
    let second = vault.value("prod/build-token").await;
    // Used in the middle of the overlap: that delays the end for as long as the overlap is.
    world.clock(12 * HOUR);
    note_use(world, &first).await;
    let _ = world.told();
    world.clock(24 * HOUR - 60);
    vault.run("apply").exits(0);
    assert!(world.is_valid(&first), "its overlap is not over");
    world.clock(24 * HOUR + 60);
    vault.run("apply").exits(0);
    assert!(world.is_valid(&first), "it was used 12 hours ago");
    // The note of a use may lag behind by an hour and a quarter.
    let over = 12 * HOUR + 24 * HOUR + HOUR + 15 * 60;
    world.clock(over - 60);
    vault.run("apply").exits(0);
    assert!(world.is_valid(&first));
    world.clock(over + 60);
    vault.run("apply").exits(0);
    assert!(!world.is_valid(&first) && world.is_valid(&second));
    // Again, and forced.
    vault.run("rotate tokens.toml build-api").exits(0);
    world.clock(61 * HOUR);
    note_use(world, &second).await;
    world.clock(62 * HOUR);
    vault.run("apply").exits(0);
    assert!(world.is_valid(&second));
    vault.run("apply --force-retire").exits(0);
    assert!(!world.is_valid(&second));
    assert!(world.is_valid(&vault.value("prod/build-token").await));
    vault.run("plan --detailed-exitcode").exits(0);
    assert_told!(world);
}

/// The console's only way back is to paste the former value: then AWS shows a version of nobody's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_former_value_that_somebody_put_back_works_until_its_place_is_repaired() {
    let vault = Vault::start().await;
    let (world, name) = (&vault.world, "prod/build-token");
    vault.run("apply").exits(0);
    let first = vault.value(name).await;
    vault.run("rotate tokens.toml build-api").exits(0);
    let second = vault.value(name).await;
    world.clock(25 * HOUR);
    vault.by_hand(name, &first).await;
    let _ = world.told();
    // The overlap is over, and AWS denies what would bring the current version back.
    let denied = || Fault::Refuse(400.try_into().unwrap(), "AccessDeniedException", "not authorized".to_owned());
    (1..=9).for_each(|nth| vault.manager.fail("UpdateSecretVersionStage", nth, denied()));
    vault.run("apply").exits(1);
    assert_eq!(vault.value(name).await, first);
    assert!(world.is_valid(&first), "what consumers read works");
    vault.manager.forgive();
    vault.run("apply").exits(0);
    assert_eq!(vault.value(name).await, second);
    assert!(world.is_valid(&first), "nothing ends in a run that repairs");
    vault.run("apply").exits(0);
    assert!(!world.is_valid(&first) && world.is_valid(&second));
    vault.run("plan --detailed-exitcode").exits(0);
    assert_told!(world);
}

/// What somebody pasted into a place that is no longer declared is read by its consumers all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_former_value_in_a_place_that_leaves_stays_valid_as_long_as_it_is_there() {
    let vault = Vault::start().await;
    let (world, name) = (&vault.world, "prod/build-token");
    world.edit(
        r#"push = [{ sink = "vault", name = "prod/build-token" }]"#,
        r#"push = [{ sink = "vault", name = "prod/build-token" }, { sink = "vault", name = "prod/other" }]"#,
    );
    vault.run("apply").exits(0);
    let first = vault.value(name).await;
    vault.run("rotate tokens.toml build-api").exits(0);
    vault.by_hand(name, &first).await;
    world.edit(r#"{ sink = "vault", name = "prod/build-token" }, "#, "");
    world.clock(25 * HOUR);
    let told = vault.run("apply").exits(0).stdout;
    assert!(told.contains("still contains version 1"), "{told}");
    world.clock(26 * HOUR);
    vault.run("apply").exits(0);
    assert!(world.is_valid(&first), "a consumer reads it");
    // Where it cannot be read nobody can tell.
    let denied = || Fault::Refuse(400.try_into().unwrap(), "AccessDeniedException", "not authorized".to_owned());
    (1..=9).for_each(|nth| vault.manager.fail("GetSecretValue", nth, denied()));
    vault.run("apply").exits(0);
    assert!(world.is_valid(&first));
    vault.manager.forgive();
    // A value that is none of the token's keeps nothing.
    vault.by_hand(name, "their own").await;
    vault.run("apply").exits(0);
    vault.run("apply").exits(0);
    assert!(!world.is_valid(&first));
    assert_eq!(vault.value(name).await, "their own");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_is_behind_keeps_the_version_that_it_may_contain() {
    let vault = Vault::start().await;
    let world = &vault.world;
    vault.run("apply").exits(0);
    let first = vault.value("prod/build-token").await;
    vault.run("rotate tokens.toml build-api").exits(0);
    vault.manager.replicate("prod/build-token", &[("us-east-1", "Failed", "the KMS key is disabled")]);
    world.clock(25 * HOUR);
    vault.run("apply").exits(0);
    assert!(world.is_valid(&first));
    let told = vault.run("plan").exits(0).stdout;
    assert!(told.contains("its replica in `us-east-1` (`Failed`) may still contain an older version"), "{told}");
    vault.manager.replicate("prod/build-token", &[("us-east-1", "InSync", "")]);
    vault.run("apply").exits(0);
    assert!(!world.is_valid(&first));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_retired_a_version_and_could_not_write_counts_what_it_did() {
    let vault = Vault::start().await;
    vault.run("apply").exits(0);
    let first = vault.value("prod/build-token").await;
    vault.run("rotate tokens.toml build-api").exits(0);
    vault.world.clock(26 * HOUR);
    vault.manager.fail(
        "PutSecretValue",
        1,
        Fault::Refuse(400.try_into().unwrap(), "AccessDeniedException", "not authorized".to_owned()),
    );
    let ran = vault.run("rotate tokens.toml build-api").exits(3);
    assert!(!vault.world.is_valid(&first));
    assert!(ran.stderr.contains("done token `ci/build-api`: version 1 retired\n"), "{}", ran.stderr);
    assert!(ran.stdout.contains("Incomplete: 1 changed, 1 failed"), "{}", ran.stdout);
}
