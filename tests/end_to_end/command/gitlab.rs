//! The pipeline for GitLab among the samples: its commands are run as they stand there, in their order.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use serde_json::{Map, Value};
use tests::programs::missing;
use tests::provision::{Ran, World};
use tests::release::Release;

use crate::packaging::yaml;

/// A job with what it extends, as GitLab merges them.
fn job(pipeline: &Value, name: &str) -> Value {
    let own = pipeline[name].as_object().unwrap_or_else(|| panic!("no job `{name}`"));
    let mut merged = own["extends"].as_str().map_or_else(Map::new, |base| {
        let base = if base == ".tokens" { pipeline[base].clone() } else { job(pipeline, base) };
        base.as_object().unwrap().clone()
    });
    for (key, value) in own {
        match (merged.get_mut(key), value) {
            (Some(Value::Object(former)), Value::Object(value)) => former.extend(value.clone()),
            _ => drop(merged.insert(key.clone(), value.clone())),
        }
    }
    Value::Object(merged)
}

fn jobs(pipeline: &Value) -> impl Iterator<Item = (&str, Value)> {
    let names = pipeline.as_object().unwrap().keys().filter(|name| !name.starts_with('.'));
    names.map(|name| (name.as_str(), job(pipeline, name)))
}

/// The lines of a job in one shell, as its runner has them; `sum` is that of the archive.
fn run(world: &World, release: &Release, sum: &str, job: &Value, environment: &[(&str, &str)]) -> Ran {
    let lines = ["before_script", "script"].iter().flat_map(|part| job[part].as_array().unwrap());
    let script = lines.map(|line| line.as_str().unwrap()).collect::<Vec<_>>().join("\n");
    // The release is on this machine, where it is served in the open.
    let script = script.replace("'=https'", "'=http'");
    let mut shell = Command::new("bash");
    world.prepare(shell.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", &script]));
    shell.env("ARCHIVE", format!("{}/{}", release.url(), Release::archive())).env("ARCHIVE_SHA256", sum);
    shell.env("CI_PIPELINE_IID", "7").envs(environment.iter().copied());
    Ran::from(shell.output().unwrap())
}

fn scene() -> (Value, World, Release) {
    let world = World::with(include_str!("../../../samples/tokens.toml"));
    let release = Release::of(world.command([""; 0]).get_program().as_ref());
    (yaml("samples/gitlab-ci.yml"), world, release)
}

macro_rules! needs_programs {
    () => {
        if let Some(why) = missing(&["curl", "sha256sum", "tar"]) {
            tests::skip!("{why}");
        }
    };
}

#[test]
fn its_commands_do_what_it_says() {
    needs_programs!();
    let (pipeline, world, release) = scene();
    let go = |name: &str| run(&world, &release, &release.sum(), &job(&pipeline, name), &[]).exits(0);
    go("tokens:check");
    assert!(!world.path("latchkey.db").exists(), "a check contacts nothing");
    go("tokens:preview");
    assert!(world.read("plan.md").contains("### Plan"), "{}", world.read("plan.md"));
    go("tokens:plan");
    assert!(!world.path(".env").exists(), "a plan changes nothing");
    go("tokens:apply");
    let secret = world.entry(".env", "POGODOC_API_TOKEN");
    assert!(world.is_valid(&secret));
    // The plan was carried out: it is not what would be planned now.
    let stale = run(&world, &release, &release.sum(), &job(&pipeline, "tokens:apply"), &[]);
    assert_eq!(stale.code, Some(5), "{stale:?}");
    world.clock(31 * tests::provision::DAY);
    go("tokens:rotate");
    assert_ne!(world.entry(".env", "POGODOC_API_TOKEN"), secret);
}

#[test]
fn an_archive_that_is_another_one_ends_the_job_before_it_is_unpacked() {
    needs_programs!();
    let (pipeline, world, release) = scene();
    for (name, job) in jobs(&pipeline) {
        let ran = run(&world, &release, &"0".repeat(64), &job, &[]);
        assert!(ran.code != Some(0) && ran.stdout.contains("provision.tar.gz: FAILED"), "{name}: {ran:?}");
        assert!(!world.path("../home/provision").exists() && !world.path("latchkey.db").exists(), "{name}");
    }
}

/// What the SDK of AWS signs in with is in a file that nobody else reads, and in the jobs alone that ask vendors.
#[test]
fn the_login_of_aws_is_a_file_of_the_job_and_merge_requests_have_none() {
    needs_programs!();
    let (pipeline, world, release) = scene();
    for (name, mut job) in jobs(&pipeline) {
        let signs_in = ["tokens:plan", "tokens:apply", "tokens:rotate"].contains(&name);
        assert_eq!(job["id_tokens"].is_object(), signs_in, "{name}");
        assert_eq!(job["variables"]["AWS_ROLE_ARN"].is_string(), signs_in, "{name}");
        job["script"] = serde_json::json!(["echo \"file: ${AWS_WEB_IDENTITY_TOKEN_FILE:-none}\""]);
        let token: &[(&str, &str)] = if signs_in { &[("AWS_ID_TOKEN", "one.two.three")] } else { &[] };
        let ran = run(&world, &release, &release.sum(), &job, token).exits(0);
        let file = world.path("../home").canonicalize().unwrap().join("aws-id-token");
        if signs_in {
            assert!(ran.stdout.contains(&format!("file: {}\n", file.display())), "{name}: {ran:?}");
            assert_eq!(std::fs::read_to_string(&file).unwrap(), "one.two.three");
            assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        } else {
            assert!(ran.stdout.contains("file: none\n"), "{name}: {ran:?}");
        }
        assert!(!ran.stdout.contains("one.two") && !ran.stderr.contains("one.two"), "{name}");
    }
}

#[test]
fn a_merge_request_writes_nothing_a_person_starts_an_apply_and_no_two_runs_write() {
    let pipeline = yaml("samples/gitlab-ci.yml");
    for (name, job) in jobs(&pipeline) {
        let rules = job["rules"].as_array().unwrap();
        assert!(rules.len() == 1 && rules[0]["if"].is_string(), "{name} runs on one occasion");
        let condition = rules[0]["if"].as_str().unwrap();
        let main = condition.contains("$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH");
        let writes = ["tokens:apply", "tokens:rotate"].contains(&name);
        let merge_request = condition.contains("merge_request_event");
        assert!(merge_request != main, "{name}");
        assert!(!(writes && merge_request), "{name}");
        assert_eq!(job["resource_group"] == "tokens", writes, "{name}");
        assert_eq!(job["interruptible"] == "false", writes, "{name}");
        assert_eq!(rules[0]["when"] == "manual", name == "tokens:apply", "{name}");
    }
    assert!(job(&pipeline, "tokens:check")["environment"].is_null(), "it needs no variable of an environment");
    let preview = job(&pipeline, "tokens:preview")["rules"].to_string();
    assert!(preview.contains("$CI_MERGE_REQUEST_SOURCE_PROJECT_ID == $CI_PROJECT_ID"), "not from forks: {preview}");
    let reserved = ["default", "workflow", "stages", "variables", "image", "before_script"];
    assert!(reserved.iter().all(|key| pipeline[key].is_null()), "nothing in it acts on other jobs");
}
