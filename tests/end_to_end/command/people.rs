//! Users and roles: `provision user`, `provision role`.

use tests::provision::World;

use super::{START, TWO, assert_told};

fn world() -> World {
    let world = World::with("manifest = \"acme\"\n[service]\nembedded = \"latchkey.db\"\n");
    world.run("role set reader -p documents:read").exits(0);
    world.run("user set bob --roles reader").exits(0);
    let _ = world.told();
    world
}

#[test]
fn roles_are_set_listed_and_deleted_when_nobody_holds_them() {
    let world = world();
    world.run("role set writer --permission documents:write --permission documents:read").exits(0);
    world.run("role set empty -p").exits(0);
    world.run("role set writer -p documents:write").exits(0);
    world.run("role set writer -p Documents").exits(1);
    world.run("role set Writer -p documents:read").exits(1);
    world.run("role list").exits(0);
    world.run("role delete reader").exits(1);
    world.run("user set bob --remove-role reader").exits(0);
    world.run("role delete reader").exits(0);
    world.run("role delete reader").exits(1);
    world.run("role list -t json").exits(0);
    assert_told!(world);
}

#[test]
fn users_are_made_changed_and_deleted_when_they_have_no_tokens() {
    let world = world();
    world.run("user set ci --kind service --roles reader --max-tokens 3").exits(0);
    world.run("user set ci --kind person").exits(1);
    world.run("user set ci --roles nobody-made-it").exits(1);
    world.run("user set ci --max-tokens many").exits(1);
    world.run("user set ci --max-tokens default").exits(0);
    world.run("user set ci --email nobody").exits(1);
    world.run("user set ci --email ops@example.com").exits(0);
    world.run("user set ci --email none").exits(0);
    world.run("user set bob --email bob@example.com").exits(0);
    world.run("user set me").exits(1);
    world.run("token set build-api -u ci").exits(0);
    world.run("user list").exits(0);
    world.run("user delete ci").exits(1);
    world.run("token delete build-api -u ci -y").exits(0);
    world.run("user delete ci").exits(0);
    world.run("user delete ci").exits(1);
    world.run("user list -t json").exits(0);
    assert_told!(world);
}

#[test]
fn a_suspension_acts_at_once_and_can_be_undone() {
    let world = world();
    let secret = world.run("token set build-api -u bob").exits(0).stdout.trim().to_owned();
    let _ = world.told();
    world.run("user set bob --suspend").exits(0);
    world.pipe("token verify", &secret).exits(1);
    world.run("token set other-api -u bob").exits(1);
    world.run("user set bob --suspend --restore").exits(1);
    world.run("user set bob --restore").exits(0);
    world.pipe("token verify", &secret).exits(0);
    assert_told!(world);
}

#[test]
fn what_a_manifest_declares_can_be_changed_by_hand_and_is_brought_back() {
    let world = World::with(&format!("{START}{TWO}"));
    world.run("apply").exits(0);
    let _ = world.told();
    world.run("role set reader -p documents:read,documents:write").exits(0);
    world.run("user set ci --roles").exits(0);
    world.run("token set build-api -u ci").exits(1);
    world.run("token delete build-api -u ci").exits(4);
    world.run("apply").exits(0);
    world.run("plan --detailed-exitcode").exits(0);
    assert_told!(world);
    let verified = world.pipe("token verify --format json", &world.entry(".env", "BUILD_TOKEN")).exits(0).json();
    assert_eq!(verified["permissions"], serde_json::json!(["documents:read"]));
}
