//! Clocks that are wrong, and tables that are older copies: what is refused, what is shown, and the way back.

use std::fs;

use tests::provision::{DAY, HOUR, Ran, World};

use super::{START, TWO, applied};

/// 43 years, as a clock without a battery may show.
const FAR: i64 = 43 * 365 * DAY;

/// What both streams of a command say.
fn said(ran: &Ran) -> String {
    format!("{}{}", ran.stdout, ran.stderr)
}

/// Seconds from now to 1990.
fn to_1990() -> i64 {
    let then: jiff::Timestamp = "1990-06-01T00:00:00Z".parse().unwrap();
    then.duration_since(World::new().now()).as_secs()
}

#[test]
fn one_run_with_a_clock_far_ahead_is_told_of_and_undone() {
    let world = applied();
    world.clock(FAR);
    world.run("apply").exits(0);
    let rotated = world.entry(".env", "BUILD_TOKEN");
    world.clock(0);
    let (now, seen) = (world.date(0), world.date(FAR / DAY));
    // Nobody is locked out, and nothing calls it well.
    assert!(world.is_valid(&rotated));
    for command in ["plan", "apply", "status", "doctor"] {
        let ran = world.run(command);
        let told = said(&ran);
        assert!(told.contains(&now) && told.contains(&seen), "{command}: {told}");
        assert!(told.contains("--clock-is-right"), "{command}: {told}");
        assert!(!told.contains("in sync\n") && !told.contains("No problems"), "{command}: {told}");
        let code = match command {
            "apply" => 4,
            "status" => 0,
            _ => 1,
        };
        assert_eq!(ran.code, Some(code), "{command}");
    }
    assert_eq!(world.entry(".env", "BUILD_TOKEN"), rotated, "nothing was written by such a clock");
    let done = world.run("apply --clock-is-right").exits(0);
    assert!(done.stdout.contains("rotate to version 3, as its record has times in the future"), "{}", done.stdout);
    assert!(done.stdout.contains("build-api`: warning: its record has times in the future"), "{}", done.stdout);
    let fresh = world.entry(".env", "BUILD_TOKEN");
    assert!(world.is_valid(&fresh) && world.is_valid(&rotated));
    // From here on all is as if it had never been.
    let status = world.run("status --format json").exits(0).json();
    let token = &status["tokens"][0];
    let due: jiff::Timestamp = token["rotation_due"].as_str().unwrap().parse().unwrap();
    assert!(due.duration_since(world.now()).as_secs() <= 30 * DAY, "{token}");
    world.clock(DAY + 2 * HOUR);
    world.run("apply").exits(0);
    assert!(world.is_valid(&fresh) && !world.is_valid(&rotated), "the overlap began when the times were set right");
    world.run("doctor").exits(0);
    assert!(world.run("status").exits(0).stdout.contains("all in sync"));
}

#[test]
fn whoever_says_that_the_clock_is_right_is_on_record() {
    let world = applied();
    world.clock(400 * DAY);
    world.run("token set laptop").exits(0);
    world.clock(0);
    let refused = world.run("token set phone").exits(1);
    assert!(refused.stderr.contains("--clock-is-right") && refused.stdout.is_empty(), "{}", refused.stderr);
    world.run("token set phone --clock-is-right").exits(0);
    world.run("token set tablet").exits(0);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let events = runtime.block_on(async {
        let service = world.service("latchkey.db").await;
        service.role_events(service.now(), 50).await.unwrap()
    });
    let accepted: Vec<_> = events.iter().filter(|event| event.action == "clock.accept").collect();
    assert_eq!(accepted.len(), 1);
    assert!(accepted[0].actor.starts_with("operator:"), "{}", accepted[0].actor);
    let unneeded = world.run("token set watch --clock-is-right").exits(0);
    assert!(unneeded.stderr.contains("changed nothing"), "{}", unneeded.stderr);
}

#[test]
fn a_clock_that_was_never_set_creates_nothing_and_no_flag_helps() {
    let world = World::with(&format!("{START}{TWO}"));
    world.clock(to_1990());
    for command in ["apply", "apply --clock-is-right", "token set pi", "token set pi --clock-is-right"] {
        let ran = world.run(command);
        assert!(ran.code == Some(4) || ran.code == Some(1), "{command}: {:?}", ran.code);
        assert!(ran.stderr.contains("1990-06-01") && ran.stderr.contains("set the clock"), "{command}: {}", ran.stderr);
    }
    assert!(!world.path(".env").exists());
    let plan = world.run("plan").exits(1).stdout;
    assert!(plan.contains("1990-06-01") && !plan.contains("--clock-is-right"), "{plan}");
    world.clock(0);
    world.run("apply").exits(0);
}

#[test]
fn a_clock_that_was_set_back_stops_what_creates_and_what_ends_by_time_and_nothing_else() {
    let world = applied();
    world.clock(40 * DAY);
    world.run("apply").exits(0);
    world.run("token set laptop").exits(0);
    world.clock(37 * DAY);
    for command in ["apply", "rotate build-api", "rotate --compromised build-api --yes"] {
        let ran = world.run(command).exits(4);
        assert!(ran.stderr.contains("--clock-is-right"), "{command}: {}", ran.stderr);
    }
    let first = world.entry(".env", "BUILD_TOKEN");
    assert!(world.is_valid(&first));
    world.run("token list").exits(0);
    world.run("user set ci --suspend").exits(0);
    assert!(!world.is_valid(&first));
    world.run("user set ci --restore").exits(0);
    world.run("token delete laptop --yes").exits(0);
    // Hours are nothing.
    world.clock(39 * DAY + 2 * HOUR);
    world.run("rotate build-api").exits(0);
}

#[test]
fn a_clock_that_is_set_back_revives_no_expired_token() {
    let world = applied();
    let until = world.date(3);
    let secret = world.run(&format!("token set laptop --expires-at {until}")).exits(0).stdout.trim().to_owned();
    // Every day something is created, so that time is certain.
    for day in 1..=5 {
        world.clock(day * DAY);
        world.run(&format!("token set day-{day}")).exits(0);
    }
    assert!(!world.is_valid(&secret));
    for back in [5 * DAY - HOUR, 2 * DAY, 0, to_1990()] {
        world.clock(back);
        assert!(!world.is_valid(&secret), "{back} s from now");
    }
}

#[test]
fn what_a_clock_ahead_has_left_leaves_when_it_is_no_longer_declared() {
    let world = applied();
    world.clock(400 * DAY);
    let (kept, _) = TWO.split_once("[tokens.deploy-api]").unwrap();
    world.write("tokens.toml", &format!("{START}{kept}"));
    world.run("apply --prune").exits(0);
    world.clock(0);
    let noted = world.run("plan").exits(1).stdout;
    assert!(noted.contains("deploy-api`: warning: its record has times in the future"), "{noted}");
    world.run("apply --prune --clock-is-right").exits(0);
    world.clock(2 * DAY);
    let ended = world.run("apply --prune").exits(0).stdout;
    assert!(ended.contains("token `ci/deploy-api`: delete, no longer declared"), "{ended}");
    assert!(world.run("status").exits(0).stdout.contains("all in sync"));
}

/// A table as it was, put back after its tokens went on.
fn restored() -> (World, String) {
    let world = applied();
    let leaked = world.entry(".env", "BUILD_TOKEN");
    fs::copy(world.path("latchkey.db"), world.path("backup.db")).unwrap();
    world.clock(HOUR);
    world.run("rotate --compromised build-api --yes").exits(0);
    assert!(!world.is_valid(&leaked));
    for name in ["latchkey.db-wal", "latchkey.db-shm"] {
        let _ = fs::remove_file(world.path(name));
    }
    fs::rename(world.path("backup.db"), world.path("latchkey.db")).unwrap();
    world.clock(2 * HOUR);
    (world, leaked)
}

#[test]
fn a_restored_copy_names_the_tokens_whose_revoked_versions_are_valid_again() {
    let (world, leaked) = restored();
    assert!(world.is_valid(&leaked), "this is what has to be told");
    let line = "`.env BUILD_TOKEN` contains a version that this table does not know";
    for (command, code) in [("plan", 0), ("status", 0), ("doctor", 1)] {
        let told = world.run(command).exits(code).stdout;
        assert!(told.contains(line) && told.contains("is valid again"), "{command}: {told}");
        assert!(told.contains("provision rotate --compromised build-api"), "{command}: {told}");
        assert!(!told.contains("deploy-api`: warning"), "{command}: {told}");
    }
    let json = world.run("status --format json").exits(0).json();
    assert!(json["tokens"][0]["warnings"][0].as_str().unwrap().contains("older copy"), "{json}");
    // What the line advises.
    world.run("rotate --compromised build-api --yes").exits(0);
    assert!(!world.is_valid(&leaked) && world.is_valid(&world.entry(".env", "BUILD_TOKEN")));
    assert!(world.run("status").exits(0).stdout.contains("all in sync"));
}

#[test]
fn a_run_on_a_restored_copy_warns_and_repairs() {
    let (world, _) = restored();
    let told = world.run("apply").exits(0).stdout;
    assert!(told.contains("does not know, so the table is probably an older copy"), "{told}");
    assert!(world.is_valid(&world.entry(".env", "BUILD_TOKEN")));
    // A value of somebody's own is no version.
    let text = world.read(".env").replace(&world.entry(".env", "DEPLOY_TOKEN"), "by-hand");
    world.write(".env", &text);
    let told = world.run("plan").exits(0).stdout;
    assert!(told.contains("deploy-api`: rotate") && !told.contains("older copy"), "{told}");
}

/// The table is gone, and its secrets are where they were.
#[test]
fn a_table_that_is_missing_is_told_where_its_secrets_are_found() {
    let world = applied();
    let secret = world.entry(".env", "BUILD_TOKEN");
    for name in ["latchkey.db", "latchkey.db-wal", "latchkey.db-shm"] {
        let _ = fs::rename(world.path(name), world.path(&format!("away-{name}")));
    }
    let line = "what is there is a secret of no valid token of this service";
    for (command, code) in [("plan", 1), ("status", 0), ("apply", 3)] {
        let told = world.run(command).exits(code).stdout;
        assert!(told.contains(line) && told.contains("its table may be missing"), "{command}: {told}");
    }
    assert_eq!(world.entry(".env", "BUILD_TOKEN"), secret, "nothing was replaced");
    // A value of somebody's own says nothing of tables.
    world.write(".env", "BUILD_TOKEN=by-hand\nDEPLOY_TOKEN=by-hand\n");
    let told = world.run("plan").exits(1).stdout;
    assert!(told.contains("did not write") && !told.contains("no valid token"), "{told}");
}

#[test]
fn a_table_that_is_missing_is_told_once_of_many_tokens() {
    let token = |number| {
        format!("[tokens.build-{number}]\nuser = \"ci\"\npush = [{{ sink = \"dev\", name = \"T{number}\" }}]\n")
    };
    let world = World::with(&format!("{START}{}", (1..=8).map(token).collect::<String>()));
    world.run("apply").exits(0);
    fs::rename(world.path("latchkey.db"), world.path("away")).unwrap();
    for (command, code) in [("plan", 1), ("status", 0), ("doctor", 1)] {
        let told = world.run(command).exits(code).stdout;
        assert_eq!(told.matches("its table may be missing").count(), 1, "{command}: {told}");
        let all = world.run(&format!("{command} -v")).exits(code).stdout;
        assert_eq!(all.matches("its table may be missing").count(), 8, "{command}: {all}");
    }
}
