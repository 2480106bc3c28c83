//! Settings, events and the list of manifests by URL, and that nobody without the rights gets any of it.

use serde_json::json;

use super::Remote;

#[test]
fn an_admin_shows_and_changes_settings_by_url() {
    let remote = Remote::start();
    let shown = remote.admin("settings show --format json").exits(0).json();
    assert_eq!((&shown["max_tokens"], &shown["prefix"], &shown["revision"]), (&json!(10), &json!("lk"), &json!(0)));
    let set = remote.admin("settings set max_tokens 1").exits(0);
    assert_eq!(set.stdout, "max_tokens: 10 -> 1\n");
    assert!(set.stderr.contains("nobody has more"), "{}", set.stderr);
    remote.admin("token set second --user pipeline").exits(1);
    let receiver = "{ type = \"slack\", url = { env = \"SLACK_WEBHOOK_URL\" } }";
    let environment = [("LATCHKEY_URL", remote.url.as_str()), ("LATCHKEY_TOKEN", remote.admin.as_str())];
    let mut command = remote.world.command(["settings", "set", "notify.ops", receiver]);
    command.envs(environment);
    let set = tests::provision::finish(command.spawn().unwrap(), None).exits(0);
    assert!(set.stdout.contains("Set `notify.ops`; notices are on"), "{}", set.stdout);
    let shown = remote.admin("settings show").exits(0);
    assert!(shown.stdout.contains(&format!("notify.ops = {receiver}")), "{}", shown.stdout);
    // It is tried from here, where the variable is not set.
    let tried = remote.admin("notify test ops").exits(1);
    assert!(tried.stderr.contains("`SLACK_WEBHOOK_URL` is unset"), "{}", tried.stderr);
    remote.admin("settings unset notify.ops").exits(0);
    remote.admin("settings unset max_tokens").exits(0);
    let here = remote.world.run("settings show --format json --service embedded:latchkey.db").exits(0).json();
    assert_eq!(here, remote.admin("settings show --format json").exits(0).json(), "the table says the same");
    let events = remote.admin("events --type settings --format json").exits(0).json();
    assert_eq!(events["events"].as_array().unwrap().len(), 4);
    assert_eq!(events["events"][0]["actor"], "root/first-admin");
}

#[test]
fn events_and_manifests_are_listed_by_url_as_on_the_table() {
    let remote = Remote::start();
    remote.run("apply --revision 7").exits(0);
    for words in ["events --limit 100", "events --user ci --type version", "events --manifest acme", "manifest list"] {
        let by_url = remote.admin(&format!("{words} --format json")).exits(0).json();
        let on_table =
            remote.world.run(&format!("{words} --format json --service embedded:latchkey.db")).exits(0).json();
        assert_eq!(by_url, on_table, "{words}");
    }
    let list = remote.admin("manifest list --format json").exits(0).json();
    let acme = &list["manifests"][0];
    assert_eq!((&acme["name"], &acme["applied"], &acme["tokens"]), (&json!("acme"), &json!(7), &json!(2)));
    assert_eq!((&acme["applied_by"], &acme["granted"]), (&json!("pipeline/main-pipeline"), &json!(true)));
    let text = remote.admin("manifest list").exits(0);
    assert!(text.stdout.lines().nth(1).unwrap().contains("pipeline/main-pipeline"), "{}", text.stdout);
    let shown = remote.run("manifest show acme").exits(0);
    assert!(shown.stdout.contains("by pipeline/main-pipeline"), "{}", shown.stdout);
    let grant = remote.admin("manifest grant acme -p documents:list --new-user ci --new-role reader").exits(0);
    assert!(
        grant.stdout.contains("  - permission documents:read\n  + permission documents:list\n"),
        "{}",
        grant.stdout
    );
}

#[test]
fn whoever_lacks_the_rights_gets_nothing_of_settings_events_and_manifests() {
    let remote = Remote::start();
    for (words, permission) in [
        ("settings show", "admin:settings"),
        ("settings set max_tokens 5", "admin:settings"),
        ("settings unset max_tokens", "admin:settings"),
        ("notify test ops", "admin:settings"),
        ("manifest list", "admin:roles"),
        ("events", "admin:audit"),
        ("events --user pipeline", "admin:audit"),
        ("role show job", "admin:roles"),
    ] {
        let refused = remote.run(words).exits(1);
        assert!(
            refused.stderr.contains(&format!("lacks the permission `{permission}`")),
            "{words}: {}",
            refused.stderr
        );
        assert_eq!(refused.stdout, "", "{words}");
    }
    // One's own record is everybody's to see.
    let own = remote.run("user show pipeline").exits(0);
    assert!(own.stdout.contains("job") && !own.stdout.contains("manifests:acme"), "{}", own.stdout);
    remote.run("user show root").exits(1);
    // A job that only plans sees all manifests where it may read all.
    let direct = "--service embedded:latchkey.db";
    remote.world.run(&format!("role set job -p manifests:acme,manifests-read:* --yes {direct}")).exits(0);
    remote.world.clock(60);
    assert!(remote.run("manifest list").exits(0).stdout.contains("acme"));
}
