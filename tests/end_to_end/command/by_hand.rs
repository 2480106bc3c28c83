//! Changes of tokens by hand: `token update`, `rotate` and `delete`, and the other names of commands.

use tests::provision::{HOUR, World, finish};

use super::{applied, assert_told};

const SERVICE: &str = "--service embedded:x.db";

fn world() -> World {
    let world = World::new();
    world.run(&format!("role set reader -p documents:read {SERVICE}")).exits(0);
    world.run(&format!("user set ana --roles reader {SERVICE}")).exits(0);
    let _ = world.told();
    world
}

#[track_caller]
fn secret(world: &World, words: &str) -> String {
    world.run(&format!("{words} {SERVICE}")).exits(0).stdout.trim().to_owned()
}

fn is_valid(world: &World, secret: &str) -> bool {
    let mut command = world.command(["token", "verify", "--service", "embedded:x.db"]);
    let ran = finish(command.stdin(std::process::Stdio::piped()).spawn().unwrap(), Some(secret));
    ran.code == Some(0)
}

#[test]
fn a_token_is_created_and_deleted_by_every_name_of_the_command() {
    let world = world();
    for (create, delete) in [("create", "delete"), ("set", "revoke"), ("new", "rm"), ("add", "delete")] {
        let made = secret(&world, &format!("token {create} laptop --user ana --role reader -e 7d"));
        assert!(is_valid(&world, &made));
        world.run(&format!("token {delete} laptop --user ana --yes {SERVICE}")).exits(0);
        assert!(!is_valid(&world, &made));
    }
    let refused = world.run(&format!("token remove laptop {SERVICE}")).exits(1);
    assert!(refused.stderr.contains("provision token delete NAME"), "{}", refused.stderr);
}

#[test]
fn a_list_takes_no_name_that_is_behind_it() {
    let world = world();
    world.run(&format!("role set writer -p documents:write {SERVICE}")).exits(0);
    world.run(&format!("user set ana --add-role writer {SERVICE}")).exits(0);
    secret(&world, "token create --role reader,writer --allow-ip 192.0.2.0/24,10.0.0.0/8 laptop --user ana");
    let roles = |words: &str| {
        let shown = world.run(&format!("token roles {words} --user ana -t json {SERVICE}")).exits(0).json();
        shown["roles"].as_array().unwrap().len()
    };
    assert_eq!(roles("laptop"), 2);
    assert_eq!(roles("--set reader laptop"), 1);
    assert_eq!(roles("--set reader --set writer laptop"), 2);
    assert_eq!(roles("--none laptop"), 0);
    world.run(&format!("token roles laptop --user ana --set {SERVICE}")).exits(1);
}

#[test]
fn what_an_update_changes_is_shown_old_and_new_and_what_changes_nothing_is_told() {
    let world = world();
    secret(&world, "token create laptop --user ana -d Notes --label team=docs -e 30d");
    let day = world.date(60);
    let update = "token update laptop --user ana";
    for words in [
        format!("{update} -d Documents --label team=web,stage=live -e {day} --allow-ip 192.0.2.0/24"),
        format!("{update} -d Documents"),
        format!("{update} --remove-label stage --allow-any-ip"),
    ] {
        world.run(&format!("{words} {SERVICE}")).exits(0);
    }
    for words in [
        update.to_owned(),
        format!("{update} --remove-label nothing"),
        format!("{update} --rotate-every 30d"),
        format!("{update} -e 2020-01-01"),
        format!("{update} -e {}", world.date(900)),
        format!("{update} --label team"),
    ] {
        world.run(&format!("{words} {SERVICE}")).exits(1);
    }
    world.run(&format!("{update} --rename notebook {SERVICE}")).exits(0);
    secret(&world, "token create laptop --user ana");
    world.run(&format!("{update} --rename notebook {SERVICE}")).exits(1);
    let json = world.run(&format!("token update notebook --user ana -d Old -t json {SERVICE}")).exits(0).json();
    assert_eq!(json["changed"][0], serde_json::json!({"field": "description", "old": "Documents", "new": "Old"}));
    assert_told!(world);
}

#[test]
fn a_declared_token_is_changed_where_it_is_declared() {
    let world = applied();
    for words in ["-e 7d", "--rename other-api"] {
        world.run(&format!("token update build-api --user ci {words}")).exits(1);
    }
    world.run("token update build-api --user ci --rotate-every 20d --overlap 3h").exits(0);
    world.run("token update build-api --user ci -d Else").exits(0);
    world.run("token rotate build-api --user ci").exits(1);
    assert_told!(world);
    world.run("apply").exits(0);
    let shown = world.run("token show build-api --user ci -t json").exits(0).json();
    assert!(shown["description"].is_null(), "{shown}");
}

#[test]
fn a_rotation_prints_the_new_secret_alone_and_says_until_when_the_older_one_is_valid() {
    let world = world();
    let first = secret(&world, "token create laptop --user ana -e 90d");
    let _ = world.told();
    let second = secret(&world, "token rotate laptop --user ana --overlap 2h");
    assert!(is_valid(&world, &first) && is_valid(&world, &second));
    world.clock(3 * HOUR);
    assert!(!is_valid(&world, &first) && is_valid(&world, &second));
    let third = world.run(&format!("token rotate laptop --user ana -t json {SERVICE}")).exits(0).json();
    assert!(is_valid(&world, &second), "a day by default");
    let fourth = secret(&world, "token rotate laptop --user ana --compromised");
    let third = third["secret"].as_str().unwrap();
    assert!(!is_valid(&world, &second) && !is_valid(&world, third), "all that were there before");
    assert!(is_valid(&world, &fourth));
    assert_told!(world);
}

#[test]
fn nothing_is_lost_by_a_rotation_whose_reader_has_left() {
    let world = world();
    let first = secret(&world, "token create laptop --user ana");
    let mut command = world.command(["token", "rotate", "laptop", "--user", "ana", "--service", "embedded:x.db"]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    command.stdout(writer);
    let child = command.spawn().unwrap();
    drop(command);
    let ran = finish(child, None).exits(1);
    assert!(ran.stderr.contains("its present secret stays valid"), "{}", ran.stderr);
    world.clock(48 * HOUR);
    assert!(is_valid(&world, &first), "nothing was promoted");
    let second = secret(&world, "token rotate laptop --user ana");
    assert!(is_valid(&world, &second) && is_valid(&world, &first));
    let shown = world.run(&format!("token show laptop --user ana -t json {SERVICE}")).exits(0).json();
    assert_eq!(shown["versions"].as_array().unwrap().len(), 2, "the version that nobody has is gone: {shown}");
}

#[test]
fn deleting_shows_what_breaks_before_it_asks() {
    let world = applied();
    world.run("token delete build-api --user ci").exits(4);
    assert_told!(world);
}
