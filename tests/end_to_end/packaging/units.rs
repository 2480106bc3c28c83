//! The units of systemd among the samples: what they shut, and that nothing that the command does is shut out.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use regex::Regex;
use tests::deployment::root;
use tests::programs::{find, missing};
use tests::provision::{DAY, World};
use tests::remote::Served;

const ROTATING: [&str; 2] = ["rotation/latchkey-rotate.service", "rotation/latchkey-rotated.service"];

fn unit(name: &str) -> String {
    std::fs::read_to_string(root().join("samples").join(name)).unwrap()
}

/// The calls of a group of systemd's, or the call of this name.
fn members(groups: &BTreeMap<String, Vec<String>>, name: &str) -> BTreeSet<String> {
    match groups.get(name) {
        Some(inner) => inner.iter().flat_map(|name| members(groups, name)).collect(),
        None => BTreeSet::from([name.to_owned()]),
    }
}

/// The calls that a unit allows, by systemd's own lists.
fn allowed(unit: &str) -> BTreeSet<String> {
    let output = Command::new(find("systemd-analyze").unwrap()).arg("syscall-filter").output().unwrap();
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut group = String::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        match line.strip_prefix("    ") {
            Some(member) if !member.starts_with('#') => {
                groups.entry(group.clone()).or_default().push(member.to_owned());
            }
            None if line.starts_with('@') => line.clone_into(&mut group),
            _ => {}
        }
    }
    let mut allowed = members(&groups, "@default");
    assert!(allowed.len() > 10, "systemd lists no calls");
    for line in unit.lines().filter_map(|line| line.strip_prefix("SystemCallFilter=")) {
        let (names, shut) = line.strip_prefix('~').map_or((line, false), |names| (names, true));
        for name in names.split(' ').flat_map(|name| members(&groups, name)) {
            if shut {
                allowed.remove(&name)
            } else {
                allowed.insert(name)
            };
        }
    }
    allowed
}

/// The calls that somebody noted with `strace`.
fn made(log: &str) -> BTreeSet<String> {
    let call = Regex::new(r"(?m)^\d+ +(?:<\.\.\. )?([a-z0-9_]+)(?:\(| resumed)").unwrap();
    call.captures_iter(log).map(|found| found[1].to_owned()).collect()
}

fn are_allowed(name: &str, log: &str) {
    let mut made = made(log);
    assert!(made.len() > 40 && made.contains("openat"), "{made:?}");
    let allowed = allowed(&unit(name));
    // SQLite gives its files to the owner of the table where it runs as root, and nowhere else: a unit does not.
    if rustix::process::geteuid().is_root() && name.starts_with("serve/") {
        made.remove("fchown");
    }
    let shut: Vec<_> = made.difference(&allowed).collect();
    assert!(shut.is_empty(), "{name} shuts out {shut:?}");
    assert!(!Regex::new(r"PROT_WRITE\|PROT_EXEC").unwrap().is_match(log), "{name}: MemoryDenyWriteExecute");
}

macro_rules! needs {
    ($($program:literal),+) => {
        if let Some(why) = missing(&[$($program),+]) {
            tests::skip!("{why}");
        }
    };
}

#[test]
fn systemd_finds_the_units_shut() {
    needs!("systemd-analyze");
    let world = World::new();
    for name in ROTATING.into_iter().chain(["serve/latchkey.service"]) {
        world.write("one.service", &unit(name).replace("/usr/local/bin/provision", "/bin/true"));
        let mut analyze = Command::new(find("systemd-analyze").unwrap());
        // 0 is shut, 100 is open.
        analyze.args(["security", "--offline=yes", "--threshold=20"]).arg(world.path("one.service"));
        let output = analyze.output().unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stdout));
    }
}

#[test]
fn a_rotation_makes_no_call_that_its_units_shut_out() {
    needs!("systemd-analyze", "strace");
    let world = World::with(include_str!("../../../samples/tokens.toml"));
    world.run("apply").exits(0);
    let former = world.entry(".env", "POGODOC_API_TOKEN");
    // Another group than that of who runs it, where that can be had: it is kept by a call of its own.
    let _ = std::os::unix::fs::chown(world.path(".env"), None, Some(1));
    world.clock(31 * DAY);
    let mut strace = Command::new(find("strace").unwrap());
    let program = world.command([""; 0]);
    world.prepare(strace.args(["-f", "-qq", "-o", "calls"]).arg(program.get_program()).args(["rotate", "tokens.toml"]));
    let ran = tests::provision::Ran::from(strace.output().unwrap());
    if ran.stderr.contains("ptrace") {
        tests::skip!("needs the right to trace a process");
    }
    ran.exits(0);
    assert_ne!(world.entry(".env", "POGODOC_API_TOKEN"), former);
    for name in ROTATING {
        are_allowed(name, &world.read("calls"));
    }
}

#[test]
fn a_server_makes_no_call_that_its_unit_shuts_out() {
    needs!("systemd-analyze", "strace", "curl");
    let world = World::new();
    world.run("bootstrap --service embedded:latchkey.db").exits(0);
    let mut strace = Command::new(find("strace").unwrap());
    let program = world.command([""; 0]);
    // `-I2` hands the server the signal that ends it.
    strace.args(["-f", "-qq", "-I2", "-o", "calls"]).arg(program.get_program());
    strace.args(["serve", "--service", "embedded:latchkey.db", "--port", "0", "--metrics", "127.0.0.1:0"]);
    world.prepare(&mut strace);
    strace.stderr(std::process::Stdio::null());
    let mut server = Served::run(strace);
    let url = format!("{}/v1/me", server.url());
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--output", "/dev/null", "--write-out", "%{http_code}", &url]);
    assert_eq!(String::from_utf8(curl.output().unwrap().stdout).unwrap(), "401");
    server.end();
    are_allowed("serve/latchkey.service", &world.read("calls"));
}
