//! `.github/workflows/release.yml`: who may do what in it, and those of its steps that can be run here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tests::deployment::root;
use tests::programs::missing;
use tests::provision::World;

use super::yaml;

fn workflow() -> Value {
    yaml(".github/workflows/release.yml")
}

fn steps(job: &Value) -> &Vec<Value> {
    job["steps"].as_array().unwrap()
}

/// The script of the step with this name.
fn script(job: &Value, name: &str) -> String {
    let step = steps(job).iter().find(|step| step["name"] == name).unwrap_or_else(|| panic!("no step `{name}`"));
    step["run"].as_str().unwrap().to_owned()
}

fn run(folder: &Path, script: &str, environment: &[(&str, &str)]) -> Output {
    let mut shell = Command::new("bash");
    shell.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", script]).current_dir(folder);
    shell.envs(environment.iter().copied()).output().unwrap()
}

#[test]
fn nothing_that_builds_may_sign_or_publish_and_nothing_that_may_runs_code_of_the_repository() {
    let workflow = workflow();
    assert_eq!(workflow["permissions"], serde_json::json!({}));
    let mut writers = BTreeSet::new();
    for (name, job) in workflow["jobs"].as_object().unwrap() {
        let writes = job["permissions"].as_object().unwrap().values().any(|permission| permission == "write");
        let uses = |action: &str| {
            steps(job).iter().any(|step| step["uses"].as_str().is_some_and(|uses| uses.starts_with(action)))
        };
        assert!(!(writes && uses("actions/checkout@")), "{name}");
        assert!(
            !uses("actions/cache@") && !uses("Swatinem/rust-cache@"),
            "{name}: what other runs left is in no release"
        );
        if writes {
            assert_eq!(job["if"], "github.event_name == 'push'", "{name}: a dry run signs and publishes nothing");
            writers.insert(name.as_str());
        }
    }
    assert_eq!(writers, BTreeSet::from(["attest", "draft"]));
    let draft = script(&workflow["jobs"]["draft"], "Create the draft");
    assert!(draft.contains("--draft") && draft.contains("--verify-tag"), "a person publishes it: {draft}");
}

/// The version stands beside each, and the same action has the same one everywhere.
#[test]
fn every_action_is_pinned_by_a_commit_that_is_the_same_in_all_files() {
    let form = regex::Regex::new(r"(?m)^\s*-?\s*uses: +([^@\s]+)@(\S+)(.*)$").unwrap();
    let mut pins: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in [".github/workflows/ci.yml", ".github/workflows/release.yml", "samples/github-actions.yml"] {
        let text = std::fs::read_to_string(root().join(file)).unwrap();
        assert_eq!(form.find_iter(&text).count(), text.matches("uses: ").count(), "{file}");
        for found in form.captures_iter(&text) {
            let commit = &found[2];
            let pinned = commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
            assert!(pinned && found[3].starts_with(" # v"), "{file}: {}", &found[0]);
            pins.entry(found[1].to_owned()).or_default().insert(format!("{commit}{}", &found[3]));
        }
    }
    let differing: Vec<_> = pins.iter().filter(|(_, commits)| commits.len() > 1).collect();
    assert!(pins.len() > 6 && differing.is_empty(), "{differing:?}");
}

/// A repository with the manifests of this one: main, and a branch beside it.
fn repository(world: &World) {
    world.write("Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = [\"provisioner\"]\n");
    std::fs::create_dir_all(world.path("provisioner/src")).unwrap();
    world.write(
        "provisioner/Cargo.toml",
        "[package]\nname = \"provisioner\"\nversion = \"1.2.3\"\nedition = \"2024\"\n",
    );
    world.write("provisioner/src/lib.rs", "");
    world.write("Cargo.lock", "version = 4\n\n[[package]]\nname = \"provisioner\"\nversion = \"1.2.3\"\n");
    let script = "git init -q -b main . && git config user.name t && git config user.email t@example.com
        git add . && git commit -qm first && git update-ref refs/remotes/origin/main main
        git checkout -qb beside && git commit -q --allow-empty -m second";
    let made = run(world.folder(), script, &[("GIT_CONFIG_GLOBAL", "/dev/null")]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

#[test]
fn a_tag_that_is_not_the_version_or_not_on_main_builds_nothing() {
    if let Some(why) = missing(&["cargo", "git", "jq"]) {
        tests::skip!("{why}");
    }
    let world = World::new();
    repository(&world);
    let script = script(&workflow()["jobs"]["version"], "Compare the tag with Cargo.toml and main");
    let output = world.path("output");
    let ask = |event: &str, tag: &str, at: &str| {
        world.write("output", "");
        let commit = run(world.folder(), &format!("git rev-parse {at}"), &[]).stdout;
        let commit = String::from_utf8(commit).unwrap();
        let environment = [
            ("GITHUB_EVENT_NAME", event),
            ("GITHUB_REF_NAME", tag),
            ("GITHUB_SHA", commit.trim()),
            ("GITHUB_OUTPUT", output.to_str().unwrap()),
        ];
        let ran = run(world.folder(), &script, &environment);
        (ran.status.success(), String::from_utf8_lossy(&ran.stdout).into_owned() + &world.read("output"))
    };
    let (good, told) = ask("push", "v1.2.3", "main");
    assert!(good && told.starts_with("version=1.2.3\ndate=1"), "{told}");
    for (tag, at, why) in
        [("v1.2.4", "main", "the version in Cargo.toml 1.2.3"), ("v1.2.3", "beside", "is not on main")]
    {
        let (good, told) = ask("push", tag, at);
        assert!(!good && told.contains(why) && !told.contains("version="), "{told}");
    }
    let (good, told) = ask("workflow_dispatch", "beside", "beside");
    assert!(good && told.contains("version=1.2.3"), "a dry run is for any branch: {told}");
}

#[test]
fn the_sums_name_every_file_and_the_formula_is_made_of_them() {
    let world = World::new();
    std::fs::create_dir(world.path("dist")).unwrap();
    std::os::unix::fs::symlink(root().join("packaging"), world.path("packaging")).unwrap();
    let workflow = workflow();
    let targets = workflow["jobs"]["build"]["strategy"]["matrix"]["include"].as_array().unwrap();
    assert_eq!(targets.len(), 4);
    for target in targets {
        for kind in ["tar.gz", "cdx.json"] {
            world.write(&format!("dist/latchkey-1.2.3-{}.{kind}", target["target"].as_str().unwrap()), kind);
        }
    }
    let environment = [
        ("VERSION", "1.2.3"),
        ("GITHUB_SERVER_URL", "https://git.example"),
        ("GITHUB_REPOSITORY", "acme/latchkey"),
        ("GITHUB_STEP_SUMMARY", "summary.md"),
    ];
    let ran = run(world.folder(), &script(&workflow["jobs"]["sums"], "Write SHA256SUMS and the formula"), &environment);
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let sums = world.read("dist/SHA256SUMS");
    assert_eq!(sums.lines().count(), 9, "{sums}");
    assert!(sums.contains("  install.sh\n") && !sums.contains("SHA256SUMS"), "{sums}");
    let checked = run(&world.path("dist"), "sha256sum --check --strict SHA256SUMS", &[]);
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    let formula = world.read("dist/latchkey.rb");
    let url = "https://git.example/acme/latchkey/releases/download/v1.2.3/latchkey-1.2.3-aarch64-apple-darwin.tar.gz";
    assert!(formula.contains(url), "{formula}");
}
