//! Exit codes, and what goes with them.

use std::fs::OpenOptions;

use tests::provision::World;

use super::{START, TWO, applied, assert_told};

#[test]
fn plan_exits_0_without_changes_2_with_and_1_on_errors() {
    let world = World::with(&format!("{START}{TWO}"));
    world.run("plan").exits(0);
    world.run("plan --detailed-exitcode").exits(2);
    world.run("apply").exits(0);
    world.run("plan --detailed-exitcode").exits(0);
    world.run("plan --nope").exits(1);
    world.run("plan missing.toml").exits(1);
    world.edit("[\"reader\"]", "[\"raeder\"]");
    world.run("plan --detailed-exitcode").exits(1);
    world.write("tokens.toml", "manifest = ");
    world.run("plan").exits(1);
    world.run("apply").exits(1);
}

#[test]
fn a_stale_plan_is_refused_and_a_fresh_one_applied() {
    let world = applied();
    world.edit("[\"documents:read\"]", "[\"documents:read\", \"documents:write\"]");
    let plan = world.run("plan --format json").exits(0).json();
    let id = plan["plan_id"].as_str().unwrap();
    let shown = world.run("plan").exits(0).stdout;
    assert!(shown.contains(&format!("Plan id: {id}")), "{shown}");
    let _ = world.told();
    world.edit("\"documents:write\"]", "\"documents:write\", \"audits:read\"]");
    world.run(&format!("apply --plan-id {id}")).exits(5);
    assert_told!(world);
    world.edit(", \"audits:read\"]", "]");
    world.run(&format!("apply --plan-id {id}")).exits(0);
    // What was applied is no longer the plan.
    world.run(&format!("apply --plan-id {id}")).exits(5);
}

#[test]
fn a_held_lease_is_waited_for_and_then_exits_5() {
    let world = applied();
    let lock = OpenOptions::new().write(true).open(world.path("latchkey.db.acme.lock")).unwrap();
    lock.lock().unwrap();
    world.run("rotate tokens.toml --all --wait 0").exits(5);
    world.run("plan").exits(0);
    assert_told!(world);
    // Another manifest of the same table is not blocked.
    world.write(
        "other.toml",
        "manifest = \"other\"\n[service]\nembedded = \"latchkey.db\"\n[users.bob]\nkind = \"person\"\nroles = []\n",
    );
    world.run("apply other.toml --wait 0").exits(0);
    let waiting = world.command(["rotate", "tokens.toml", "--all", "--wait", "60"]).spawn().unwrap();
    drop(lock);
    tests::provision::finish(waiting, None).exits(0);
}

#[test]
fn an_older_revision_is_refused_unless_forced() {
    let world = applied();
    world.run("apply --revision 12").exits(0);
    let _ = world.told();
    world.run("apply --revision 11").exits(4);
    world.run("rotate tokens.toml --all --revision 11").exits(4);
    world.run("apply --revision 12").exits(0);
    world.run("apply --revision 11 --force-revision").exits(0);
    world.run("apply --revision 13").exits(0);
    world.run("apply --force-revision").exits(1);
    assert_told!(world);
}

#[test]
fn output_that_is_piped_has_no_colour() {
    let world = World::with(&format!("{START}{TWO}"));
    for (command, code) in [("plan", 0), ("apply", 0), ("status", 0), ("apply --nope", 1), ("plan missing.toml", 1)] {
        for environment in [&[][..], &[("NO_COLOR", "1")], &[("TERM", "xterm-256color")]] {
            let ran = world.run_in(environment, command).exits(code);
            assert!(!ran.stdout.contains('\u{1b}') && !ran.stderr.contains('\u{1b}'), "{command}: {ran:?}");
        }
    }
    // With colour the words are the same.
    let plain = world.run("plan missing.toml");
    let forced = world.run_in(&[("CLICOLOR_FORCE", "1")], "plan missing.toml");
    assert!(forced.stderr.contains('\u{1b}'));
    let stripped = regex::Regex::new("\u{1b}\\[[0-9;]*m").unwrap().replace_all(&forced.stderr, "").into_owned();
    assert_eq!(stripped, plain.stderr);
}

#[test]
fn offline_contacts_nothing() {
    let world = World::with(&format!("{START}{TWO}"));
    world.run("plan --offline").exits(0);
    world.run("plan --offline --format json").exits(0);
    world.run("check --format json").exits(0);
    assert_eq!(std::fs::read_dir(world.folder()).unwrap().count(), 1, "nothing is left behind");
    assert_told!(world);
}
