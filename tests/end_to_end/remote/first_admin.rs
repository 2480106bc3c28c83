//! The first admin: once, whoever races; and the way back.

use std::os::unix::fs::PermissionsExt as _;

use tests::provision::{World, finish, secrets_in};

use super::{Remote, bootstrap};

#[test]
fn of_eight_at_once_exactly_one_makes_the_first_admin() {
    let world = World::new();
    // The file and its table are there: it is the admin that is raced for.
    world.run("role set reader -p documents:read --service embedded:latchkey.db").exits(0);
    let racers: Vec<_> = (0..8)
        .map(|number| {
            let user = format!("admin-{number}");
            let words = ["bootstrap", "--user", &user, "--service", "embedded:latchkey.db"];
            world.command(words).spawn().unwrap()
        })
        .collect();
    let ended: Vec<_> = racers.into_iter().map(|racer| finish(racer, None)).collect();
    let winners: Vec<_> = ended.iter().filter(|ran| ran.code == Some(0)).collect();
    assert_eq!(winners.len(), 1, "{ended:?}");
    let secret = winners[0].stdout.trim();
    assert_eq!(secrets_in(secret).len(), 1);
    for loser in ended.iter().filter(|ran| ran.code != Some(0)) {
        assert!(loser.stdout.is_empty() && loser.code == Some(1), "{loser:?}");
        assert!(loser.stderr.contains("already has a first admin") || loser.stderr.contains("was faster"), "{loser:?}");
    }
    let valid = world.pipe("token verify --service embedded:latchkey.db", secret).exits(0);
    assert!(valid.stdout.contains("*:*") || valid.stdout.contains("allows"), "{}", valid.stdout);
    // Nobody else got a token that works.
    let users = world.run("user list --service embedded:latchkey.db --format json").exits(0).json();
    let active: u64 = users["users"].as_array().unwrap().iter().filter_map(|user| user["active_tokens"].as_u64()).sum();
    assert_eq!(active, 1);
}

#[test]
fn a_lost_admin_comes_back_with_replace_and_the_former_token_ends() {
    let remote = Remote::start();
    let again = remote.world.run("bootstrap --user root --service embedded:latchkey.db").exits(1);
    assert!(again.stderr.contains("provision bootstrap --replace"), "{}", again.stderr);
    let made = remote.world.run("bootstrap --replace --user root --service embedded:latchkey.db").exits(0);
    let second = made.stdout.trim().to_owned();
    remote.admin("role list").exits(1);
    remote.run_as(&second, "role list").exits(0);
    // So does an expired one.
    remote.world.clock(40 * tests::provision::DAY);
    remote.run_as(&second, "role list").exits(1);
    let third = remote.world.run("bootstrap --replace --user root --service embedded:latchkey.db").exits(0);
    remote.run_as(third.stdout.trim(), "role list").exits(0);
}

#[test]
fn the_secret_goes_to_a_new_file_that_nobody_else_reads() {
    let world = World::new();
    world.write("taken", "");
    let refused = world.run("bootstrap --user root --out taken --service embedded:latchkey.db").exits(1);
    assert!(refused.stderr.contains("nothing was created"), "{}", refused.stderr);
    let made = world.run("bootstrap --user root --out admin.secret --service embedded:latchkey.db").exits(0);
    assert!(secrets_in(&made.stdout).is_empty() && secrets_in(&made.stderr).is_empty());
    let mode = std::fs::metadata(world.path("admin.secret")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(secrets_in(&world.read("admin.secret")).len(), 1);
    // A second one fails, and leaves no empty file behind.
    world.run("bootstrap --user root --out other.secret --service embedded:latchkey.db").exits(1);
    assert!(!world.path("other.secret").exists());
}

#[test]
fn through_a_server_nobody_is_made_admin() {
    let remote = Remote::start();
    let refused = remote.admin("bootstrap --replace").exits(1);
    assert!(refused.stderr.contains("--service table:NAME"), "{}", refused.stderr);
    let _ = bootstrap(&World::new(), "embedded:latchkey.db");
}
