//! Tokens that nothing rotates any more: until when they are valid, that they are about to expire, and what they leave.

use tests::provision::{DAY, HOUR, World};

use super::{START, TWO, applied, assert_told};

/// The manifest without the second token.
fn undeclare(world: &World) {
    let (kept, _) = TWO.split_once("[tokens.deploy-api]").unwrap();
    world.write("tokens.toml", &format!("{START}{kept}"));
}

#[test]
fn an_undeclared_token_shows_when_it_expires_then_warns_and_then_names_the_place_it_is_dead_in() {
    let world = applied();
    let secret = world.entry(".env", "DEPLOY_TOKEN");
    undeclare(&world);
    let first = world.run("plan --detailed-exitcode").exits(0).stdout;
    assert!(first.contains("not rotated any more: version 1 is valid until"), "{first}");
    assert!(!first.contains("warning"), "{first}");
    world.run("status").exits(0);
    world.clock(85 * DAY);
    let near = world.run("plan").exits(0).stdout;
    assert!(near.contains("deploy-api`: warning: version 1 is in use and expires at"), "{near}");
    world.run("status").exits(0);
    world.clock(91 * DAY);
    assert!(!world.is_valid(&secret));
    let dead = world.run("apply").exits(0).stdout;
    assert!(dead.contains("deploy-api`: warning: version 1 expired at"), "{dead}");
    assert!(dead.contains("and `.env DEPLOY_TOKEN` still contains it"), "{dead}");
    let status = world.run("status").exits(0).stdout;
    assert!(status.contains("1 expired") && !status.contains("in sync"), "{status}");
    world.run("doctor").exits(1);
    assert_told!(world);
    // What the line advises.
    world.write("tokens.toml", &format!("{START}{TWO}"));
    world.run("apply").exits(0);
    assert!(world.is_valid(&world.entry(".env", "DEPLOY_TOKEN")));
    assert!(world.run("status").exits(0).stdout.contains("all in sync"));
}

#[test]
fn a_job_of_github_is_warned_of_an_undeclared_token() {
    let world = applied();
    undeclare(&world);
    world.clock(85 * DAY);
    let ran = world.run_in(&[("GITHUB_ACTIONS", "true")], "plan").exits(0);
    assert!(ran.stderr.contains("::warning ") && ran.stderr.contains("version 1 is in use"), "{}", ran.stderr);
}

#[test]
fn a_leaving_token_shows_until_when_it_is_valid_and_leaves_nobody_behind() {
    let world = applied();
    undeclare(&world);
    world.run("apply --prune").exits(0);
    let leaving = world.run("plan").exits(0).stdout;
    assert!(leaving.contains("version 1 is valid until"), "{leaving}");
    assert!(leaving.contains("leaving, `--prune` deletes it after"), "{leaving}");
    world.clock(91 * DAY);
    world.run("rotate build-api").exits(0);
    let nowhere = world.run("plan").exits(0).stdout;
    assert!(!nowhere.contains("expired"), "{nowhere}");
}

#[test]
fn a_token_put_back_by_hand_while_it_is_leaving_is_named_when_it_is_dead() {
    let both = TWO.replace(
        "push = [{ sink = \"dev\", name = \"DEPLOY_TOKEN\" }]",
        "push = [{ sink = \"dev\", name = \"DEPLOY_TOKEN\" }, { sink = \"far\", name = \"DEPLOY_TOKEN\" }]\n[sinks.far]\ntype = \"dotenv\"\npath = \"far/.env\"",
    );
    let world = World::with(&format!("{START}{both}"));
    std::fs::create_dir(world.path("far")).unwrap();
    world.run("apply").exits(0);
    let secret = world.entry("far/.env", "DEPLOY_TOKEN");
    undeclare(&world);
    // A write may still arrive, so the places stay recorded.
    world.run("apply --prune").exits(0);
    world.write("far/.env", &format!("DEPLOY_TOKEN={secret}\n"));
    world.clock(91 * DAY);
    let dead = world.run("plan").exits(0).stdout;
    assert!(
        dead.contains("version 1 expired at") && dead.contains("`far/.env DEPLOY_TOKEN` still contains it"),
        "{dead}"
    );
}

#[test]
fn a_place_on_another_machine_is_named_as_it_was_last_written() {
    let world = World::with(&format!("{START}{TWO}"));
    world.run_in(&[("LATCHKEY_MACHINE", "laptop")], "apply").exits(0);
    world.write("tokens.toml", START);
    world.clock(85 * DAY);
    let near = world.run("plan").exits(0).stdout;
    assert!(near.contains("deploy-api`: warning: version 1 is in use and expires at"), "{near}");
    world.clock(91 * DAY);
    let dead = world.run("plan").exits(0).stdout;
    assert!(dead.contains("deploy-api`: warning: version 1 expired at"), "{dead}");
    assert!(dead.contains("; last written to `") && dead.contains("laptop"), "{dead}");
}

#[test]
fn each_version_that_a_place_contains_is_named() {
    let push = "push = [{ sink = \"dev\", name = \"DEPLOY_TOKEN\" }";
    let world =
        World::with(&format!("{START}{}", TWO.replace(push, &format!("{push}, {{ sink = \"dev\", name = \"OLD\" }}"))));
    world.run("apply").exits(0);
    let first = world.entry(".env", "DEPLOY_TOKEN");
    world.clock(DAY);
    world.run("rotate deploy-api").exits(0);
    let second = world.entry(".env", "OLD");
    world.write(".env", &world.read(".env").replace(&format!("OLD={second}"), &format!("OLD={first}")));
    undeclare(&world);
    world.clock(92 * DAY);
    let dead = world.run("plan").exits(0).stdout;
    assert!(dead.contains("version 1 expired at") && dead.contains("`.env OLD` still contains it"), "{dead}");
    assert!(dead.contains("version 2 expired at") && dead.contains("`.env DEPLOY_TOKEN` still contains it"), "{dead}");
}

#[test]
fn a_blocked_token_that_expired_is_still_shown_to_be_dead() {
    let world = applied();
    let push = "push = [{ sink = \"dev\", name = \"BUILD_TOKEN\" }";
    world.edit(push, &format!("{push}, {{ sink = \"dev\", name = \"MORE\" }}"));
    world.write(".env", &format!("{}MORE=by-hand\n", world.read(".env")));
    world.clock(91 * DAY);
    let plan = world.run("plan").exits(1).stdout;
    assert!(plan.contains("build-api`: blocked: `.env MORE`"), "{plan}");
    assert!(plan.contains("build-api`: warning: version 1 expired at"), "{plan}");
    assert!(plan.contains("`.env BUILD_TOKEN` still contains it"), "{plan}");
    assert!(world.run("status").exits(0).stdout.contains("2 expired, 1 blocked"));
}

#[test]
fn a_token_made_by_hand_that_no_manifest_can_take_over_is_warned_of() {
    let world = World::with(&format!("{START}{TWO}"));
    world.run("role set reader -p documents:read").exits(0);
    world.run("user set ci --kind service --roles reader").exits(0);
    let until = world.date(20);
    world.run(&format!("token set build-api -u ci --expires-at {until}")).exits(0);
    world.write(".env", "BUILD_TOKEN=by-hand\n");
    let plan = world.run("plan").exits(1).stdout;
    assert!(plan.contains("build-api`: blocked: ") && !plan.contains("warning"), "{plan}");
    world.clock(18 * DAY + HOUR);
    let plan = world.run("plan").exits(1).stdout;
    assert!(plan.contains("build-api`: warning: version 1 is in use and expires at"), "{plan}");
}

#[test]
fn an_expired_token_that_one_place_blocks_is_brought_to_the_others_by_what_the_plan_names() {
    let world = World::with(&format!("{START}\n[sinks.far]\ntype = \"dotenv\"\npath = \"far.env\"\n{TWO}"));
    world.edit(
        "{ sink = \"dev\", name = \"BUILD_TOKEN\" }",
        "{ sink = \"dev\", name = \"BUILD_TOKEN\" }, { sink = \"far\", name = \"BUILD_TOKEN\" }",
    );
    world.run("apply").exits(0);
    world.clock(91 * DAY);
    std::fs::remove_file(world.path("far.env")).unwrap();
    std::fs::create_dir(world.path("far.env")).unwrap();
    let blocked = world.run("apply --only build-api").exits(1).stdout;
    let way = "`provision rotate --compromised ci/build-api` serves the places that can be reached now";
    assert!(blocked.contains("blocked: cannot read `far.env BUILD_TOKEN`") && blocked.contains(way), "{blocked}");
    // What the line advises.
    world.run("rotate --compromised ci/build-api --yes").exits(3);
    assert!(world.is_valid(&world.entry(".env", "BUILD_TOKEN")));
    std::fs::remove_dir(world.path("far.env")).unwrap();
    world.run("apply").exits(0);
    assert_eq!(world.entry("far.env", "BUILD_TOKEN"), world.entry(".env", "BUILD_TOKEN"));
    assert!(world.run("status").exits(0).stdout.contains("all in sync"));
}
