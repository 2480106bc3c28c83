//! The workflow among the samples: its commands are run as they stand there, in their order.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;
use tests::deployment::{engine, root};
use tests::provision::World;

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
    for step in job["steps"].as_array().unwrap() {
        let Some(script) = step["run"].as_str().filter(|script| !script.starts_with("cargo install")) else { continue };
        assert!(!script.contains("${{"), "what GitHub puts into a script is code there: {script}");
        let mut shell = Command::new("bash");
        world.prepare(&mut shell);
        let binary = world.command([""]).get_program().to_owned();
        let program = binary.to_str().unwrap();
        let script = script.replace("provision ", &format!("{program} "));
        shell.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", &script]);
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
