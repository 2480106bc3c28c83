//! `provision events`: who changed what.

use tests::provision::{DAY, World};

use super::{START, TWO, assert_told};

#[test]
fn events_are_listed_newest_first_and_by_user_token_type_and_manifest() {
    let world = World::with(&format!("{START}{TWO}"));
    world.run("apply").exits(0);
    world.run("role set writer -p documents:write").exits(0);
    world.run("user set bob --role writer").exits(0);
    let id = {
        world.run("token set notes -u bob").exits(0);
        let shown = world.run("token show notes -u bob --format json").exits(0).json();
        shown["id"].as_str().unwrap().to_owned()
    };
    world.run("token delete notes -u bob --yes").exits(0);
    world.run("token set notes -u bob").exits(0);
    let _ = world.told();
    world.run("events --user bob").exits(0);
    world.run("events --token notes --type token").exits(0);
    world.run("events --type role").exits(0);
    world.run("events --user nobody").exits(0);
    world.run("events --since tomorrow").exits(1);
    assert_told!(world);
    let actions = |words: &str| -> Vec<String> {
        let json = world.run(&format!("{words} --format json")).exits(0).json();
        let events = json["events"].as_array().unwrap().iter();
        events.map(|event| event["action"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(actions(&format!("events --id {id}")), ["token.delete", "token.create"]);
    let of_manifest = actions("events --manifest acme");
    assert!(of_manifest.contains(&"manifest.apply".to_owned()), "{of_manifest:?}");
    assert!(of_manifest.contains(&"version.promote".to_owned()), "{of_manifest:?}");
    assert!(
        !of_manifest.iter().any(|action| action.starts_with("user.") || action == "token.delete"),
        "{of_manifest:?}"
    );
    let note = "events of deleted users are not among these: pass `--user NAME` for those of one";
    assert!(world.run("events").exits(0).stderr.contains(note));
    world.run("user set eve").exits(0);
    world.run("user delete eve --yes").exits(0);
    let of_one = world.run("events --user eve").exits(0);
    assert!(of_one.stdout.contains("user.delete") && !of_one.stderr.contains(note), "{}", of_one.stdout);
    let all = actions("events --limit 1000");
    assert!(all.contains(&"user.create".to_owned()) && all.contains(&"role.put".to_owned()), "{all:?}");
}

#[test]
fn events_are_found_across_months_and_older_ones_are_told_of() {
    let world = World::with("manifest = \"acme\"\n[service]\nembedded = \"latchkey.db\"\n");
    world.run("user set bob").exits(0);
    for days in [40, 80, 120] {
        world.clock(days * DAY);
        world.run(&format!("user set bob --max-tokens {days}")).exits(0);
    }
    let count = |words: &str| {
        let json = world.run(&format!("events --user bob {words} --format json")).exits(0).json();
        (json["events"].as_array().unwrap().len(), json["older"].as_bool().unwrap())
    };
    assert_eq!(count(""), (1, false), "of 30 days");
    assert_eq!(count("--since 90d"), (3, false));
    assert_eq!(count("--since 400d"), (4, false));
    assert_eq!(count(&format!("--since {}", world.date(-41))), (2, false));
    assert_eq!(count("--since 400d --limit 2"), (2, true));
    let told = world.run("events --since 400d --limit 2").exits(0);
    assert!(told.stderr.contains("there are older events since "), "{}", told.stderr);
}
