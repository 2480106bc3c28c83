//! Secrets and tokens that somebody asks about: `token find`, `inspect`, `list`, `show`, `events` and `update`.

use tests::provision::{DAY, HOUR, Ran, World, finish};

use super::{applied, assert_told};

const SERVICE: &str = "--service embedded:x.db";

/// A table with two users, one of whom has a token that was rotated by hand.
fn by_hand() -> (World, [String; 2]) {
    let world = World::new();
    for words in ["role set reader -p documents:read", "user set ana --roles reader", "user set ben --roles reader"] {
        world.run(&format!("{words} {SERVICE}")).exits(0);
    }
    let first = secret(&world, "token create laptop --user ana -d Notes --label team=docs -e 90d");
    let second = secret(&world, "token rotate laptop --user ana");
    let _ = world.told();
    (world, [first, second])
}

#[track_caller]
fn secret(world: &World, words: &str) -> String {
    world.run(&format!("{words} {SERVICE}")).exits(0).stdout.trim().to_owned()
}

fn id_of(secret: &str) -> &str {
    &secret[3..19]
}

/// Runs a command that gets a secret, and notes that nothing of it was printed.
#[track_caller]
fn told(world: &World, words: &str, stdin: &str) -> Ran {
    let ran = world.pipe(&format!("{words} {SERVICE}"), stdin);
    for part in stdin.split_whitespace().filter(|part| part.len() > 40) {
        let hidden = &part[part.len() - 20..];
        assert!(!ran.stdout.contains(hidden) && !ran.stderr.contains(hidden), "{}{}", ran.stdout, ran.stderr);
    }
    ran
}

#[test]
fn a_secret_is_found_in_every_state_with_what_ends_it() {
    let (world, [first, second]) = by_hand();
    told(&world, "token find", &second).exits(0);
    told(&world, "token find", &format!("API_TOKEN=\"{first}\"")).exits(0);
    world.clock(25 * HOUR);
    // Its overlap has ended.
    told(&world, "token find", &first).exits(1);
    world.run(&format!("token rotate laptop --user ana --compromised {SERVICE}")).exits(0);
    let _ = world.told();
    told(&world, "token find", &second).exits(1);
    world.run(&format!("user set ana --suspend {SERVICE}")).exits(0);
    let other = secret(&world, "token create phone --user ben -e 1h");
    let _ = world.told();
    told(&world, "token find", &format!("lk_{}_****", id_of(&second))).exits(0);
    world.run(&format!("token delete laptop --user ana --yes {SERVICE}")).exits(0);
    let _ = world.told();
    told(&world, "token find", &second).exits(1);
    told(&world, "token find --format json", &second).exits(1);
    world.clock(27 * HOUR);
    told(&world, "token find", &other).exits(1);
    assert_told!(world);
}

#[test]
fn what_is_left_of_a_secret_and_an_id_are_found_too_and_what_is_foreign_is_told() {
    let (world, [_, second]) = by_hand();
    let flipped = if second.ends_with('A') { "B" } else { "A" };
    for (stdin, code) in [
        (second[..50].to_owned(), 0),
        (format!("{}{flipped}", &second[..second.len() - 1]), 0),
        (format!("lk_{}_\u{2022}\u{2022}\u{2022}", id_of(&second)), 0),
        (id_of(&second).to_owned(), 0),
        ("lk_0123456789abcdef_****".to_owned(), 1),
        ("ghp_0123456789abcdefghijABCDEFGHIJ012345".to_owned(), 1),
        ("correct horse battery staple".to_owned(), 1),
        ("lk_0123".to_owned(), 2),
        ("\n".to_owned(), 2),
        (String::new(), 2),
    ] {
        told(&world, "token find", &stdin).exits(code);
    }
    world.pipe("token find --service embedded:missing.db", &second).exits(2);
    assert_told!(world);
}

#[test]
fn a_declared_token_is_found_with_its_places_and_the_command_that_replaces_it_there() {
    let world = applied();
    let secret = world.entry(".env", "BUILD_TOKEN");
    world.pipe("token find", &secret).exits(0);
    world.run("rotate --compromised build-api --yes").exits(0);
    let _ = world.told();
    world.pipe("token find", &secret).exits(1);
    assert_told!(world);
}

#[test]
fn a_string_is_inspected_without_a_service_and_never_repeated() {
    let world = World::new();
    let (_, [_, secret]) = by_hand();
    for (stdin, code) in [
        (secret.clone(), 0),
        (format!("export TOKEN='{secret}'\n"), 0),
        (secret[..40].to_owned(), 1),
        (secret.replacen("lk_", "acme_", 1), 1),
        (secret.replacen("lk_", "acme_", 1)[..50].to_owned(), 1),
        (format!("lk_{}_********", id_of(&secret)), 1),
        (id_of(&secret).to_owned(), 0),
        ("AKIAIOSFODNN7EXAMPLE".to_owned(), 1),
        ("hunter2".to_owned(), 1),
    ] {
        let ran = world.pipe("token inspect", &stdin).exits(code);
        for hidden in [&secret[30..], "hunter2", "IOSFODNN7"] {
            assert!(!ran.stdout.contains(hidden) && !ran.stderr.contains(hidden), "{}", ran.stdout);
        }
    }
    let json = world.pipe("token inspect --format json", &secret).exits(0).json();
    assert_eq!((&json["form"], &json["id"]), (&"secret".into(), &id_of(&secret).into()));
    assert_told!(world);
}

#[test]
fn a_secret_as_an_argument_is_refused_in_whatever_form_and_not_repeated() {
    let (world, [_, secret]) = by_hand();
    for command in ["find", "inspect"] {
        for given in
            [secret.as_str(), "ghp_0123456789abcdefghijABCDEFGHIJ012345", "hunter2", "lk_0123456789abcdef_****"]
        {
            let ran = finish(world.command(["token", command, given]).spawn().unwrap(), None).exits(2);
            assert!(!ran.stderr.contains(given) && ran.stdout.is_empty(), "{}", ran.stderr);
            assert!(
                ran.stderr.contains("as other users of the machine")
                    || ran.stderr.contains("other users of the machine can see arguments"),
                "{}",
                ran.stderr
            );
        }
    }
}

#[test]
fn tokens_of_all_users_are_listed_by_what_is_wanted_of_them_with_what_that_cost() {
    let (world, _) = by_hand();
    for words in [
        "token create soon --user ben -e 7d --label team=web,stage=live",
        "token create later --user ben -e 60d",
        "token create gone --user ben",
    ] {
        secret(&world, words);
    }
    world.run(&format!("token delete gone --user ben --yes {SERVICE}")).exits(0);
    let _ = world.told();
    let names = |words: &str| {
        let list = world.run(&format!("token list {words} -t json {SERVICE}")).exits(0).json();
        let all = ["active", "ended"].map(|part| list[part].as_array().unwrap().clone()).concat();
        let mut names: Vec<String> = all.iter().map(|token| token["name"].as_str().unwrap().to_owned()).collect();
        names.sort_unstable();
        names.join(" ")
    };
    assert_eq!(names("--all-users"), "laptop later soon");
    assert_eq!(names("--all-users --state active,deleted"), "gone laptop later soon");
    assert_eq!(names("--all-users --state active --state deleted --state active"), "gone laptop later soon");
    assert_eq!(names("--all-users --expiring 14d"), "soon");
    assert_eq!(names("--all-users --label team"), "laptop soon");
    assert_eq!(names("--all-users --label team=web,stage"), "soon");
    assert_eq!(names("--user ben --state deleted"), "gone");
    assert_eq!(names("--user ben"), "gone later soon");
    assert_eq!(names("--user ben --unused 1h"), "");
    world.clock(8 * DAY);
    assert_eq!(names("--all-users --unused 7d"), "laptop later");
    assert_eq!(names("--all-users --state expired"), "soon");
    let _ = world.told();
    world.run(&format!("token list --all-users {SERVICE}")).exits(0);
    world.run(&format!("token list --all-users --user ben {SERVICE}")).exits(1);
    world.run(&format!("token list --expiring tomorrow {SERVICE}")).exits(1);
    let told = world.told();
    assert!(told.contains("2> This took 2 queries of the table, one for each user and state"), "{told}");
    assert!(told.contains("USER") && told.contains("Active tokens of all users: 2"), "{told}");
}

#[test]
fn an_expiry_is_shown_as_the_day_that_was_typed() {
    let world = World::new();
    let day = world.date(40);
    for words in ["role set reader -p documents:read", "user set ana --roles reader"] {
        world.run(&format!("{words} {SERVICE}")).exits(0);
    }
    let created = world.run(&format!("token create laptop --user ana -e {day} {SERVICE}")).exits(0);
    let secret = created.stdout.trim().to_owned();
    let list = world.run(&format!("token list --user ana {SERVICE}")).exits(0).stdout;
    let show = world.run(&format!("token show laptop --user ana {SERVICE}")).exits(0).stdout;
    let verify = world.pipe(&format!("token verify {SERVICE}"), &secret).exits(0).stdout;
    let find = world.pipe(&format!("token find {SERVICE}"), &secret).exits(0).stdout;
    for text in [&created.stderr, &list, &show, &verify, &find] {
        assert!(text.contains(&day) && !text.contains(&world.date(41)), "{text}");
        assert!(!text.contains("24:00"), "{text}");
    }
}

#[test]
fn a_token_is_reached_by_its_id_after_its_end_and_under_every_name_it_had() {
    let (world, [_, secret]) = by_hand();
    let id = id_of(&secret).to_owned();
    world.run(&format!("token update laptop --user ana --rename notebook {SERVICE}")).exits(0);
    world.run(&format!("token delete --id {id} --yes {SERVICE}")).exits(0);
    world.run(&format!("token create notebook --user ana {SERVICE}")).exits(0);
    let _ = world.told();
    for command in ["show", "usage", "events", "roles"] {
        world.run(&format!("token {command} --id {id} {SERVICE}")).exits(0);
    }
    world.run(&format!("token show laptop --id {id} --user ana {SERVICE}")).exits(1);
    world.run(&format!("token show --id 0123456789abcdef {SERVICE}")).exits(1);
    world.run(&format!("token show --id nonsense {SERVICE}")).exits(1);
    world.run(&format!("token delete --id {id} --yes {SERVICE}")).exits(1);
    let events = world.run(&format!("token events --id {id} -t json {SERVICE}")).exits(0).json();
    let actions: Vec<&str> =
        events["events"].as_array().unwrap().iter().map(|event| event["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["token.delete", "token.edit", "version.promote", "version.stage", "token.create"]);
    let some = world.run(&format!("token events --id {id} --limit 2 -t json {SERVICE}")).exits(0).json();
    assert_eq!((some["events"].as_array().unwrap().len(), &some["more"]), (2, &true.into()));
    assert_told!(world);
}
