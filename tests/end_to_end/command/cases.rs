//! Slips of everyday: each is told in words of its own, with what to do.

use std::io::Read as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;

use tests::provision::{DAY, World};

use super::{START, TWO, applied};

/// Case 10: runs a command whose reader goes away at once, or after the first byte.
fn unread(world: &World, words: &str, first_byte: bool) -> (Option<i32>, String) {
    let mut command = world.command(words.split_whitespace());
    let mut child = command.stdin(Stdio::null()).spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    if first_byte {
        let _ = out.read(&mut [0; 1]);
    }
    drop(out);
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.signal(), None, "{words}");
    (ended.status.code(), String::from_utf8(ended.stderr).unwrap())
}

#[test]
fn a_closed_pipe_is_silent_and_leaves_the_exit_code_of_the_work() {
    let world = applied();
    for words in ["status", "plan", "schema", "man", "completions bash", "doctor", "check", "token list --user ci"] {
        for first_byte in [false, true] {
            for form in ["", " --format json"] {
                let takes_form = !["schema", "man", "completions bash"].contains(&words);
                if !form.is_empty() && !takes_form {
                    continue;
                }
                let (code, told) = unread(&world, &format!("{words}{form}"), first_byte);
                assert_eq!((code, told.as_str()), (Some(0), ""), "{words}{form}");
            }
        }
    }
    world.edit("[\"reader\"]", "[\"raeder\"]");
    assert_eq!(unread(&world, "plan", false).0, Some(1));
    assert_eq!(unread(&world, "doctor", false).0, Some(1));
}

#[test]
fn a_run_whose_output_nobody_reads_finishes_its_work() {
    for form in ["", " --format json", " --format markdown"] {
        let world = World::with(&format!("{START}{TWO}"));
        let (code, told) = unread(&world, &format!("apply{form}"), false);
        assert_eq!(code, Some(0), "{told}");
        assert!(!told.contains("error"), "{told}");
        assert_eq!(tests::provision::secrets_in(&world.read(".env")).len(), 2);
        world.run("plan --detailed-exitcode").exits(0);
    }
}

/// Nobody else has it.
#[test]
fn a_secret_that_nobody_read_is_told() {
    let world = World::new();
    let (code, told) = unread(&world, "token set laptop --user me --service embedded:latchkey.db", false);
    assert_eq!(code, Some(1));
    assert!(told.contains("its secret could not be printed"), "{told}");
}

/// Case 15.
#[test]
fn an_aws_profile_that_is_not_there_is_named_with_the_nearest_one() {
    let sink = "type = \"aws-secrets-manager\"\nregion = \"eu-west-1\"\nprofile = \"stagng\"";
    let text = format!("{START}{TWO}").replace("type = \"dotenv\"\npath = \".env\"", sink);
    let world = World::with(&text);
    std::fs::create_dir(world.path("../home/.aws")).unwrap();
    world.write("../home/.aws/config", "[profile staging]\nregion = eu-west-1\n[profile production]\n");
    for words in ["doctor", "plan"] {
        let ran = world.run(words).exits(1);
        let told = format!("{}{}", ran.stdout, ran.stderr);
        assert!(told.contains("there is no AWS profile `stagng`, which the sink names"), "{told}");
        assert!(told.contains("did you mean `staging`?"), "{told}");
    }
    world.edit("profile = \"stagng\"\n", "");
    let ran = world.run_in(&[("AWS_PROFILE", "nowhere-to-be-found")], "doctor").exits(1);
    assert!(ran.stdout.contains("no AWS profile `nowhere-to-be-found`, which `AWS_PROFILE` names"), "{}", ran.stdout);
    assert!(ran.stdout.contains("the profiles on this machine: `production`, `staging`"), "{}", ran.stdout);
    world.edit("embedded = \"latchkey.db\"", "table = \"latchkey\"\nregion = \"eu-west-1\"");
    let ran = world.run_in(&[("AWS_PROFILE", "stagng")], "plan").exits(1);
    assert!(ran.stderr.contains("no AWS profile `stagng`") && ran.stderr.contains("`staging`?"), "{}", ran.stderr);
}

/// Case 18.
#[test]
fn a_saved_plan_where_a_manifest_belongs_is_told_in_one_error() {
    let world = World::with(&format!("{START}{TWO}"));
    world.run("plan --out plan.json").exits(0);
    for words in ["apply plan.json", "plan plan.json", "status plan.json", "check plan.json", "check plan.json -t json"]
    {
        let ran = world.run(words).exits(1);
        assert!(ran.stderr.starts_with("error: `plan.json` is a saved plan, not a manifest\n"), "{}", ran.stderr);
        assert!(ran.stderr.contains("help: pass the manifest, and the plan as `--plan FILE`"), "{}", ran.stderr);
        assert_eq!(ran.stderr.lines().count(), 2, "{}", ran.stderr);
    }
    assert!(world.run("doctor plan.json").exits(1).stdout.contains("is a saved plan, not a manifest"));
    let ran = world.run("rotate plan.json").exits(1);
    assert!(ran.stderr.contains("`plan.json` is a file, not a token of the manifest"), "{}", ran.stderr);
    let ran = world.run("apply --plan tokens.toml").exits(1);
    assert!(ran.stderr.contains("`tokens.toml` is not a plan"), "{}", ran.stderr);
}

/// Case 19.
#[test]
fn a_dot_in_a_name_is_told_with_the_quotes_that_it_needs() {
    for (from, to, written) in [
        ("[tokens.build-api]", "[tokens.build.api]", "[tokens.\"build.api\"]"),
        ("[tokens.build-api]", "[tokens.my.build.api]", "[tokens.\"my.build.api\"]"),
        ("[users.ci]", "[users.ci.example]", "[users.\"ci.example\"]"),
        ("[roles.reader]", "[roles.reader.all]", "[roles.\"reader.all\"]"),
        ("[sinks.dev]", "[sinks.dev.env]", "[sinks.\"dev.env\"]"),
    ] {
        let world = World::with(&format!("{START}{TWO}").replace(from, to));
        let ran = world.run("check").exits(1);
        assert!(ran.stderr.contains("error[dotted-name]"), "{to}: {}", ran.stderr);
        assert!(ran.stderr.contains(&format!("help: put a name with dots in quotes: `{written}`")), "{}", ran.stderr);
        assert!(!ran.stderr.contains("error[no-push]") && !ran.stderr.contains("has no `type`"), "{}", ran.stderr);
    }
    // Beside fields that are right, and two of one kind.
    let two = TWO.replace("deploy-api", "build-api.two").replace("build-api]", "build-api]\nlabels.team = \"x\"");
    let ran = World::with(&format!("{START}{two}")).run("check").exits(1);
    assert!(ran.stderr.contains("[tokens.\"build-api.two\"]"), "{}", ran.stderr);
    assert_eq!(ran.stderr.matches("error[").count(), 1, "{}", ran.stderr);
}

/// Case 22.
#[test]
fn every_command_finds_the_manifest_above_or_tells_what_it_looked_for() {
    let world = applied();
    std::fs::create_dir_all(world.path("src/app")).unwrap();
    let below = |words: &str| {
        let mut command = world.command(words.split_whitespace());
        command.current_dir(world.path("src/app"));
        tests::provision::finish(command.stdin(Stdio::null()).spawn().unwrap(), None)
    };
    for words in ["token list --user ci", "status", "plan", "doctor", "check", "check -t json", "apply", "rotate"] {
        let ran = below(words);
        assert_eq!(ran.code, Some(0), "{words}: {ran:?}");
    }
    let before = world.read(".env");
    assert_eq!(below("rotate build-api").code, Some(0));
    assert_ne!(before, world.read(".env"));
    assert!(!world.path("src/app/.env").exists() && !world.path("src/app/latchkey.db").exists());
    // Whoever names a file means that one.
    let named = below("plan tokens.toml");
    assert_eq!(named.code, Some(1));
    assert!(named.stderr.contains("no manifest at `tokens.toml`"), "{}", named.stderr);
    assert!(named.stderr.contains("the nearest one is `../../tokens.toml`"), "{}", named.stderr);
    let second = below("init");
    assert!(second.stderr.contains("`../../tokens.toml` is a manifest too"), "{}", second.stderr);

    let empty = World::new();
    for words in ["status", "plan", "apply", "rotate", "check", "check -t json"] {
        let ran = empty.run(words).exits(1);
        assert!(ran.stderr.contains("no `tokens.toml` in this folder or above it"), "{words}: {}", ran.stderr);
    }
    assert!(empty.run("doctor").exits(1).stdout.contains("no `tokens.toml` in this folder or above it"));
}

#[test]
fn changes_of_a_user_who_is_not_there_create_nobody() {
    let world = World::with(&format!("{START}{TWO}"));
    world.run("apply").exits(0);
    world.run("user set annabel").exits(0);
    for words in [
        "--suspend",
        "--restore",
        "--remove-role reader",
        "--max-tokens 3",
        "--email annabel@example.com",
        "--suspend --roles reader",
        "--restore --kind service",
    ] {
        let ran = world.run(&format!("user set anabel {words}")).exits(1);
        assert!(ran.stderr.contains("there is no user `anabel`"), "{words}: {}", ran.stderr);
        assert!(ran.stderr.contains("did you mean `annabel`?"), "{words}: {}", ran.stderr);
    }
    assert!(!world.run("user list").exits(0).stdout.contains("anabel "));
    for words in [
        "",
        "--roles reader",
        "--add-role reader",
        "--kind service --max-tokens 3",
        "--kind person --email a@b.example",
    ] {
        let name = format!("new{}", words.len());
        world.run(&format!("user set {name} {words}")).exits(0);
        assert!(world.run("user list").exits(0).stdout.contains(&name));
    }
}

#[test]
fn rotating_one_token_touches_no_other() {
    let world = applied();
    let deploy = world.entry(".env", "DEPLOY_TOKEN");
    // There is more to do than to rotate one: a place to repair, a role to change, a token to create, one that is due.
    world.write(".env", &world.read(".env").replace(&deploy, "edited"));
    world.edit("[\"documents:read\"]", "[\"documents:read\", \"documents:write\"]");
    let text = world.read("tokens.toml");
    let new = "[tokens.new-api]\nuser = \"ci\"\npush = [{ sink = \"dev\", name = \"NEW_TOKEN\" }]\n";
    world.write("tokens.toml", &format!("{text}\n{new}"));
    world.clock(31 * DAY);
    let build = world.entry(".env", "BUILD_TOKEN");
    let ran = world.run("rotate build-api").exits(0);
    assert!(ran.stdout.contains("Plan: 1 to rotate"), "{}", ran.stdout);
    assert_ne!(build, world.entry(".env", "BUILD_TOKEN"));
    assert_eq!(world.entry(".env", "DEPLOY_TOKEN"), "edited");
    assert!(!world.read(".env").contains("NEW_TOKEN"));
    assert!(!world.run("role list").exits(0).stdout.contains("documents:write"));
    // Without a name, all that is due.
    world.run("rotate").exits(0);
    assert_ne!(world.entry(".env", "DEPLOY_TOKEN"), "edited");
}

#[test]
fn a_changed_role_shows_what_it_allowed_and_what_it_will() {
    let world = applied();
    world.edit("[\"documents:read\"]", "[\"documents:read\", \"invoices:write\"]");
    let plan = world.run("plan").exits(0).stdout;
    assert!(plan.contains("      permissions: + invoices:write\n"), "{plan}");
    world.edit("[\"documents:read\", \"invoices:write\"]", "[\"invoices:write\"]");
    let plan = world.run("plan").exits(0).stdout;
    assert!(plan.contains("      permissions: + invoices:write, - documents:read\n"), "{plan}");
}

#[test]
fn dates_are_shown_and_refused_in_the_words_of_their_flag() {
    let world = World::with(&format!("{START}{TWO}"));
    world.run("apply").exits(0);
    let ran = world.run("plan --at tomorrow").exits(1);
    assert!(ran.stderr.contains("a date such as") && !ran.stderr.contains("an expiry"), "{}", ran.stderr);
    let day = world.date(20);
    let made = world.run(&format!("token set laptop --user ci --expires-at {day}")).exits(0);
    assert!(made.stderr.contains(&format!("it expires {day}\n")), "{}", made.stderr);
    let used = world.run("token usage laptop --user ci").exits(0);
    assert!(used.stdout.contains("counted once a minute"), "{}", used.stdout);
}
