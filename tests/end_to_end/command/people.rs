//! Users and roles: `provision user`, `provision role`.

use tests::provision::World;

use super::{START, TWO, assert_told};

fn world() -> World {
    let world = World::with("manifest = \"acme\"\n[service]\nembedded = \"latchkey.db\"\n");
    world.run("role set reader -p documents:read").exits(0);
    world.run("user set bob --role reader").exits(0);
    let _ = world.told();
    world
}

#[test]
fn roles_are_set_listed_and_deleted_when_nobody_holds_them() {
    let world = world();
    world.run("role set writer --permission documents:write --permission documents:read").exits(0);
    world.run("role set empty --no-permissions").exits(0);
    world.run("role set writer -p documents:write").exits(4);
    world.run("role set writer -p documents:write --yes").exits(0);
    world.run("role set writer -p Documents").exits(1);
    world.run("role set Writer -p documents:read").exits(1);
    world.run("role list").exits(0);
    world.run("role delete reader").exits(1);
    world.run("user set bob --remove-role reader").exits(4);
    world.run("user set bob --remove-role reader --yes").exits(0);
    world.run("role delete reader").exits(4);
    world.run("role delete reader --yes").exits(0);
    world.run("role delete reader").exits(1);
    world.run("role list -t json").exits(0);
    assert_told!(world);
}

#[test]
fn users_are_made_changed_and_deleted_when_they_have_no_tokens() {
    let world = world();
    world.run("user set ci --kind service --roles reader --max-tokens 3").exits(0);
    world.run("user set ci --kind person").exits(1);
    world.run("user set ci --role reader,nobody-made-it").exits(1);
    world.run("user set ci --max-tokens many").exits(1);
    world.run("user set ci --max-tokens default").exits(0);
    world.run("user set ci --email nobody").exits(1);
    world.run("user set ci --email ops@example.com").exits(0);
    world.run("user set ci --email none").exits(0);
    world.run("user set bob --email bob@example.com").exits(0);
    world.run("user set me").exits(1);
    world.run("token set build-api -u ci").exits(0);
    world.run("user list").exits(0);
    world.run("user delete ci --yes").exits(1);
    world.run("token delete build-api -u ci -y").exits(0);
    world.run("user delete ci").exits(4);
    world.run("user delete ci -y").exits(0);
    world.run("user delete ci").exits(1);
    world.run("user list -t json").exits(0);
    assert_told!(world);
}

#[test]
fn a_suspension_acts_at_once_and_can_be_undone() {
    let world = world();
    let secret = world.run("token set build-api -u bob").exits(0).stdout.trim().to_owned();
    let _ = world.told();
    world.run("user suspend bob").exits(0);
    world.run("user suspend bob").exits(0);
    world.run("user suspend bod").exits(1);
    world.run("user restore bod").exits(1);
    world.pipe("token verify", &secret).exits(1);
    world.run("token set other-api -u bob").exits(1);
    world.run("user show bob").exits(0);
    world.run("user set bob --suspend --restore").exits(1);
    world.run("user restore bob").exits(0);
    world.run("user restore bob").exits(0);
    world.run("user set bob --suspend").exits(0);
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
    world.run("user set ci --no-roles --yes").exits(0);
    world.run("token set build-api -u ci").exits(1);
    world.run("token delete build-api -u ci").exits(4);
    world.run("apply").exits(0);
    world.run("plan --detailed-exitcode").exits(0);
    assert_told!(world);
    let verified = world.pipe("token verify --format json", &world.entry(".env", "BUILD_TOKEN")).exits(0).json();
    assert_eq!(verified["permissions"], serde_json::json!(["documents:read"]));
}

#[test]
fn a_user_and_a_role_are_shown_with_what_they_allow_and_whom_they_reach() {
    let world = World::with(&format!("{START}{TWO}"));
    world.run("apply").exits(0);
    world.run("role set writer -p documents:write").exits(0);
    world.run("user set bob --role writer,reader --max-tokens 3 --email bob@example.com").exits(0);
    world.run("token set notes -u bob --role writer").exits(0);
    let _ = world.told();
    world.run("user show bob").exits(0);
    world.run("user show ci").exits(0);
    world.run("user show nobody").exits(1);
    world.run("role show writer").exits(0);
    world.run("role show reader").exits(0);
    world.run("role show nothing").exits(1);
    assert_told!(world);
    let shown = world.run("user show bob --format json").exits(0).json();
    assert_eq!(shown["roles_allow"]["writer"], serde_json::json!(["documents:write"]));
    let shown = world.run("role show reader --format json").exits(0).json();
    assert_eq!((&shown["users"], &shown["tokens"]), (&serde_json::json!(["bob", "ci"]), &serde_json::json!(2)));
}

#[test]
fn permissions_are_added_and_removed_one_by_one_and_a_slip_in_a_name_creates_no_role() {
    let world = world();
    world.run("role add reader documents:list invoices:read").exits(0);
    world.run("role add raeder documents:list").exits(1);
    world.run("role remove raeder documents:list").exits(1);
    world.run("role remove reader documents:write").exits(1);
    world.run("role remove reader documents:list").exits(4);
    world.run("role remove reader documents:list,invoices:read --yes").exits(0);
    world.run("role add reader documents:*").exits(0);
    // Nothing is lost, so nothing is asked.
    world.run("role remove reader documents:read").exits(0);
    world.run("role remove reader documents:list").exits(1);
    world.run("role list").exits(0);
    assert_told!(world);
}

/// Everywhere a list is repeated or has commas, and no flag takes the name behind it.
#[test]
fn a_list_is_given_in_one_way_and_takes_no_name_behind_it() {
    let world = world();
    world.run("role set -p documents:read,documents:list -p invoices:read wide").exits(0);
    world.run("user set --role reader,wide ann").exits(0);
    world.run("user set --role reader --roles wide ben").exits(0);
    world.run("user set --remove-role reader,wide --yes ann").exits(0);
    world.run("user set --add-role wide,reader ann").exits(0);
    world.run("role add wide a:b,c:d e:f").exits(0);
    world.run("manifest grant -p documents:read,invoices:read --role reader,wide -u ann --user ben acme").exits(0);
    let grant = world.run("manifest show acme --format json").exits(0).json()["grant"].clone();
    assert_eq!(grant["users"], serde_json::json!(["ann", "ben"]));
    assert_eq!(grant["roles"], serde_json::json!(["reader", "wide"]));
    let users = world.run("user list --format json").exits(0).json();
    for user in users["users"].as_array().unwrap().iter().filter(|user| user["name"] != "bob") {
        assert_eq!(user["roles"], serde_json::json!(["reader", "wide"]), "{user}");
    }
}

#[test]
fn a_no_changes_nothing_and_is_no_error() {
    let world = world();
    world.run("token set notes -u bob").exits(0);
    for (words, shown, question) in [
        ("role set reader -p documents:list", "- documents:read", "Change the role `reader` at once? [y/N] "),
        ("role remove reader documents:read", "assigned to 1 user (bob) and 1 token", "at once? [y/N] "),
        ("user set bob --no-roles", "`bob` loses the role reader; 1 token too: notes", "Change `bob` at once? [y/N] "),
        ("user delete bob", "Delete the person `bob`, who has the role reader?", "[y/N] "),
    ] {
        let command = world.command(words.split_whitespace());
        let Some(mut terminal) = tests::terminal::Terminal::start(&command) else { return };
        terminal.wait_for(shown);
        terminal.wait_for(question);
        terminal.types("n");
        let (code, screen) = terminal.end();
        assert_eq!(code, Some(4), "{screen}");
        assert!(screen.contains("Nothing was changed") && !screen.contains("error"), "{screen}");
    }
    let shown = world.run("user show bob --format json").exits(0).json();
    assert_eq!(shown["roles_allow"]["reader"], serde_json::json!(["documents:read"]));
    let command = world.command(["role", "remove", "reader", "documents:read"]);
    let Some(mut terminal) = tests::terminal::Terminal::start(&command) else { return };
    terminal.wait_for("[y/N] ");
    terminal.types("y");
    assert_eq!(terminal.end().0, Some(0));
    assert!(world.run("role show reader").exits(0).stdout.contains("nothing"));
}

#[test]
fn what_another_admin_changes_in_a_role_meanwhile_is_not_lost() {
    let held = |world: &World| world.run("role show reader --format json").exits(0).json()["permissions"].clone();
    let world = world();
    world.run("role set reader -p documents:read -p images:read").exits(0);
    let command = world.command(["role", "remove", "reader", "documents:read"]);
    let Some(mut terminal) = tests::terminal::Terminal::start(&command) else { return };
    terminal.wait_for("[y/N] ");
    world.run("role add reader audio:read").exits(0);
    terminal.types("y");
    let (code, screen) = terminal.end();
    assert_eq!(code, Some(0), "{screen}");
    assert_eq!(held(&world), serde_json::json!(["audio:read", "images:read"]), "only the difference is meant");
    // A whole list would undo it, so it is refused; that a user has the role now changes nothing that it allows.
    for (meanwhile, code, said) in [
        ("role add reader video:read", 1, "somebody else changed the role `reader` in the meantime"),
        ("user set eve --role reader", 0, "Role `reader` now allows: texts:read"),
    ] {
        let command = world.command(["role", "set", "reader", "-p", "texts:read"]);
        let mut terminal = tests::terminal::Terminal::start(&command).unwrap();
        terminal.wait_for("[y/N] ");
        world.run(meanwhile).exits(0);
        terminal.types("y");
        let (ended, screen) = terminal.end();
        assert!(ended == Some(code) && screen.contains(said), "{screen}");
    }
    assert_eq!(held(&world), serde_json::json!(["texts:read"]));
}
