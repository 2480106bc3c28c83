//! The workflow among the samples: its commands are run as they stand there, in their order.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;
use tests::deployment::{engine, root};
use tests::provision::World;
use tests::remote::Served;

/// `on` is a truth to YAML, so the keys are told as text.
const READ: &str = "import json, sys, yaml
print(json.dumps(yaml.load(open(sys.argv[1]), Loader=yaml.BaseLoader)))";

fn workflow() -> Value {
    let file = root().join("samples/github-actions.yml");
    let output = Command::new(engine("python")).args(["-c", READ]).arg(file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Runs a job's own steps in a shell, as GitHub does; answers what it left in `GITHUB_OUTPUT`.
fn run(world: &World, job: &Value, id: &str) -> String {
    run_in(world, job, id, &[])
}

/// The same with more in its environment.
fn run_in(world: &World, job: &Value, id: &str, environment: &[(&str, &str)]) -> String {
    for step in job["steps"].as_array().unwrap() {
        let Some(script) = step["run"].as_str().filter(|script| !script.starts_with("cargo install")) else { continue };
        assert!(!script.contains("${{"), "what GitHub puts into a script is code there: {script}");
        let mut shell = Command::new("bash");
        world.prepare(&mut shell);
        let binary = world.command([""]).get_program().to_owned();
        let program = binary.to_str().unwrap();
        let script = script.replace("provision ", &format!("{program} "));
        shell.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", &script]);
        shell.envs(environment.iter().copied());
        shell.env("GITHUB_ACTIONS", "true").env("GITHUB_RUN_NUMBER", "7").env("PLAN_ID", id);
        shell.env("GITHUB_OUTPUT", world.path("output")).env("GITHUB_STEP_SUMMARY", world.path("summary.md"));
        let ran = tests::provision::Ran::from(shell.output().unwrap());
        assert_eq!(ran.code, Some(0), "{script}\n{}\n{}", ran.stdout, ran.stderr);
    }
    std::fs::read_to_string(world.path("output")).unwrap_or_default()
}

#[test]
fn its_commands_do_what_it_says() {
    let workflow = workflow();
    let jobs = &workflow["jobs"];
    let world = World::with(include_str!("../../../samples/tokens.toml"));
    run(&world, &jobs["check"], "");
    assert!(!world.path("latchkey.db").exists(), "a check contacts nothing");
    run(&world, &jobs["preview"], "");
    assert!(world.read("summary.md").contains("### Plan of"));
    let outputs = run(&world, &jobs["plan"], "");
    assert!(outputs.contains("has-changes=true"), "{outputs}");
    let id = outputs.lines().find_map(|line| line.strip_prefix("plan-id=")).unwrap().to_owned();
    run(&world, &jobs["apply"], &id);
    assert!(world.is_valid(&world.entry(".env", "POGODOC_API_TOKEN")));
    run(&world, &jobs["rotate"], "");
    world.run("plan --detailed-exitcode").exits(0);
}

/// The job of a pull request with exactly what the sample gives it: the URL, and a token that may read the manifest.
#[test]
fn a_pull_request_is_planned_by_url_with_a_right_to_read_and_no_login() {
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
    run_in(&world, job, "", &[("LATCHKEY_URL", served.url()), ("LATCHKEY_TOKEN", &token)]);
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
    let used: BTreeSet<&str> = jobs
        .values()
        .flat_map(|job| job["steps"].as_array().unwrap())
        .filter_map(|step| step["uses"].as_str())
        .collect();
    assert!(used.iter().all(|action| action.contains('@')), "{used:?}");
}
