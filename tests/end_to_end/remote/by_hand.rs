//! `token`, `user`, `role` and `manifest` by URL.

use tests::provision::HOUR;

use super::Remote;

#[test]
fn tokens_are_made_listed_shown_changed_and_deleted_by_url() {
    let remote = Remote::start();
    remote.admin("role set writer -p documents:write,documents:read").exits(0);
    remote.admin("user set ann --kind person --roles writer").exits(0);
    let made = remote.admin("token set notes-sync --user ann -d Notes --label team=docs --expires-at 2099-01-01");
    assert_eq!(made.code, Some(1));
    assert!(made.stderr.contains("the latest is `--expires-at "), "{}", made.stderr);
    let made = remote.admin("token set notes-sync --user ann -d Notes --label team=docs").exits(0);
    let secret = made.stdout.trim().to_owned();
    assert!(remote.is_valid(&secret));
    let taken = remote.admin("token set notes-sync --user ann").exits(1);
    assert!(taken.stderr.contains("choose another name") && taken.stderr.contains("(request "), "{}", taken.stderr);
    let list = remote.admin("token list --user ann --format json").exits(0).json();
    assert_eq!(list["active"][0]["name"], "notes-sync");
    let shown = remote.admin("token show notes-sync --user ann --format json").exits(0).json();
    assert_eq!(shown["description"], "Notes");
    assert_eq!(shown["events"][0]["action"], "token.create");
    let roles = remote.admin("token roles notes-sync --user ann --format json").exits(0).json();
    assert_eq!(roles["permissions"].as_array().unwrap().len(), 2);
    let refused = remote.admin("token roles notes-sync --user ann --set job").exits(1);
    assert!(refused.stderr.contains("provision user set ann --add-role job"), "{}", refused.stderr);
    remote.admin("token roles notes-sync --user ann --none").exits(0);
    let gone = remote.admin("token delete notes-sync --user ann --yes --format json").exits(0).json();
    assert_eq!(gone["state"], "deleted");
    assert!(!remote.is_valid(&secret), "it ended at once");
    remote.admin("token show notes-sync --user ann").exits(1);
    let list = remote.admin("token list --user ann --format json").exits(0).json();
    assert_eq!(list["ended"][0]["state"], "deleted");
}

#[test]
fn me_is_the_user_of_the_token_in_hand() {
    let remote = Remote::start();
    let list = remote.admin("token list --format json").exits(0).json();
    assert_eq!(list["user"], "root");
    assert_eq!(list["active"][0]["name"], "first-admin");
}

#[test]
fn a_token_without_the_permission_is_told_which_one_it_lacks() {
    let remote = Remote::start();
    let refused = remote.run("role list").exits(1);
    assert!(refused.stderr.contains("lacks the permission `admin:roles` (request "), "{}", refused.stderr);
    assert!(refused.stderr.contains("use a token with the permission `admin:roles`"), "{}", refused.stderr);
    remote.run("user list").exits(1);
    remote.run("token list --user root").exits(1);
}

#[test]
fn roles_and_users_are_set_listed_and_deleted_by_url() {
    let remote = Remote::start();
    remote.admin("role set writer -p documents:write").exits(0);
    remote.admin("user set bob --roles writer --max-tokens 3").exits(0);
    let users = remote.admin("user list --format json").exits(0).json();
    assert!(users["users"].as_array().unwrap().iter().any(|user| user["name"] == "bob" && user["max_tokens"] == 3));
    let held = remote.admin("role delete writer").exits(1);
    assert!(held.stderr.contains("provision user set NAME --remove-role writer"), "{}", held.stderr);
    let unknown = remote.admin("user set bob --add-role nothing").exits(1);
    assert!(unknown.stderr.contains("provision role set nothing"), "{}", unknown.stderr);
    remote.admin("user set bob --remove-role writer --yes").exits(0);
    remote.admin("role delete writer").exits(4);
    remote.admin("role delete writer --yes").exits(0);
    let missing = remote.admin("role delete writer").exits(1);
    assert!(missing.stderr.contains("there is no role `writer`"), "{}", missing.stderr);
    remote.admin("user delete bob --yes").exits(0);
    let missing = remote.admin("user delete bob").exits(1);
    assert!(missing.stderr.contains("there is no user `bob`"), "{}", missing.stderr);
    let roles = remote.admin("role list").exits(0);
    assert!(!roles.stdout.contains("writer"), "{}", roles.stdout);
}

#[test]
fn a_grant_is_set_and_shown_by_url() {
    let remote = Remote::start();
    remote.admin("manifest grant acme -p documents:read,documents:write --user ann --new-user * --new-role *").exits(0);
    let shown = remote.run("manifest show acme --format json").exits(0).json();
    assert_eq!(shown["grant"]["permissions"], serde_json::json!(["documents:read", "documents:write"]));
    assert_eq!(shown["grant"]["users"], serde_json::json!(["ann"]));
    let never = remote.admin("manifest grant acme -p admin:users").exits(1);
    assert!(never.stderr.contains("no manifest may grant `admin:users`"), "{}", never.stderr);
    remote.run("manifest grant acme -p documents:read").exits(1);
    remote.admin("manifest show nobody").exits(1);
}

#[test]
fn a_secret_is_verified_by_the_server_itself_and_that_counts_a_use() {
    let mut remote = Remote::start();
    remote.run("apply").exits(0);
    let secret = remote.world.entry(".env", "BUILD_TOKEN");
    let mut command = remote.world.command(["token", "verify"]);
    command.env("LATCHKEY_URL", &remote.url).stdin(std::process::Stdio::piped());
    let ran = tests::provision::finish(command.spawn().unwrap(), Some(&secret)).exits(0);
    assert!(ran.stdout.contains("ci/build-api") && ran.stdout.contains("documents:read"), "{}", ran.stdout);
    let verify = |text: &str| {
        let mut command = remote.world.command(["token", "verify"]);
        command.env("LATCHKEY_URL", &remote.url).stdin(std::process::Stdio::piped());
        tests::provision::finish(command.spawn().unwrap(), Some(text))
    };
    verify("nonsense").exits(1);
    remote.admin("token delete build-api --user ci --yes").exits(0);
    verify(&secret).exits(1);
    assert_eq!(remote.served.end(), Some(0), "it ended in order");
    // Nobody answers any more.
    verify(&secret).exits(2);
}

#[test]
fn uses_through_the_server_are_counted_and_survive_its_end() {
    let mut remote = Remote::start();
    for _ in 0..3 {
        remote.run("manifest show acme").exits(0);
    }
    assert_eq!(remote.served.end(), Some(0));
    let day =
        remote.world.run("token usage main-pipeline --user pipeline --service embedded:latchkey.db --format json");
    let day = day.exits(0).json();
    remote.served = tests::remote::Served::start(&remote.world, "latchkey.db");
    remote.url = remote.served.url().to_owned();
    remote.world.write("tokens.toml", &super::head(&format!("url = \"{}\"", remote.url)));
    let asked = remote.admin("token usage main-pipeline --user pipeline --format json").exits(0).json();
    assert_eq!(asked, day, "the server tells what the table says");
    let none = remote.admin("token usage main-pipeline --user pipeline --from 2026-01-01 --to 2026-01-02").exits(0);
    assert!(none.stdout.contains("has 0 uses from 2026-01-01 to 2026-01-02"), "{}", none.stdout);
    remote.world.clock(HOUR / 60);
    let shown =
        remote.world.run("token show main-pipeline --user pipeline --service embedded:latchkey.db --format json");
    let uses: u64 =
        shown.exits(0).json()["usage"].as_array().unwrap().iter().filter_map(|day| day["uses"].as_u64()).sum();
    assert!(uses >= 6, "{uses} uses: each command asks who it is and what it wants");
}

#[test]
fn a_secret_is_found_by_url_by_who_may_see_its_token_and_by_nobody_else() {
    let remote = Remote::start();
    let direct = "--service embedded:latchkey.db";
    remote.world.run(&format!("role set own -p tokens:write {direct}")).exits(0);
    let mut secrets = Vec::new();
    for user in ["ann", "bob"] {
        remote.world.run(&format!("user set {user} --roles own {direct}")).exits(0);
        secrets.push(
            remote.world.run(&format!("token create laptop --user {user} {direct}")).exits(0).stdout.trim().to_owned(),
        );
    }
    let (ann, bob) = (&secrets[0], &secrets[1]);
    let find = |token: &str, stdin: &str| {
        let environment = [("LATCHKEY_URL", remote.url.as_str()), ("LATCHKEY_TOKEN", token)];
        remote.world.pipe_in(&environment, "token find", stdin)
    };
    let own = find(ann, ann).exits(0);
    assert!(own.stdout.contains("Version 1 of `ann/laptop`, which is valid"), "{}", own.stdout);
    find(&remote.admin, bob).exits(0);
    let id = &bob[3..19];
    remote.world.run(&format!("token delete laptop --user bob --yes {direct}")).exits(0);
    let ended = find(&remote.admin, bob).exits(1);
    assert!(ended.stdout.contains("deleted at ") && ended.stdout.contains("by `operator:"), "{}", ended.stdout);
    // A stranger learns no more of it than of one that never was.
    let (strange, nobodys) = (find(ann, bob).exits(1), find(ann, &bob.replace(id, "0123456789abcdef")).exits(1));
    assert!(!strange.stdout.contains("bob") && strange.stdout.contains("not allowed to see"), "{}", strange.stdout);
    assert_eq!(strange.stdout.lines().last(), nobodys.stdout.lines().last());
    for command in ["show", "events", "usage", "roles"] {
        let refused = remote.run_as(ann, &format!("token {command} --id {id}")).exits(1);
        assert!(refused.stderr.contains("there is no token with the id"), "{}", refused.stderr);
        remote.admin(&format!("token {command} --id {id}")).exits(0);
    }
    // Nobody answers, so nobody can tell.
    let nobody = "http://127.0.0.1:9";
    let environment = [("LATCHKEY_URL", nobody), ("LATCHKEY_TOKEN", ann.as_str())];
    let unclear = remote.world.pipe_in(&environment, &format!("token find --service {nobody}"), bob).exits(2);
    assert!(unclear.stderr.contains("did not answer"), "{}", unclear.stderr);
}

#[test]
fn the_secret_that_is_looked_for_leaves_the_machine_in_no_part() {
    let remote = Remote::start();
    let direct = "--service embedded:latchkey.db";
    remote.world.run(&format!("user set ann {direct}")).exits(0);
    let secret =
        remote.world.run(&format!("token create laptop --user ann {direct}")).exits(0).stdout.trim().to_owned();
    let proxy = tests::remote::Proxy::before(&remote.url);
    let url = proxy.url();
    let environment = [("LATCHKEY_URL", url.as_str()), ("LATCHKEY_TOKEN", remote.admin.as_str())];
    remote.world.pipe_in(&environment, &format!("token find --service {url}"), &secret).exits(0);
    let sent = proxy.sent();
    assert!(sent.iter().any(|sent| sent.head.contains(&format!("/v1/tokens/{}", &secret[3..19]))), "{sent:?}");
    for request in &sent {
        assert!(!format!("{request:?}").contains(&secret[20..32]), "{request:?}");
    }
}

#[test]
fn tokens_of_all_users_are_listed_by_url_by_who_may_see_them_all() {
    let remote = Remote::start();
    for number in 0..30 {
        remote.world.run(&format!("user set user-{number} --service embedded:latchkey.db")).exits(0);
    }
    let list = remote.admin("token list --all-users").exits(0);
    assert!(list.stdout.contains("first-admin") && list.stdout.contains("main-pipeline"), "{}", list.stdout);
    assert!(list.stderr.contains("This took 2 requests: 32 queries of the table"), "{}", list.stderr);
    let refused = remote.run("token list --all-users").exits(1);
    assert!(refused.stderr.contains("use a token with the permission `admin:tokens`"), "{}", refused.stderr);
}

#[test]
fn tokens_are_rotated_and_changed_by_url_as_on_a_table() {
    let remote = Remote::start();
    remote.admin("user set ann --kind person").exits(0);
    let first = remote.admin("token create laptop --user ann -e 20d").exits(0).stdout.trim().to_owned();
    let rotated = remote.admin("token rotate laptop --user ann").exits(0);
    assert!(rotated.stderr.contains("Version 1 stays valid until "), "{}", rotated.stderr);
    let second = rotated.stdout.trim().to_owned();
    assert!(remote.is_valid(&first) && remote.is_valid(&second));
    let third = remote.admin("token rotate laptop --user ann --compromised").exits(0).stdout.trim().to_owned();
    assert!(!remote.is_valid(&first) && !remote.is_valid(&second) && remote.is_valid(&third));
    let updated = remote.admin("token update laptop --user ann -d Notes --rename notebook --label a=b").exits(0);
    assert!(updated.stdout.contains("  name: laptop -> notebook\n"), "{}", updated.stdout);
    let refused = remote.admin("token update notebook --user ann -e 2099-01-01").exits(1);
    assert!(refused.stderr.contains("the latest is `--expires-at "), "{}", refused.stderr);
    let events = remote.admin("token events notebook --user ann").exits(0);
    assert!(
        events.stdout.contains("version.compromised") && events.stdout.contains("token.create"),
        "{}",
        events.stdout
    );
}
