//! Tokens, roles and users that move from one manifest to another: both say so, ids, secrets and places stay.

use std::fs::{File, TryLockError};
use std::io::{BufRead as _, BufReader};
use std::process::Child;

use tests::provision::{DAY, HOUR, World, finish};

use super::{START, TWO, applied, assert_told};

/// What the manifest that loses `build-api` adds to it.
const AGREES: (&str, &str) = ("[tokens.build-api]\n", "[tokens.build-api]\nmoved_to = \"umbrella\"\n");

const MOVED: &str = r#"moved_from = { manifest = "acme", name = "build-api" }
push = [{ sink = "dev", name = "BUILD_TOKEN" }]"#;

/// The manifest that takes `build-api`, under a name of its own, with the fields that follow.
fn taker(name: &str, fields: &str) -> String {
    format!(
        r#"manifest = "umbrella"
[service]
embedded = "latchkey.db"
[sinks.dev]
type = "dotenv"
path = ".env"
[tokens.{name}]
user = "ci"
{fields}
"#
    )
}

/// What the service has of a token.
fn record(world: &World, name: &str) -> serde_json::Value {
    world.run(&format!("token show {name} -u ci --format json")).exits(0).json()
}

/// The events of a token, as action and detail.
fn events(world: &World, name: &str) -> Vec<String> {
    let shown = world.run(&format!("token show {name} -u ci --format json")).exits(0).json();
    let text = |event: &serde_json::Value| {
        format!("{} {}", event["action"].as_str().unwrap(), event["detail"].as_str().unwrap_or_default())
    };
    shown["events"].as_array().unwrap().iter().map(text).collect()
}

#[test]
fn a_token_moves_with_its_id_secret_and_place_once_both_manifests_say_so() {
    let world = applied();
    let (secret, before) = (world.entry(".env", "BUILD_TOKEN"), record(&world, "build-api"));
    world.write("umbrella.toml", &taker("build-api", MOVED));
    let _ = world.told();
    // The other side has not agreed: blocked with the reason and the way out.
    world.run("plan umbrella.toml").exits(1);
    world.run("apply umbrella.toml").exits(1);
    // It agrees; nothing else changes for it.
    world.edit(AGREES.0, AGREES.1);
    world.run("apply").exits(0);
    world.run("plan --detailed-exitcode").exits(0);
    world.run("status").exits(0);
    assert_eq!(record(&world, "build-api")["moved_to"], "umbrella");
    assert_eq!(world.entry(".env", "BUILD_TOKEN"), secret);
    // The other one takes it.
    world.run("plan umbrella.toml").exits(0);
    world.run("apply umbrella.toml").exits(0);
    world.run("plan umbrella.toml --detailed-exitcode").exits(0);
    // The former one has nothing to do with it any more.
    world.run("apply --prune").exits(0);
    world.run("status").exits(0);
    assert_told!(world);
    let after = record(&world, "build-api");
    assert_eq!((&after["id"], &after["versions"]), (&before["id"], &before["versions"]));
    assert_eq!((&after["managed_by"], after["moved_to"].is_null()), (&"umbrella".into(), true));
    assert_eq!(world.entry(".env", "BUILD_TOKEN"), secret);
    assert!(world.is_valid(&secret));
    let events = events(&world, "build-api");
    assert!(events.contains(&"token.agree moved_to umbrella".to_owned()), "{events:?}");
    assert!(events.contains(&"token.move moved from `acme` to `umbrella`".to_owned()), "{events:?}");
    // Nor once it is not in its file any more, nor when the new one rotates.
    let text = world.read("tokens.toml");
    let (head, rest) = text.split_once(AGREES.1).unwrap();
    world.write("tokens.toml", &format!("{head}{}", rest.split_once("\n\n").unwrap().1));
    world.run("apply --prune").exits(0);
    world.run("rotate umbrella.toml --all").exits(0);
    let rotated = world.entry(".env", "BUILD_TOKEN");
    assert!(rotated != secret && world.is_valid(&rotated));
    world.run("plan --detailed-exitcode --prune").exits(0);
}

#[test]
fn a_token_moves_to_another_name_and_another_place_without_a_new_version() {
    let world = applied();
    let secret = world.entry(".env", "BUILD_TOKEN");
    world.edit(AGREES.0, AGREES.1);
    world.run("apply").exits(0);
    let fields =
        "moved_from = { manifest = \"acme\", name = \"build-api\" }\npush = [{ sink = \"dev\", name = \"WEB\" }]";
    world.write("umbrella.toml", &taker("web-api", fields));
    let _ = world.told();
    world.run("plan umbrella.toml").exits(0);
    let plan = world.run("plan umbrella.toml --format json").exits(0).json();
    let first = &plan["tokens"][0]["changes"][0];
    assert_eq!(
        (&first["action"], &first["manifest"], &first["name"]),
        (&"move".into(), &"acme".into(), &"build-api".into())
    );
    world.run("apply umbrella.toml").exits(0);
    assert_eq!(world.entry(".env", "WEB"), secret, "the new place gets what it had");
    // The place that it had in the other manifest leaves in the usual way.
    assert_eq!(world.entry(".env", "BUILD_TOKEN"), secret);
    world.run("apply umbrella.toml --prune").exits(0);
    assert!(!world.read(".env").contains("BUILD_TOKEN"));
    world.clock(HOUR);
    world.run("apply umbrella.toml --prune").exits(0);
    world.run("plan umbrella.toml --detailed-exitcode").exits(0);
    assert_eq!(record(&world, "web-api")["versions"].as_array().unwrap().len(), 1);
    // Where it came from it is not created again under its former name.
    let plan = world.run("apply").exits(0).stdout;
    assert!(plan.contains("is not created, as it moves to the manifest `umbrella`"), "{plan}");
    world.run("token show build-api -u ci").exits(1);
    // A later name is a rename like any other.
    world.write("umbrella.toml", &world.read("umbrella.toml").replace("web-api", "site-api"));
    let plan = world.run("plan umbrella.toml").exits(1).stdout;
    assert!(plan.contains("moved_from"), "{plan}");
    let _ = world.told();
}

#[test]
fn other_durations_are_the_only_reason_to_rotate_what_moved() {
    let world = applied();
    world.edit(AGREES.0, AGREES.1);
    world.run("apply").exits(0);
    world.write("umbrella.toml", &taker("build-api", &format!("rotate_every = \"20d\"\n{MOVED}")));
    world.run("apply umbrella.toml").exits(0);
    let token = record(&world, "build-api");
    assert_eq!((token["versions"].as_array().unwrap().len(), &token["managed_by"]), (2, &"umbrella".into()));
    world.run("plan umbrella.toml --detailed-exitcode").exits(0);
}

#[test]
fn a_consent_that_is_taken_back_is_gone_and_the_former_manifest_rotates_until_then() {
    let world = applied();
    world.edit(AGREES.0, AGREES.1);
    world.run("apply").exits(0);
    let secret = world.entry(".env", "BUILD_TOKEN");
    world.run("rotate build-api").exits(0);
    assert_ne!(world.entry(".env", "BUILD_TOKEN"), secret, "it is rotated until it is taken");
    world.edit(AGREES.1, AGREES.0);
    let plan = world.run("apply").exits(0).stdout;
    assert!(plan.contains("moved_to: umbrella -> none"), "{plan}");
    world.write("umbrella.toml", &taker("build-api", MOVED));
    let plan = world.run("apply umbrella.toml").exits(1).stdout;
    assert!(plan.contains("has not agreed to move it to `umbrella`"), "{plan}");
    assert_eq!(record(&world, "build-api")["managed_by"], "acme");
    // Promised to another one, the help says so.
    world.edit(AGREES.0, &AGREES.1.replace("umbrella", "third"));
    world.run("apply").exits(0);
    let plan = world.run("plan umbrella.toml").exits(1).stdout;
    assert!(plan.contains("but to move it to `third`"), "{plan}");
}

#[test]
fn a_promised_token_is_never_pruned_and_expires_aloud() {
    let world = applied();
    world.edit(AGREES.0, AGREES.1);
    world.run("apply").exits(0);
    let secret = world.entry(".env", "BUILD_TOKEN");
    let (_, deploy) = TWO.split_once("[tokens.deploy-api]").unwrap();
    world.write("tokens.toml", &format!("{START}[tokens.deploy-api]{deploy}"));
    let _ = world.told();
    world.run("apply --prune --allow-deletes 9").exits(0);
    world.clock(80 * DAY);
    world.run("plan --prune --allow-deletes 9").exits(0);
    let told = world.told();
    assert!(told.contains("nothing rotates it until then, and version 1 is valid until"), "{told}");
    assert!(told.contains("warning: version 1 is in use and expires at"), "{told}");
    assert!(told.contains("; have `umbrella` take it, or declare it again"), "{told}");
    assert!(!told.contains("--prune` deletes it") && !told.contains("delete,"), "{told}");
    assert!(world.is_valid(&secret));
    world.write("umbrella.toml", &taker("build-api", MOVED));
    world.run("apply umbrella.toml").exits(0);
    let rotated = world.entry(".env", "BUILD_TOKEN");
    assert!(rotated != secret && world.is_valid(&rotated), "it was due");
}

#[test]
fn a_token_of_another_user_does_not_move() {
    let world = applied();
    world.edit("[users.ci]", "[users.bob]\nkind = \"service\"\nroles = [\"reader\"]\n\n[users.ci]");
    world.edit(AGREES.0, AGREES.1);
    world.run("apply").exits(0);
    let fields = MOVED.replace("manifest = \"acme\"", "manifest = \"acme\", user = \"ci\"");
    world.write("umbrella.toml", &taker("build-api", &fields).replace("user = \"ci\"\nmoved", "user = \"bob\"\nmoved"));
    let plan = world.run("apply umbrella.toml").exits(1).stdout;
    assert!(plan.contains("a token cannot move to another user"), "{plan}");
    assert_eq!(record(&world, "build-api")["managed_by"], "acme");
}

#[test]
fn a_manifest_gets_another_name_with_all_that_it_declares() {
    let world = applied();
    let secrets = [world.entry(".env", "BUILD_TOKEN"), world.entry(".env", "DEPLOY_TOKEN")];
    let renamed = |top: &str| format!("{START}{TWO}").replace("manifest = \"acme\"\n", top);
    let taking = "manifest = \"umbrella\"\nmoved_from = \"acme\"\n";
    // Without the other side's consent the faults say what is missing.
    world.write("tokens.toml", &renamed(taking));
    world.run("plan").exits(1);
    world.write("tokens.toml", &renamed("manifest = \"acme\"\nmoved_to = \"umbrella\"\n"));
    world.run("apply").exits(0);
    world.run("plan --detailed-exitcode").exits(0);
    world.write("tokens.toml", &renamed(taking));
    world.run("apply").exits(0);
    world.run("plan --detailed-exitcode").exits(0);
    assert_told!(world);
    // And without a word of the former name.
    world.write("tokens.toml", &renamed("manifest = \"umbrella\"\n"));
    world.run("plan --detailed-exitcode").exits(0);
    assert_eq!([world.entry(".env", "BUILD_TOKEN"), world.entry(".env", "DEPLOY_TOKEN")], secrets);
    for list in ["role list", "user list"] {
        let shown = world.run(list).exits(0).stdout;
        assert!(shown.contains("umbrella") && !shown.contains("acme"), "{shown}");
    }
    for name in ["build-api", "deploy-api"] {
        let token = record(&world, name);
        assert_eq!((&token["managed_by"], token["versions"].as_array().unwrap().len()), (&"umbrella".into(), 1));
    }
    // The former name owns nothing: a run of it has nothing to prune.
    world.write("former.toml", "manifest = \"acme\"\n[service]\nembedded = \"latchkey.db\"\n");
    world.run("apply former.toml --prune --allow-deletes 9").exits(0);
    assert!(secrets.iter().all(|secret| world.is_valid(secret)));
}

#[test]
fn a_role_and_a_user_move_alone_too() {
    let world = applied();
    world.edit("[users.ci]\n", "[users.ci]\nmoved_to = \"umbrella\"\n");
    world.edit("[roles.reader]\n", "[roles.reader]\nmoved_to = \"umbrella\"\n");
    world.run("apply").exits(0);
    let declared = "[roles.reader]\nmoved_from = \"acme\"\npermissions = [\"documents:read\"]\n[users.ci]\nmoved_from = \"acme\"\nkind = \"service\"\nroles = [\"reader\"]\n";
    let push = "push = [{ sink = \"dev\", name = \"OTHER\" }]";
    world.write("umbrella.toml", &format!("{}{declared}", taker("other-api", push)));
    world.run("apply umbrella.toml").exits(0);
    world.run("plan umbrella.toml --detailed-exitcode").exits(0);
    // The former one goes on with its tokens, and changes neither.
    world.edit("[\"documents:read\"]", "[\"documents:read\", \"documents:write\"]");
    world.run("plan --detailed-exitcode").exits(0);
    world.run("rotate build-api").exits(0);
}

/// Locks what a run of a manifest locks.
fn locked(world: &World, manifest: &str) -> File {
    let path = world.path(&format!("latchkey.db.{manifest}.lock"));
    let file = File::options().write(true).create(true).truncate(false).open(path).unwrap();
    file.lock().unwrap();
    file
}

/// Waits until a run says that it waits for another one.
fn waits(child: &mut Child) -> String {
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    lines.find_map(|line| line.ok().filter(|line| line.contains("waiting for another run"))).unwrap_or_default()
}

#[test]
fn whoever_takes_waits_for_both_leases_in_the_order_of_names_and_holds_none_meanwhile() {
    let world = applied();
    world.edit(AGREES.0, AGREES.1);
    world.run("apply").exits(0);
    world.write("umbrella.toml", &taker("build-api", MOVED));
    let former = locked(&world, "acme");
    let busy = world.run("apply umbrella.toml --wait 0").exits(5);
    assert!(busy.stderr.contains("another run of `acme` is still active"), "{}", busy.stderr);
    assert_eq!(record(&world, "build-api")["managed_by"], "acme");
    let mut child = world.command(["apply", "umbrella.toml", "--wait", "60"]).spawn().unwrap();
    let said = waits(&mut child);
    assert!(said.contains("`acme`"), "{said}");
    // A run that takes the other way round has to be able to go on.
    let own = File::options().write(true).open(world.path("latchkey.db.umbrella.lock")).unwrap();
    assert!(!matches!(own.try_lock(), Err(TryLockError::WouldBlock)), "the later name is held while it waits");
    own.unlock().unwrap();
    drop(former);
    finish(child, None).exits(0);
    assert_eq!(record(&world, "build-api")["managed_by"], "umbrella");
    // What has moved concerns the former one no more.
    let _former = locked(&world, "acme");
    world.run("apply umbrella.toml --wait 0").exits(0);
}

#[test]
fn selected_sinks_do_not_take_a_token() {
    let world = applied();
    world.edit(AGREES.0, AGREES.1);
    world.run("apply").exits(0);
    let both = "moved_from = { manifest = \"acme\", name = \"build-api\" }\npush = [{ sink = \"dev\", name = \"BUILD_TOKEN\" }, { sink = \"more\", name = \"A\" }]";
    let more = "[sinks.more]\ntype = \"dotenv\"\npath = \"more.env\"\n";
    world.write("umbrella.toml", &format!("{}{more}", taker("build-api", both)));
    let plan = world.run("apply umbrella.toml --sink more").exits(1).stdout;
    assert!(plan.contains("it moves here from the manifest `acme`, with all of its places"), "{plan}");
    assert!(!world.path("more.env").exists());
    assert_eq!(record(&world, "build-api")["managed_by"], "acme");
}
