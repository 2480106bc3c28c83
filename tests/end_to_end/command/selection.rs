//! Runs about a part of the manifest: `--only` and `--sink`, and the guards on what one run may do.

use tests::provision::{DAY, World};

use super::{START, TWO, applied, assert_told};

/// A token in two files, and one in the first.
const BOTH: &str = r#"
[sinks.web]
type = "dotenv"
path = "web.env"

[tokens.build-api]
user = "ci"
push = [{ sink = "dev", name = "BUILD_TOKEN" }, { sink = "web", name = "BUILD_TOKEN" }]

[tokens.deploy-api]
user = "ci"
push = [{ sink = "dev", name = "DEPLOY_TOKEN" }]
"#;

#[test]
fn only_the_named_tokens_change_and_names_are_told_from_slips() {
    let world = World::with(&format!("{START}{TWO}"));
    world.run("apply --only bild-api").exits(1);
    world.run("apply --only ann/build-api").exits(1);
    world.run("apply --only build-api").exits(0);
    assert!(!world.read(".env").contains("DEPLOY_TOKEN"));
    world.run("plan --only ci/deploy-api").exits(0);
    world.run("plan --only build-api --detailed-exitcode").exits(0);
    assert_told!(world);
    world.run("apply").exits(0);
    let (build, deploy) = (world.entry(".env", "BUILD_TOKEN"), world.entry(".env", "DEPLOY_TOKEN"));
    world.clock(31 * DAY);
    world.run("rotate --only deploy-api").exits(0);
    assert_eq!(world.entry(".env", "BUILD_TOKEN"), build, "due, and not selected");
    assert_ne!(world.entry(".env", "DEPLOY_TOKEN"), deploy);
}

#[test]
fn pruning_never_leaves_the_selection() {
    let world = applied();
    world.write("tokens.toml", START);
    world.run("apply --prune --allow-deletes 1 --only build-api").exits(0);
    let left = world.read(".env");
    assert!(!left.contains("BUILD_TOKEN") && left.contains("DEPLOY_TOKEN"), "{left}");
    world.run("apply --prune --sink dev").exits(1);
}

#[test]
fn only_the_named_sink_is_written_and_what_needs_all_is_held_up() {
    let world = World::with(&format!("{START}{BOTH}"));
    world.run("apply --sink wbe").exits(1);
    world.run("apply --sink web").exits(1);
    assert!(!world.path("web.env").exists(), "a new token goes to all its places");
    assert_told!(world);
    world.run("apply").exits(0);
    let secret = world.entry("web.env", "BUILD_TOKEN");
    let before = world.read(".env").replace(&secret, "typed-over");
    world.write(".env", &before);
    world.write("web.env", "");
    // Nothing can be read back: only a new version would help, and that goes everywhere.
    let _ = world.told();
    world.run("apply --sink web").exits(1);
    assert_told!(world, "nothing_to_read");
    world.write("web.env", &format!("BUILD_TOKEN={secret}\n"));
    world.run("plan --sink web --detailed-exitcode").exits(0);
    world.run("apply --sink dev").exits(0);
    assert_eq!(world.entry(".env", "BUILD_TOKEN"), secret);
    assert_told!(world, "mended_by_sink");
    world.run("rotate --sink web build-api").exits(1);
    assert_eq!(world.entry("web.env", "BUILD_TOKEN"), secret);
    world.run("rotate --sink web --sink dev build-api").exits(0);
    assert_ne!(world.entry("web.env", "BUILD_TOKEN"), secret);
}

fn many(count: usize, rotate: &str) -> String {
    use std::fmt::Write as _;
    let mut text = START.replace("roles = [\"reader\"]", "roles = [\"reader\"]\nmax_tokens = 20");
    text = text.replace("rotate_every = \"30d\"", &format!("rotate_every = \"{rotate}\""));
    for number in 1..=count {
        let push = format!("push = [{{ sink = \"dev\", name = \"B{number}\" }}]");
        write!(text, "\n[tokens.build-{number}]\nuser = \"ci\"\n{push}\n").unwrap();
    }
    text
}

#[test]
fn a_default_that_would_rotate_everything_is_stopped_with_the_flag_that_lets_it_pass() {
    let world = World::with(&many(12, "30d"));
    world.run("apply").exits(0);
    let before = world.read(".env");
    let _ = world.told();
    world.write("tokens.toml", &many(12, "20d"));
    let plan = world.run("plan --format json").exits(1).json();
    assert_eq!(plan["guards"], serde_json::json!(["this would rotate 12 of 12 tokens, none of them due or named"]));
    let _ = world.told();
    let stopped = world.run("apply").exits(4);
    assert!(stopped.stderr.contains("pass `--allow-rotations 12`"), "{}", stopped.stderr);
    assert_eq!(world.read(".env"), before);
    world.run("apply --allow-rotations 12").exits(0);
    assert_ne!(world.read(".env"), before);
    // What is due is no surprise.
    world.clock(40 * DAY);
    world.run("rotate").exits(0);
}

#[tokio::test]
async fn what_counts_as_lately_can_be_said() {
    let world = applied();
    super::vault::note_use(&world, &world.entry(".env", "DEPLOY_TOKEN")).await;
    let (kept, _) = TWO.split_once("[tokens.deploy-api]").unwrap();
    world.write("tokens.toml", &format!("{START}{kept}"));
    world.clock(8 * DAY);
    world.run("plan --prune").exits(0);
    world.run("plan --prune --prune-used-within 2w").exits(1);
    world.run("plan --prune --prune-used-within 14d").exits(1);
    world.run("apply --prune --prune-used-within 14d").exits(3);
    assert!(world.read(".env").contains("DEPLOY_TOKEN"));
    world.run("apply --prune").exits(0);
    assert!(!world.read(".env").contains("DEPLOY_TOKEN"));
}

#[test]
fn a_renamed_token_keeps_its_places_and_the_note_of_it_may_stay_for_good() {
    let world = applied();
    let secret = world.entry(".env", "DEPLOY_TOKEN");
    world.edit("[tokens.deploy-api]", "[tokens.ship-api]\nmoved_from = \"deploy-api\"");
    world.run("apply --only deploy-api").exits(0);
    assert_eq!(world.entry(".env", "DEPLOY_TOKEN"), secret);
    world.run("plan --detailed-exitcode --prune").exits(0);
    // Once more, while what was written the first time stays.
    world.edit("[tokens.ship-api]\nmoved_from = \"deploy-api\"", "[tokens.send-api]\nmoved_from = \"ship-api\"");
    world.run("apply").exits(0);
    world.run("plan --detailed-exitcode --prune").exits(0);
    // The former name is free again: a token of that name is another token, and takes nothing from the renamed one. Both
    // at once would say two things of one name.
    let text = world.read("tokens.toml");
    world.write(
        "tokens.toml",
        &format!("{text}\n[tokens.ship-api]\nuser = \"ci\"\npush = [{{ sink = \"dev\", name = \"SHIP_TOKEN\" }}]\n"),
    );
    world.run("apply").exits(1);
    world.edit("moved_from = \"ship-api\"\n", "");
    world.run("apply").exits(0);
    world.run("plan --detailed-exitcode --prune").exits(0);
    assert_eq!(world.entry(".env", "DEPLOY_TOKEN"), secret);
    assert_ne!(world.entry(".env", "SHIP_TOKEN"), secret);
    assert!(world.is_valid(&secret));
    let names: Vec<String> = world.run("token list -u ci --format json").json()["active"]
        .as_array()
        .unwrap()
        .iter()
        .map(|token| token["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names, ["build-api", "send-api", "ship-api"]);
}

#[test]
fn a_rename_to_another_user_is_refused_with_the_way_to_do_it() {
    let world = applied();
    world.edit("[sinks.dev]", "[users.ann]\nkind = \"person\"\nroles = [\"reader\"]\n\n[sinks.dev]");
    world.edit(
        "[tokens.deploy-api]\nuser = \"ci\"",
        "[tokens.deploy-api]\nuser = \"ann\"\nmoved_from = { user = \"ci\", name = \"deploy-api\" }",
    );
    world.run("apply").exits(3);
    assert_told!(world);
}
