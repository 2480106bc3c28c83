//! `provision settings`: what a deployment decides for all.

use serde_json::json;
use tests::provision::{World, finish};
use tests::remote::Served;

use super::assert_told;

fn world() -> World {
    let world = World::with("manifest = \"acme\"\n[service]\nembedded = \"latchkey.db\"\n");
    world.run("user set bob").exits(0);
    let _ = world.told();
    world
}

#[test]
fn settings_are_shown_changed_with_what_that_means_and_reset() {
    let world = world();
    world.run("token set one -u bob").exits(0);
    world.run("token set two -u bob").exits(0);
    let _ = world.told();
    world.run("settings show").exits(0);
    world.run("settings set max_tokens 1").exits(0);
    world.run("settings set max-tokens 1").exits(0);
    world.run("token set three -u bob").exits(1);
    world.run("settings set max_tokens none").exits(1);
    world.run("settings set max_tokens 0").exits(1);
    world.run("settings set expiry_max 20d").exits(1);
    world.run("settings set expiry_default 20d").exits(0);
    world.run("settings set expiry_max 20d").exits(0);
    world.run("settings set name_max 5").exits(0);
    world.run("settings set name_mux 5").exits(1);
    world.run("settings set older_prefixes Old").exits(1);
    world.run("settings unset max_tokens").exits(0);
    world.run("settings unset notify.ops").exits(1);
    world.run("settings show").exits(0);
    assert_told!(world);
    let events = world.run("events --type settings.change --format json").exits(0).json();
    let details: Vec<&str> =
        events["events"].as_array().unwrap().iter().map(|event| event["detail"].as_str().unwrap()).collect();
    assert_eq!(details[0], "max_tokens: 1 -> 10");
    assert_eq!(details.len(), 5, "what changed nothing is no event: {details:?}");
}

#[test]
fn a_new_prefix_is_for_new_secrets_and_those_that_exist_stay_valid_until_it_is_refused() {
    let world = world();
    let old = world.run("token set old -u bob").exits(0).stdout.trim().to_owned();
    let _ = world.told();
    world.run("settings set prefix acme").exits(0);
    let new = world.run("token set new -u bob").exits(0).stdout.trim().to_owned();
    assert!(old.starts_with("lk_") && new.starts_with("acme_"));
    for secret in [&old, &new] {
        world.pipe("token verify", secret).exits(0);
    }
    let _ = world.told();
    world.run("settings set older_prefixes none").exits(4);
    world.pipe("token verify", &old).exits(0);
    world.run("settings set older_prefixes none --yes").exits(0);
    world.pipe("token verify", &old).exits(1);
    world.pipe("token verify", &new).exits(0);
    assert_told!(world);
}

/// It serves with the settings that it has read; what another process creates under a new prefix is valid all the same.
#[test]
fn a_server_that_runs_takes_secrets_of_a_new_prefix() {
    let world = world();
    let served = Served::start(&world, "latchkey.db");
    // An unknown prefix a second after the last look is a reason to look.
    world.clock(2);
    world.run("settings set prefix acme").exits(0);
    let secret = world.run("token set fresh -u bob").exits(0).stdout.trim().to_owned();
    assert!(secret.starts_with("acme_"));
    let mut command = world.command(["token", "verify", "--service", served.url()]);
    command.stdin(std::process::Stdio::piped());
    finish(command.spawn().unwrap(), Some(&secret)).exits(0);
}

#[test]
fn a_receiver_whose_address_is_a_login_is_not_stored_and_its_settings_are_no_event() {
    let world = world();
    let receiver = "{ type = \"email\", from = \"latchkey@example.com\", to = [\"ops@example.com\"] }";
    let set = world.run_words(["settings", "set", "notify.mail", receiver, "--format", "json"]).exits(0).json();
    assert_eq!(set["changed"], json!(["notices: off -> on", "receiver mail added"]));
    let events = world.run("events --type settings").exits(0);
    assert!(events.stdout.contains("receiver mail added") && !events.stdout.contains("ops@"), "{}", events.stdout);
    world.run("settings unset notify").exits(0);
    let shown = world.run("settings show --format json").exits(0).json();
    assert_eq!(shown["notices"], json!({ "on": false, "receivers": {} }));
}
