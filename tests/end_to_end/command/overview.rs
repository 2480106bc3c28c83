//! The table of tokens by sinks, and the calendar.

use std::fmt::Write as _;

use tests::provision::{DAY, World};

use super::{START, TWO, applied, assert_told};

/// Twenty tokens of two users in six sinks.
fn large() -> String {
    let (start, _) = START.split_once("[sinks.dev]").unwrap();
    let mut text = start.replace("roles = [\"reader\"]", "roles = [\"reader\"]\nmax_tokens = 20");
    text.push_str("[users.\"billing@example.com\"]\nkind = \"service\"\nroles = [\"reader\"]\nmax_tokens = 20\n");
    let sinks = ["vault", "web", "worker", "keys", "dev", "ring"];
    for sink in sinks {
        write!(text, "\n[sinks.{sink}]\ntype = \"dotenv\"\npath = \"{sink}.env\"\n").unwrap();
    }
    for number in 0..20 {
        let user = if number % 2 == 0 { "ci" } else { "billing@example.com" };
        let name = format!("service-number-{number}-production-api");
        let pushes: Vec<String> = sinks
            .iter()
            .enumerate()
            .filter(|(index, _)| (number + index) % 3 != 0)
            .map(|(_, sink)| format!("{{ sink = \"{sink}\", name = \"T{number}\" }}"))
            .collect();
        write!(text, "\n[tokens.{name}]\nuser = \"{user}\"\npush = [{}]\n", pushes.join(", ")).unwrap();
    }
    text
}

#[test]
fn twenty_tokens_in_six_sinks_fit_a_terminal() {
    let world = World::with(&large());
    world.run("apply").exits(0);
    world.run("rotate service-number-4-production-api").exits(0);
    world.write("web.env", &world.read("web.env").replace("T0=lk", "T0=xx").replace("T7=", "U7="));
    let _ = world.told();
    let status = world.run("status").exits(0);
    let widest = status.stdout.lines().map(|line| line.chars().count()).max().unwrap();
    assert!(widest <= 120, "{widest} columns");
    assert_told!(world);
    let json = world.run("status --format json").exits(0).json();
    let drift: Vec<&str> = json["tokens"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|token| token["places"].as_array().unwrap())
        .filter(|place| place["drift"] == true)
        .map(|place| place["sink"].as_str().unwrap())
        .collect();
    assert_eq!(drift, ["web", "web"]);
}

#[test]
fn long_names_of_sinks_give_way_to_letters() {
    let text = large();
    let names = ["vault", "web", "worker", "keys", "dev", "ring"];
    let text = names.iter().fold(text, |text, name| {
        let long = format!("{name}-of-the-production-account");
        text.replace(&format!("[sinks.{name}]"), &format!("[sinks.{long}]"))
            .replace(&format!("sink = \"{name}\""), &format!("sink = \"{long}\""))
    });
    let world = World::with(&text);
    world.run("apply").exits(0);
    let status = world.run("status").exits(0).stdout;
    let table: Vec<&str> = status.lines().take_while(|line| !line.starts_with("A: ")).collect();
    assert!(table.iter().all(|line| line.chars().count() <= 120), "{status}");
    assert!(table[0].contains("  A") && status.contains("B: keys-of-the-production-account"), "{status}");
}

#[test]
fn status_shows_what_is_on_its_way_held_up_and_out_of_sight() {
    let world = applied();
    world.run("rotate deploy-api").exits(0);
    let _ = world.told();
    world.run("status").exits(0);
    world.edit(r#"name = "BUILD_TOKEN""#, r#"name = "BUILD""#);
    world.write(".env", &format!("{}BUILD=foreign\n", world.read(".env")));
    world.clock(31 * DAY);
    world.run("status").exits(0);
    assert_told!(world);
}

#[test]
fn a_calendar_has_every_date_and_says_what_it_assumes() {
    let world = applied();
    world.clock(DAY);
    world.run("rotate deploy-api").exits(0);
    let _ = world.told();
    world.run(&format!("plan --at {}", world.date(65))).exits(0);
    assert_told!(world);
    let json =
        world.run(&format!("plan --at {}T00:00:00Z --format json --only build-api", world.date(31))).exits(0).json();
    let dates: Vec<(&str, bool)> = json["dates"]
        .as_array()
        .unwrap()
        .iter()
        .map(|date| (date["what"].as_str().unwrap(), date["assumed"].as_bool().unwrap()))
        .collect();
    assert_eq!(dates, [("rotates", false), ("overlap_ends", true)]);
    assert_eq!(json["assumptions"].as_array().unwrap().len(), 3);
    world.run("plan --at 2020-01-01").exits(1);
    world.run("plan --at tomorrow").exits(1);
    world.run("plan --at 2199-01-01").exits(1);
    world.run("plan --at 2030-01-01 --out plan.json").exits(1);
    // The dates come true.
    let due = json["dates"][0]["at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let left = due.duration_since(world.now()).as_secs();
    world.clock(DAY + left - 60);
    assert_eq!(world.run("plan --only build-api --format json").json()["has_changes"], false);
    world.clock(DAY + left + 60);
    assert_eq!(world.run("plan --only build-api --format json").json()["tokens"][0]["changes"][0]["action"], "rotate");
}

#[test]
fn completions_and_manual_pages_name_every_command() {
    let world = World::with(&format!("{START}{TWO}"));
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = world.run(&format!("completions {shell}")).exits(0).stdout;
        assert!(script.contains("LATCHKEY_COMPLETE") && script.contains("provision"), "{shell}: {script}");
    }
    let checked =
        std::process::Command::new("bash").arg("-n").arg("/dev/stdin").stdin(std::process::Stdio::piped()).spawn();
    let mut bash = checked.unwrap();
    std::io::Write::write_all(&mut bash.stdin.take().unwrap(), world.run("completions bash").stdout.as_bytes())
        .unwrap();
    assert!(bash.wait().unwrap().success());
    assert!(world.run("man").exits(0).stdout.contains(".TH provision 1"));
    std::fs::create_dir(world.path("man1")).unwrap();
    world.run("man --out man1").exits(0);
    let apply = world.read("man1/provision-apply.1");
    assert!(apply.contains("allow\\-rotations") && apply.contains("provision apply"), "{apply}");
    assert!(world.path("man1/provision-token-verify.1").exists());
    assert!(world.read("man1/provision-environment.7").contains("LATCHKEY_URL"));
    assert!(world.read("man1/provision-exit-codes.7").contains(".TH provision\\-exit\\-codes 7"));
}
