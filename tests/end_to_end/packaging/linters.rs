//! What linters say of workflows, scripts and samples: nothing.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use regex::Regex;
use tests::deployment::root;
use tests::provision::World;

use super::yaml;

/// A program that `install_linters` installs.
fn linter(name: &str) -> Option<PathBuf> {
    let program = root().join("target/engines/linters/bin").join(name);
    program.exists().then(|| program.canonicalize().unwrap())
}

macro_rules! linter {
    ($name:literal) => {
        match linter($name) {
            Some(program) => program,
            None => tests::skip!("needs {}: run `tests/engines.sh`", $name),
        }
    };
}

/// The files that git knows and a pattern matches.
fn files(pattern: &str) -> Vec<String> {
    let mut command = Command::new("git");
    let output = command.args(["ls-files", "--cached", "--others", "--exclude-standard"]).current_dir(root()).output();
    let listed = String::from_utf8(output.unwrap().stdout).unwrap();
    let pattern = Regex::new(pattern).unwrap();
    let found: Vec<_> = listed.lines().filter(|file| pattern.is_match(file)).map(str::to_owned).collect();
    found.into_iter().filter(|file| root().join(file).is_file()).collect()
}

fn workflows() -> Vec<String> {
    files(r"^(\.github/workflows/.*|samples/github-actions)\.ya?ml$")
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn is_content(program: &Path, words: &[&str], files: &[String]) {
    assert!(!files.is_empty(), "nothing is looked at");
    let output = Command::new(program).args(words).args(files).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", told(&output));
}

#[test]
fn workflows_pass_actionlint_with_their_scripts() {
    let (actionlint, shellcheck) = (linter!("actionlint"), linter!("shellcheck"));
    assert!(workflows().len() >= 3, "{:?}", workflows());
    is_content(&actionlint, &["-no-color", "-shellcheck", shellcheck.to_str().unwrap()], &workflows());
}

fn audit(zizmor: &Path, files: &[String]) -> Output {
    let mut command = Command::new(zizmor);
    command.args(["--offline", "--no-progress", "--no-config", "--persona", "auditor", "--color", "never"]);
    command.args(files).current_dir(root()).output().unwrap()
}

/// Neither the strictest of its personas nor an ignored finding: nothing is left to say.
#[test]
fn zizmor_finds_nothing_in_workflows_and_in_dependabots_settings() {
    let zizmor = linter!("zizmor");
    let output = audit(&zizmor, &[vec![".github".to_owned()], workflows()].concat());
    assert!(output.status.success() && told(&output).contains("No findings to report"), "{}", told(&output));
    assert!(!told(&output).contains("suppressed") && !told(&output).contains("ignored"), "{}", told(&output));
}

/// The sample repeats its steps by aliases, which not every reader of workflows follows.
#[test]
fn what_is_wrong_in_a_step_that_an_alias_repeats_is_found() {
    let zizmor = linter!("zizmor");
    let sample = std::fs::read_to_string(root().join("samples/github-actions.yml")).unwrap();
    let world = World::new();
    for (good, bad, finding, least) in [
        ("persist-credentials: false", "fetch-depth: 1", "artipacked", 5),
        ("\"$ARCHIVE\"\n", "\"${{ github.head_ref }}\"\n", "template-injection", 5),
        ("@e6de054238d6b7531b4efff3b6587d9aade6a06c # v6.2.3", "@v6", "unpinned-uses", 3),
    ] {
        assert!(sample.contains(good), "{good}");
        world.write("workflow.yml", &sample.replace(good, bad));
        let output = audit(&zizmor, &[world.path("workflow.yml").to_str().unwrap().to_owned()]);
        assert!(!output.status.success(), "{}", told(&output));
        assert!(told(&output).matches(&format!("[{finding}]")).count() >= least, "{}", told(&output));
    }
}

#[test]
fn scripts_of_the_shell_pass_shellcheck() {
    let shellcheck = linter!("shellcheck");
    let is_script = |file: &String| {
        let first = std::fs::read(root().join(file)).unwrap_or_default();
        let first = String::from_utf8_lossy(first.split(|byte| *byte == b'\n').next().unwrap_or_default()).into_owned();
        first.starts_with("#!") && first.ends_with("sh")
    };
    let scripts: Vec<String> = files(r"^[^.][^.]*(\.sh)?$|^\.ci/").into_iter().filter(is_script).collect();
    for known in
        [".ci/run", "infra/deploy", "packaging/install.sh", "samples/requests.sh", "tests/engines.sh", "tests/run"]
    {
        assert!(scripts.iter().any(|script| script == known), "{known} is not among {scripts:?}");
    }
    is_content(&shellcheck, &["--external-sources"], &scripts);
    let sourced = ["tests/steps.sh".to_owned()];
    is_content(&shellcheck, &["--shell=bash"], &sourced);
    // What runners of GitLab and cron run.
    let world = World::new();
    for (name, job) in yaml("samples/gitlab-ci.yml").as_object().unwrap() {
        for part in ["before_script", "script"] {
            let lines: Vec<_> = job[part].as_array().into_iter().flatten().map(|line| line.as_str().unwrap()).collect();
            world.write(&format!("{}-{part}", name.replace(':', "-")), &(lines.join("\n") + "\n"));
        }
    }
    let crontab = std::fs::read_to_string(root().join("samples/rotation/crontab")).unwrap();
    let line = crontab.lines().last().unwrap().split_once("* * * * ").unwrap().1.to_owned();
    world.write("cron", &format!("#!/bin/sh\n{line}\n"));
    let written = std::fs::read_dir(world.folder()).unwrap().map(|file| file.unwrap().path());
    let written: Vec<String> = written.map(|file| file.to_str().unwrap().to_owned()).collect();
    // A file that only the machine has is no fault of the line.
    is_content(&shellcheck, &["--shell=bash", "--exclude=SC1091"], &written);
}

#[test]
fn what_other_programs_read_is_of_their_schema() {
    let check = linter!("check-jsonschema");
    for (schema, pattern) in [
        ("compose-spec", r"^samples/serve/compose\.yaml$"),
        ("dependabot", r"^\.github/dependabot\.yml$"),
        ("github-issue-config", r"^\.github/ISSUE_TEMPLATE/config\.yml$"),
        ("github-issue-forms", r"^\.github/ISSUE_TEMPLATE/(bug|feature)\.yml$"),
        ("github-workflows", r"^(\.github/workflows/.*|samples/github-actions)\.yml$"),
        ("gitlab-ci", r"^samples/gitlab-ci\.yml$"),
    ] {
        let schema = format!("vendor.{schema}");
        is_content(&check, &["--builtin-schema", &schema], &files(pattern));
    }
    let world = World::new();
    let sample = std::fs::read_to_string(root().join("samples/gitlab-ci.yml")).unwrap();
    world.write("gitlab-ci.yml", &sample.replace("when: manual", "when: by_hand"));
    let mut command = Command::new(&check);
    command.args(["--builtin-schema", "vendor.gitlab-ci"]).arg(world.path("gitlab-ci.yml"));
    assert!(!command.output().unwrap().status.success(), "a schema that takes anything holds nothing");
}
