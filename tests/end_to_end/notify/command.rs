//! Notices at the command line: settings, tests of receivers, and what runs send at their end.

use jiff::Timestamp;
use serde_json::json;
use tests::engines::StrictSecretsManager;
use tests::provision::{DAY, HOUR, Ran, World, secrets_in};
use tests::receiver::{Got, Receiver, verified};

use super::SIGNING;
use crate::command::{START, TWO, VAULT};

const NOTIFY: &str = r#"
[notify.ops]
type = "webhook"
on = ["rotated", "leaked", "created", "rotation_failed"]
url = { env = "WEBHOOK_URL" }
secret = { env = "WEBHOOK_SECRET" }
link = "https://tokens.example.com/{user}/{name}"
"#;

/// Runs a command with what its receiver is reached with in the environment.
fn run(world: &World, receiver: &Receiver, words: &str) -> Ran {
    let url = receiver.url("/hidden-path");
    world.run_in(&[("WEBHOOK_URL", url.as_str()), ("WEBHOOK_SECRET", SIGNING)], words)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_with_a_receiver_tells_it_of_rotations_and_leaks() {
    let receiver = Receiver::start().await;
    let world = World::with(&format!("{START}{TWO}{NOTIFY}"));
    run(&world, &receiver, "apply").exits(0);
    let first = world.entry(".env", "BUILD_TOKEN");
    world.clock(31 * DAY);
    let rotated = run(&world, &receiver, "rotate").exits(0);
    assert!(
        rotated.stderr.contains("notices are on from now on, as `tokens.toml` has receivers"),
        "{}",
        rotated.stderr
    );
    assert!(rotated.stderr.contains("2 notices sent"), "{}", rotated.stderr);
    run(&world, &receiver, "rotate --compromised build-api --yes").exits(0);
    let got = receiver.got("/hidden-path");
    let types: Vec<String> = got.iter().map(|got| got.json()["type"].as_str().unwrap().to_owned()).collect();
    assert_eq!(types.iter().filter(|kind| *kind == "token.rotated").count(), 3, "{types:?}");
    assert!(types.contains(&"token.leaked".to_owned()), "{types:?}");
    let data = got[0].json()["data"].clone();
    assert_eq!(data["link"], format!("https://tokens.example.com/ci/{}", data["name"].as_str().unwrap()));
    // No secret in any of them, and the address in nothing that was said.
    let told = world.told();
    let sent = format!("{:?}", receiver.all());
    assert_eq!(secrets_in(&format!("{told}{sent}")), Vec::<String>::new());
    assert!(!sent.contains(&first) && !told.contains("hidden-path") && !told.contains(SIGNING), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_down_stops_no_rotation_and_gets_the_same_notice_later() {
    let receiver = Receiver::start().await;
    let world = World::with(&format!("{START}{TWO}{NOTIFY}"));
    run(&world, &receiver, "apply").exits(0);
    run(&world, &receiver, "rotate").exits(0);
    receiver.answer("/hidden-path", 503);
    world.clock(31 * DAY);
    let rotated = run(&world, &receiver, "rotate --format json").exits(0).json();
    assert_eq!(rotated["notices"]["waiting"], 2, "{rotated}");
    assert_eq!(rotated["notices"]["down"][0]["receiver"], "acme/ops", "{rotated}");
    assert_eq!(rotated["notices"]["down"][0]["reason"], "`127.0.0.1` answered 503", "{rotated}");
    receiver.answer("/hidden-path", 200);
    world.clock(31 * DAY + HOUR);
    let again = run(&world, &receiver, "rotate --format json").exits(0).json();
    assert_eq!((&again["notices"]["sent"], &again["notices"]["waiting"]), (&json!(2), &json!(0)), "{again}");
    let got = receiver.got("/hidden-path");
    assert_eq!(got.len(), 3, "once while it was down, and each once after");
    assert!(got[1..].iter().any(|later| later.id() == got[0].id()));
    // The world's clock is ahead of the receiver's.
    let seconds = |got: &Got| got.headers["webhook-timestamp"].parse().unwrap();
    let in_time = got.iter().map(|got| Got { at: Timestamp::from_second(seconds(got)).unwrap(), ..got.clone() });
    if let Some(good) = verified(&in_time.collect::<Vec<_>>(), SIGNING) {
        assert_eq!(good, 3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_is_set_shown_tried_and_removed() {
    let receiver = Receiver::start().await;
    let world = World::with(&format!("{START}{TWO}"));
    world.run("apply").exits(0);
    let shown = world.run("settings show").exits(0);
    assert!(shown.stdout.ends_with("\nnotices         off\n"), "{}", shown.stdout);
    let unknown = world.run("notify test ops").exits(1);
    assert!(unknown.stderr.contains("there is no receiver `ops` in the service's settings"), "{}", unknown.stderr);
    let inline = "{ type = \"webhook\", url = { env = \"WEBHOOK_URL\" }, secret = { env = \"WEBHOOK_SECRET\" } }";
    world.run_words(["settings", "set", "notify.ops", inline]).exits(0);
    let shown = world.run("settings show").exits(0);
    assert!(shown.stdout.ends_with(&format!("\nnotices         on\nnotify.ops = {inline}\n")), "{}", shown.stdout);
    let tried = run(&world, &receiver, "notify test ops").exits(0);
    assert!(tried.stdout.starts_with("`ops` took the test notice `test-"), "{}", tried.stdout);
    let got = receiver.got("/hidden-path");
    assert_eq!((got.len(), &got[0].json()["type"]), (1, &json!("test")));
    receiver.answer("/hidden-path", 302);
    let refused = run(&world, &receiver, "notify test ops").exits(1);
    assert!(
        refused.stderr.contains("`ops` did not take the test notice: `127.0.0.1` answered 302"),
        "{}",
        refused.stderr
    );
    assert!(refused.stderr.contains("redirects are not followed"), "{}", refused.stderr);
    assert!(receiver.got("/elsewhere").is_empty());
    let refused = run(&world, &receiver, "notify test ops --format json").exits(1).json();
    assert_eq!((&refused["taken"], &refused["reason"]), (&json!(false), &json!("`127.0.0.1` answered 302")));
    let missing = world.run("notify test ops").exits(1);
    assert!(missing.stderr.contains("the environment variable `WEBHOOK_URL` is unset or empty"), "{}", missing.stderr);
    world.run("settings unset notify.ops").exits(0);
    world.run("settings unset notify.ops").exits(1);
    world.run("settings unset notify").exits(0);
    assert_eq!(world.run("settings show --format json").exits(0).json()["notices"]["on"], false);
    if let Some(good) = verified(&got, SIGNING) {
        assert_eq!(good, 1);
    }
    assert!(!world.told().contains("hidden-path"));
}

#[test]
fn what_is_no_setting_changes_nothing_and_shows_no_secret() {
    let world = World::with(&format!("{START}{TWO}"));
    world.run("apply").exits(0);
    let plain = "{ type = \"slack\", url = \"https://hooks.example.com/hidden\" }";
    let refused = world.run_words(["settings", "set", "notify.ops", plain]).exits(1);
    assert!(refused.stderr.contains("`notify.ops` has 1 error, nothing was changed"), "{}", refused.stderr);
    assert!(!refused.stderr.contains("hidden"), "{}", refused.stderr);
    for words in [
        ["settings", "set", "policy.max_tokens", "3"],
        ["settings", "set", "notify.Ops", "{ type = \"slack\" }"],
        ["settings", "set", "notify.ops", "{ type = \"pigeon\" }"],
        ["settings", "set", "notify.ops", "type = "],
    ] {
        world.run_words(words).exits(1);
    }
    assert_eq!(world.run("settings show --format json").exits(0).json()["revision"], 0);
}

/// The job has no file: it goes by what is published, and reads what receivers are reached with in Secrets Manager.
#[tokio::test(flavor = "multi_thread")]
async fn the_job_tells_the_receivers_that_a_manifest_has_published() {
    let (receiver, manager) = (Receiver::start().await, StrictSecretsManager::start().await);
    let person = manager.person("eu-west-1");
    for (name, value) in [("url", receiver.url("/hidden-path")), ("secret", SIGNING.to_owned())] {
        let name = format!("latchkey/logins/acme/{name}");
        person.call("CreateSecret", json!({ "Name": name, "SecretString": value })).await;
    }
    let ours =
        "url = { secret = \"latchkey/logins/acme/url\" }\nsecret = { secret = \"latchkey/logins/acme/secret\" }\n";
    let notify = format!(
        "[notify.ops]\ntype = \"webhook\"\n{ours}\n[notify.here]\ntype = \"slack\"\nurl = {{ env = \"SLACK_WEBHOOK_URL\" }}\n"
    );
    let world = World::with(&format!("{START}{VAULT}{notify}"));
    let endpoint = manager.url();
    let environment = [
        ("AWS_ACCESS_KEY_ID", "AKIATEST"),
        ("AWS_SECRET_ACCESS_KEY", "login"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ENDPOINT_URL", endpoint.as_str()),
    ];
    world.run_in(&environment, "apply").exits(0);
    let published = world.run_in(&environment, "publish").exits(0);
    assert!(published.stderr.contains("notices are on from now on"), "{}", published.stderr);
    assert!(
        published.stdout.contains("not told by the job: the receiver `here`: its `url` is"),
        "{}",
        published.stdout
    );
    world.run("manifest grant acme --entry aws-secrets-manager:account=123456789012,region=eu-west-1,*").exits(0);
    world.write("tokens.toml", "manifest = \"nothing\"\n[service]\nembedded = \"latchkey.db\"\n");
    world.clock(31 * DAY);
    let turn = world.run_in(&environment, "rotate --published --format json").exits(0).json();
    assert_eq!((&turn["done"], &turn["notices"]["sent"]), (&json!(1), &json!(1)), "{turn}");
    let got = receiver.got("/hidden-path");
    assert_eq!((got.len(), &got[0].json()["type"]), (1, &json!("token.rotated")));
    assert!(!world.told().contains("hidden-path"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_cannot_be_done_is_told_once_a_day_and_names_no_secret() {
    let receiver = Receiver::start().await;
    let world = World::with(&format!("{START}{TWO}{NOTIFY}"));
    run(&world, &receiver, "apply").exits(0);
    run(&world, &receiver, "rotate").exits(0);
    let first = world.read(".env");
    std::fs::remove_file(world.path(".env")).unwrap();
    std::fs::create_dir(world.path(".env")).unwrap();
    for (seconds, told) in [(31 * DAY, 2), (31 * DAY + HOUR, 2), (32 * DAY + 2 * HOUR, 4)] {
        world.clock(seconds);
        assert_ne!(run(&world, &receiver, "rotate").code, Some(0));
        let got = receiver.got("/hidden-path");
        let failed = got.iter().filter(|got| got.json()["type"] == "token.rotation_failed");
        assert_eq!(failed.count(), told, "{got:?}");
    }
    let detail = receiver.got("/hidden-path")[0].json()["data"]["detail"].as_str().unwrap().to_owned();
    assert!(detail.starts_with("version 1: ") && detail.contains(".env"), "{detail}");
    let all = format!("{:?}", receiver.all());
    let secrets = secrets_in(&first);
    assert!(secrets.len() == 2 && secrets.iter().all(|secret| !all.contains(secret)));
}

/// The file of `acme` alone names a receiver: the job, which tells that of the settings, leaves the notice for whoever has
/// the file, however late that is, and gives nothing up meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_only_a_manifests_file_names_is_told_by_the_next_run_with_the_file_however_late() {
    let receiver = Receiver::start().await;
    let world = World::with(&format!("{START}{TWO}{NOTIFY}"));
    let table = "{ type = \"webhook\", url = { env = \"OPS_URL\" }, secret = { env = \"WEBHOOK_SECRET\" }, \
        on = [\"created\"] }";
    let ops = receiver.url("/settings");
    let environment = [("OPS_URL", ops.as_str()), ("WEBHOOK_SECRET", SIGNING)];
    run(&world, &receiver, "bootstrap").exits(0);
    world.run_words(["settings", "set", "notify.all", table]).exits(0);
    // The rows of the manifest's first tokens wait while its receiver is unreachable from the run that creates them.
    world.run_in(&environment, "apply").exits(0);
    let file = world.read("tokens.toml");
    world.write("tokens.toml", "manifest = \"other\"\n[service]\nembedded = \"latchkey.db\"\n");
    for hours in [7 * 24, 8 * 24, 20 * 24] {
        world.clock(hours * HOUR);
        let turn = world.run_in(&environment, "rotate --published --format json").exits(0).json();
        assert_eq!((&turn["notices"]["given_up"], &turn["notices"]["down"]), (&json!([]), &json!([])), "{turn}");
    }
    assert_eq!(receiver.got("/settings").len(), 2, "whoever is known gets it, once");
    assert!(receiver.got("/hidden-path").is_empty());
    world.write("tokens.toml", &file);
    let url = receiver.url("/hidden-path");
    let with_file = [("WEBHOOK_URL", url.as_str()), ("OPS_URL", ops.as_str()), ("WEBHOOK_SECRET", SIGNING)];
    for told in [2, 0] {
        let rotated = world.run_in(&with_file, "rotate --format json").exits(0).json();
        assert_eq!(rotated["notices"]["sent"], told, "{rotated}");
    }
    assert_eq!((receiver.got("/settings").len(), receiver.got("/hidden-path").len()), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_waits_for_its_window_is_not_told_as_overdue() {
    let receiver = Receiver::start().await;
    // The 31 days end on a day of the week on which the window is closed for two more, whatever day it is.
    let now = latchkey::clock::Clock::now(&latchkey::clock::SystemClock);
    let now = now.checked_add(jiff::SignedDuration::from_hours(24 * 34)).unwrap();
    let day = now.to_zoned(jiff::tz::TimeZone::UTC).strftime("%a").to_string();
    let notify = NOTIFY.replace("\"rotation_failed\"", "\"overdue\"");
    let world = World::with(&format!("{START}{TWO}{notify}[rotation]\nwindow = \"{day} 00:00-23:59 UTC\"\n"));
    run(&world, &receiver, "apply").exits(0);
    run(&world, &receiver, "rotate").exits(0);
    for days in [31, 32] {
        world.clock(days * DAY + 2 * HOUR);
        let rotated = run(&world, &receiver, "rotate").exits(0);
        assert!(rotated.stdout.contains("waits for"), "{}{}", rotated.stdout, rotated.stderr);
    }
    let told = receiver.got("/hidden-path");
    assert!(told.iter().all(|got| got.json()["type"] != "token.overdue"), "{told:?}");
}

/// Its file was applied last before anything was due, and the window is the one that it had then.
#[tokio::test(flavor = "multi_thread")]
async fn the_job_takes_nothing_for_overdue_before_the_window_of_a_manifest_that_publishes_nothing_was_open_for_a_day() {
    let receiver = Receiver::start().await;
    let world = World::with(&format!("{START}{TWO}"));
    run(&world, &receiver, "apply").exits(0);
    let inline = "{ type = \"webhook\", url = { env = \"WEBHOOK_URL\" }, secret = { env = \"WEBHOOK_SECRET\" }, \
        on = [\"overdue\", \"expiring\"] }";
    world.run_words(["settings", "set", "notify.ops", inline]).exits(0);
    // It is due after 30 days, and the window opens in the night before the 33rd is over.
    let opens = world.now().checked_add(jiff::SignedDuration::from_hours(24 * 33)).unwrap();
    let day = opens.to_zoned(jiff::tz::TimeZone::UTC).strftime("%a").to_string();
    world.write("tokens.toml", &format!("{START}{TWO}[rotation]\nwindow = \"{day} 00:00-23:59 UTC\"\n"));
    let unchanged = run(&world, &receiver, "apply").exits(0);
    assert!(unchanged.stdout.contains("No changes"), "{}", unchanged.stdout);
    let events = || world.run("events --manifest acme --format json").exits(0).stdout.matches("manifest.apply").count();
    let applied = events();
    run(&world, &receiver, "apply").exits(0);
    assert_eq!(events(), applied, "what is recorded already is not recorded again");
    let overdue = || receiver.got("/hidden-path").iter().filter(|got| got.json()["type"] == "token.overdue").count();
    for (days, told) in [(31, 0), (32, 0), (33, 0), (34, 2), (35, 2)] {
        world.clock(days * DAY + HOUR);
        let turn = run(&world, &receiver, "rotate --published --format json").exits(0).json();
        assert_eq!((overdue(), &turn["overdue"]), (told, &json!(0)), "after {days} days: {turn}");
    }
}

/// Before it publishes, only its file names the receiver; the job, which comes first, keeps what there is to tell.
#[tokio::test(flavor = "multi_thread")]
async fn what_waited_for_a_manifests_file_is_told_by_the_job_once_the_manifest_has_published() {
    let (receiver, manager) = (Receiver::start().await, StrictSecretsManager::start().await);
    let person = manager.person("eu-west-1");
    for (name, value) in [("url", receiver.url("/hidden-path")), ("secret", SIGNING.to_owned())] {
        let name = format!("latchkey/logins/acme/{name}");
        person.call("CreateSecret", json!({ "Name": name, "SecretString": value })).await;
    }
    let notify = "[notify.ops]\ntype = \"webhook\"\non = [\"created\"]\nurl = { secret = \"latchkey/logins/acme/url\" }\n\
        secret = { secret = \"latchkey/logins/acme/secret\" }\n";
    let world = World::with(&format!("{START}{VAULT}{notify}"));
    let endpoint = manager.url();
    let environment = [
        ("AWS_ACCESS_KEY_ID", "AKIATEST"),
        ("AWS_SECRET_ACCESS_KEY", "login"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ENDPOINT_URL", endpoint.as_str()),
    ];
    world.run("bootstrap").exits(0);
    let leaks = "{ type = \"slack\", url = { env = \"SLACK\" }, on = [\"leaked\"] }";
    world.run_words(["settings", "set", "notify.leaks", leaks]).exits(0);
    world.run_in(&environment, "apply").exits(0);
    let first = world.run_in(&environment, "rotate --published --format json").exits(0).json();
    assert_eq!((&first["notices"]["sent"], &first["notices"]["with_file"]), (&json!(0), &json!(1)), "{first}");
    world.run_in(&environment, "publish").exits(0);
    world.run("manifest grant acme --entry aws-secrets-manager:account=123456789012,region=eu-west-1,*").exits(0);
    for sent in [1, 0] {
        let turn = world.run_in(&environment, "rotate --published --format json").exits(0).json();
        assert_eq!(turn["notices"]["sent"], sent, "{turn}");
    }
    assert_eq!(receiver.got("/hidden-path")[0].json()["type"], "token.created");
}

/// Runs of another manifest meet the notice, and may not ask its receiver: nobody has tried it when the job comes at last.
#[tokio::test(flavor = "multi_thread")]
async fn runs_of_other_manifests_use_up_no_try_of_what_a_manifest_has_published() {
    let (receiver, manager) = (Receiver::start().await, StrictSecretsManager::start().await);
    let person = manager.person("eu-west-1");
    for (name, value) in [("url", receiver.url("/hidden-path")), ("secret", SIGNING.to_owned())] {
        let name = format!("latchkey/logins/acme/{name}");
        person.call("CreateSecret", json!({ "Name": name, "SecretString": value })).await;
    }
    let notify = "[notify.ops]\ntype = \"webhook\"\non = [\"created\"]\nurl = { secret = \"latchkey/logins/acme/url\" }\n\
        secret = { secret = \"latchkey/logins/acme/secret\" }\n";
    let world = World::with(&format!("{START}{VAULT}{notify}"));
    let endpoint = manager.url();
    let environment = [
        ("AWS_ACCESS_KEY_ID", "AKIATEST"),
        ("AWS_SECRET_ACCESS_KEY", "login"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ENDPOINT_URL", endpoint.as_str()),
    ];
    world.run("bootstrap").exits(0);
    let leaks = "{ type = \"slack\", url = { env = \"SLACK\" }, on = [\"leaked\"] }";
    world.run_words(["settings", "set", "notify.leaks", leaks]).exits(0);
    receiver.answer("/hidden-path", 503);
    world.run_in(&environment, "apply --publish").exits(0);
    world.write("other.toml", "manifest = \"other\"\n[service]\nembedded = \"latchkey.db\"\n");
    let before = receiver.got("/hidden-path").len();
    for run in 1..=13 {
        world.clock(run * HOUR);
        world.run("rotate other.toml").exits(0);
    }
    assert_eq!(receiver.got("/hidden-path").len(), before, "it is not theirs to ask");
    for turn in 0..3 {
        world.clock(9 * DAY + turn * DAY);
        let told = world.run_in(&environment, "rotate --published --format json").json();
        assert_eq!((&told["notices"]["given_up"], &told["notices"]["waiting"]), (&json!([]), &json!(1)), "{told}");
    }
    receiver.answer("/hidden-path", 200);
    world.clock(12 * DAY);
    let told = world.run_in(&environment, "rotate --published --format json").json();
    assert_eq!(told["notices"]["sent"], 1, "{told}");
}
