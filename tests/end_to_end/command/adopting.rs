//! Values that Latchkey did not write, replaced for one run and no longer.

use tests::provision::World;

use super::{START, TWO, assert_told};

const FOREIGN: &str = "# by hand\nBUILD_TOKEN=of-somebody\nDEPLOY_TOKEN=of-somebody-else\n";

fn moving_in() -> World {
    let world = World::with(&format!("{START}{TWO}"));
    world.write(".env", FOREIGN);
    world
}

#[test]
fn a_named_token_is_adopted_and_no_other_and_the_plan_says_what_cannot_be_brought_back() {
    let world = moving_in();
    let manifest = world.read("tokens.toml");
    world.run("plan --adopt build-api").exits(1);
    world.run("apply --adopt build-api").exits(3);
    assert_told!(world);
    assert!(world.is_valid(&world.entry(".env", "BUILD_TOKEN")));
    assert!(world.read(".env").contains("# by hand\n"));
    assert_eq!(world.entry(".env", "DEPLOY_TOKEN"), "of-somebody-else");
    assert_eq!(world.read("tokens.toml"), manifest, "the flag is not written anywhere");
    world.run("plan").exits(1);
    // What was adopted is the token's own by now: what happens to it later is a change by hand.
    let text = world.read(".env").replace(&world.entry(".env", "BUILD_TOKEN"), "edited");
    world.write(".env", &text);
    let plan = world.run("plan --adopt build-api").exits(1).stdout;
    assert!(!plan.contains("adopt `"), "{plan}");
}

#[test]
fn a_program_reads_which_values_are_replaced_and_whether_they_can_be_brought_back() {
    let world = moving_in();
    let plan = world.run("plan --adopt build-api --format json").exits(1).json();
    let create = &plan["tokens"][0]["changes"][0];
    assert_eq!(create["push"][0]["replaces"], "a value that Latchkey did not write, which cannot be brought back");
    assert!(!plan.to_string().contains("of-somebody"), "{plan}");
    world.write(".env", "DEPLOY_TOKEN=of-somebody-else\nTHIRD=of-somebody\n");
    let plan = world.run("plan --adopt build-api --format json").exits(1).json();
    assert!(plan["tokens"][0]["changes"][0]["push"][0].get("replaces").is_none(), "nothing is there: {plan}");
    world.run("apply --adopt-all").exits(0);
    let plan = world.run("rotate build-api --dry-run --format json").exits(0).json();
    assert!(!plan.to_string().contains("replaces"), "its own value is no loss: {plan}");
    world.edit(r#"name = "BUILD_TOKEN" }"#, r#"name = "BUILD_TOKEN" }, { sink = "dev", name = "THIRD" }"#);
    let plan = world.run("plan --adopt build-api --format json").exits(0).json();
    let changes = plan["tokens"][0]["changes"].as_array().unwrap();
    let mend = changes.iter().find(|change| change["action"] == "mend").unwrap();
    assert_eq!(mend["push"][0]["replaces"], "a value that Latchkey did not write, which cannot be brought back");
}

#[test]
fn all_are_adopted_at_once_and_a_later_run_needs_no_flag() {
    let world = moving_in();
    world.run("apply --adopt-all").exits(0);
    for name in ["BUILD_TOKEN", "DEPLOY_TOKEN"] {
        assert!(world.is_valid(&world.entry(".env", name)), "{name}");
    }
    let text = world.read(".env");
    world.run("apply").exits(0);
    world.run("apply --adopt-all --adopt build-api").exits(1);
    assert_eq!(world.read(".env"), text);
    // A place that is new to a token is adopted as those of a new one are.
    world.write(".env", &format!("{text}THIRD=of-somebody\n"));
    world.edit(r#"name = "BUILD_TOKEN" }"#, r#"name = "BUILD_TOKEN" }, { sink = "dev", name = "THIRD" }"#);
    world.run("apply").exits(1);
    let plan = world.run("plan --adopt ci/build-api,deploy-api").exits(0).stdout;
    assert!(
        plan.contains("adopt `.env THIRD`, replacing a value that Latchkey did not write, which cannot be"),
        "{plan}"
    );
    world.run("apply --sink dev --adopt ci/build-api,deploy-api").exits(0);
    assert_eq!(world.entry(".env", "THIRD"), world.entry(".env", "BUILD_TOKEN"));
}

#[test]
fn a_saved_plan_adopts_what_it_was_made_to_adopt_and_nothing_else() {
    let world = moving_in();
    world.run("plan --adopt build-api --out one.json").exits(1);
    world.run("plan --adopt-all --out all.json").exits(0);
    world.run("plan --out none.json").exits(1);
    world.run("apply --plan none.json --adopt-all").exits(1);
    world.run("apply --plan none.json").exits(3);
    assert_eq!(world.read(".env"), FOREIGN);
    // Users and roles are there by now, so all three are stale.
    for stale in ["one", "all", "none"] {
        world.run(&format!("apply --plan {stale}.json")).exits(5);
    }
    world.run("plan --adopt build-api --out one.json").exits(1);
    world.run("apply --plan one.json").exits(3);
    assert!(world.is_valid(&world.entry(".env", "BUILD_TOKEN")));
    assert_eq!(world.entry(".env", "DEPLOY_TOKEN"), "of-somebody-else");
    world.run("plan --adopt-all --out all.json").exits(0);
    world.run("apply --plan all.json").exits(0);
    assert!(world.is_valid(&world.entry(".env", "DEPLOY_TOKEN")));
}

#[test]
fn a_name_that_is_none_is_refused_before_anything_is_done() {
    let world = moving_in();
    let ran = world.run("apply --adopt biuld-api").exits(1);
    assert!(
        ran.stderr.contains("declares no token `biuld-api`") && ran.stderr.contains("`build-api`"),
        "{}",
        ran.stderr
    );
    world.run("plan --adopt-all --no-sinks").exits(1);
    assert_eq!(world.read(".env"), FOREIGN);
    assert!(!world.path("latchkey.db").exists());
}

/// Another manifest's secret is in the entry: its consumers would be left with a dead one.
#[test]
fn the_secret_of_another_manifests_token_is_never_adopted() {
    let world = World::with(&format!("{START}{TWO}"));
    world.run("apply").exits(0);
    let text = world.read(".env");
    let other = START.replace("\"acme\"", "\"other\"").replace("reader", "writer").replace("users.ci", "users.robot");
    world.write(
        "other.toml",
        &format!(
            "{other}[tokens.other-api]\nuser = \"robot\"\npush = [{{ sink = \"dev\", name = \"BUILD_TOKEN\" }}]\n"
        ),
    );
    let plan = world.run("plan other.toml --adopt-all").exits(1).stdout;
    assert!(plan.contains("contains the secret of the token `ci/build-api` of the manifest `acme`"), "{plan}");
    world.run("apply other.toml --adopt-all").exits(3);
    assert_eq!(world.read(".env"), text);
}
