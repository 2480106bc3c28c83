//! The workflow among the samples: its commands are run as they stand there, in their order.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;
use tests::programs::missing;
use tests::provision::{Ran, World};
use tests::release::Release;
use tests::remote::Served;

use crate::packaging::yaml;

fn workflow() -> Value {
    yaml("samples/github-actions.yml")
}

/// The release that the jobs install, and where they are run.
struct Runner<'w> {
    world: &'w World,
    release: Release,
    sum: String,
}

impl<'w> Runner<'w> {
    fn new(world: &'w World) -> Self {
        let release = Release::of(world.command([""; 0]).get_program().as_ref());
        let sum = release.sum();
        Self { world, release, sum }
    }

    /// Runs a job's own steps in a shell, as GitHub does; answers what it left in `GITHUB_OUTPUT`.
    fn run(&self, job: &Value, id: &str) -> String {
        self.run_in(job, id, &[])
    }

    /// The same with more in its environment.
    fn run_in(&self, job: &Value, id: &str, environment: &[(&str, &str)]) -> String {
        let machine = tempfile::tempdir().unwrap();
        self.world.write("path", "");
        for step in job["steps"].as_array().unwrap() {
            let Some(script) = step["run"].as_str() else { continue };
            assert!(!script.contains("${{"), "what GitHub puts into a script is code there: {script}");
            let ran = self.step(script, machine.path(), id, environment);
            assert_eq!(ran.code, Some(0), "{script}\n{}\n{}", ran.stdout, ran.stderr);
        }
        std::fs::read_to_string(self.world.path("output")).unwrap_or_default()
    }

    fn step(&self, script: &str, machine: &std::path::Path, id: &str, environment: &[(&str, &str)]) -> Ran {
        let mut shell = Command::new("bash");
        self.world.prepare(&mut shell);
        // The release is on this machine, where it is served in the open.
        let script = script.replace("'=https'", "'=http'");
        shell.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", &script]);
        let path = self.world.read("path").lines().rev().fold(String::new(), |path, folder| format!("{path}{folder}:"));
        shell.env("PATH", path + &std::env::var("PATH").unwrap());
        shell.env("GITHUB_PATH", self.world.path("path")).env("RUNNER_TEMP", machine);
        shell.env("ARCHIVE", format!("{}/{}", self.release.url(), Release::archive())).env("ARCHIVE_SHA256", &self.sum);
        shell.envs(environment.iter().copied());
        shell.env("GITHUB_ACTIONS", "true").env("GITHUB_RUN_NUMBER", "7").env("PLAN_ID", id);
        shell.env("GITHUB_OUTPUT", self.world.path("output"));
        shell.env("GITHUB_STEP_SUMMARY", self.world.path("summary.md"));
        Ran::from(shell.output().unwrap())
    }
}

/// Every job installs the command by the same step: the one that is written first.
#[test]
fn an_archive_that_is_another_one_ends_the_job_before_it_is_unpacked() {
    if let Some(why) = missing(&["curl", "sha256sum", "tar"]) {
        tests::skip!("{why}");
    }
    let workflow = workflow();
    let world = World::new();
    let mut runner = Runner::new(&world);
    runner.sum = "0".repeat(64);
    let jobs = workflow["jobs"].as_object().unwrap();
    let steps = jobs.values().map(|job| {
        let steps = job["steps"].as_array().unwrap();
        steps.iter().find(|step| step["name"] == "Install provision").unwrap()
    });
    let steps: Vec<&Value> = steps.collect();
    assert!(steps.len() == 5 && steps.iter().all(|step| *step == steps[0]));
    world.write("path", "");
    let machine = tempfile::tempdir().unwrap();
    let ran = runner.step(steps[0]["run"].as_str().unwrap(), machine.path(), "", &[]);
    assert_ne!(ran.code, Some(0));
    assert!(ran.stdout.contains("provision.tar.gz: FAILED"), "{ran:?}");
    assert!(!machine.path().join("provision").exists() && world.read("path").is_empty());
    // What the sample names until somebody puts a release in is no archive of anybody.
    assert_eq!(workflow["env"]["ARCHIVE_SHA256"], "0".repeat(64));
    assert!(workflow["env"]["ARCHIVE"].as_str().unwrap().starts_with("https://releases.example/"));
}

#[test]
fn its_commands_do_what_it_says() {
    if let Some(why) = missing(&["curl", "jq", "sha256sum", "tar"]) {
        tests::skip!("{why}");
    }
    let workflow = workflow();
    let jobs = &workflow["jobs"];
    let world = World::with(include_str!("../../../samples/tokens.toml"));
    let runner = Runner::new(&world);
    runner.run(&jobs["check"], "");
    assert!(!world.path("latchkey.db").exists(), "a check contacts nothing");
    runner.run(&jobs["preview"], "");
    assert!(world.read("summary.md").contains("### Plan of"));
    let outputs = runner.run(&jobs["plan"], "");
    assert!(outputs.contains("has-changes=true"), "{outputs}");
    let id = outputs.lines().find_map(|line| line.strip_prefix("plan-id=")).unwrap().to_owned();
    runner.run(&jobs["apply"], &id);
    assert!(world.is_valid(&world.entry(".env", "POGODOC_API_TOKEN")));
    runner.run(&jobs["rotate"], "");
    world.run("plan --detailed-exitcode").exits(0);
}

/// The job of a pull request with exactly what the sample gives it: the URL, and a token that may read the manifest.
#[test]
fn a_pull_request_is_planned_by_url_with_a_right_to_read_and_no_login() {
    if let Some(why) = missing(&["curl", "sha256sum", "tar"]) {
        tests::skip!("{why}");
    }
    let workflow = workflow();
    let job = &workflow["jobs"]["preview"];
    let text = job.to_string();
    assert!(!text.contains("id-token") && !text.contains("configure-aws-credentials"), "{text}");
    let needed: BTreeSet<&String> = job["steps"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|step| step["env"].as_object())
        .flat_map(|variables| variables.keys())
        .collect();
    assert_eq!(needed.into_iter().collect::<Vec<_>>(), ["LATCHKEY_TOKEN"]);
    let world = World::new();
    let direct = "--service embedded:latchkey.db";
    world.run(&format!("role set preview -p manifests-read:acme-platform {direct}")).exits(0);
    world.run(&format!("user set preview --kind service --roles preview {direct}")).exits(0);
    let token =
        world.run(&format!("token set pull-requests --user preview {direct}")).exits(0).stdout.trim().to_owned();
    let served = Served::start(&world, "latchkey.db");
    let manifest = include_str!("../../../samples/aws.toml");
    let (head, rest) = manifest.split_once("[service]").unwrap();
    let rest = &rest[rest.find("\n[").unwrap()..];
    let manifest = format!("{head}[service]\nurl = \"{}\"\n{rest}", served.url());
    let name = manifest.lines().find_map(|line| line.strip_prefix("manifest = ")).unwrap().trim_matches('"').to_owned();
    world.write("tokens.toml", &manifest.replace(&format!("manifest = \"{name}\""), "manifest = \"acme-platform\""));
    Runner::new(&world).run_in(job, "", &[("LATCHKEY_URL", served.url()), ("LATCHKEY_TOKEN", &token)]);
    let summary = world.read("summary.md");
    assert!(summary.contains("Plan by the records") && summary.contains("places were not looked at"), "{summary}");
    let needs_login = world.run_in(&[("LATCHKEY_URL", served.url()), ("LATCHKEY_TOKEN", &token)], "plan").exits(1);
    assert!(needs_login.stdout.contains("blocked"), "the places do need a login: {needs_login:?}");
}

#[test]
fn a_pull_request_gets_no_login_and_no_two_runs_write() {
    let workflow = workflow();
    assert_eq!(workflow["permissions"], serde_json::json!({ "contents": "read" }));
    let jobs = workflow["jobs"].as_object().unwrap();
    let text = |job: &str| jobs[job].to_string();
    assert!(!text("check").contains("secrets.") && !text("check").contains("id-token"), "{}", text("check"));
    assert!(text("preview").contains("head.repo.full_name == github.repository"));
    for (name, job) in jobs {
        let logs_in = job.to_string().contains("secrets.");
        assert_eq!(logs_in, job["environment"].is_string(), "{name}: secrets stand in protected environments");
        let writes = ["apply", "rotate"].contains(&name.as_str());
        let group = job["concurrency"]["group"].as_str().unwrap_or_default();
        assert_eq!(writes, group.starts_with("tokens"), "{name}");
        assert!(!writes || job["concurrency"]["cancel-in-progress"] == "false", "{name}");
    }
}
