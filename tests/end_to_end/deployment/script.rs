//! `infra/deploy` and `infra/destroy` as far as they go without a server.

use std::process::{Command, Output, Stdio};

use tests::deployment::{engine, root};

/// Runs a script of `infra` as somebody does who is logged in nowhere.
fn run(script: &str, arguments: &[&str]) -> Output {
    let mut path = vec![engine("aws").parent().unwrap().to_owned()];
    path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let mut command = Command::new(root().join("infra").join(script));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
        command.env_remove(name);
    }
    command
        .args(arguments)
        .env("PATH", std::env::join_paths(path).unwrap())
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn the_scripts_tell_what_they_do() {
    let told = regex::Regex::new(r"(?m)^  (--[a-z-]+)").unwrap();
    let taken = regex::Regex::new(r"(?m)^    (--[a-z-]+)(?: \| -h)?\) ").unwrap();
    for script in ["deploy", "destroy"] {
        let output = run(script, &["--help"]);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && text.starts_with(&format!("Usage: infra/{script}")), "{text}");
        // Every option is told, and every one that is told is there.
        let source = std::fs::read_to_string(root().join("infra").join(script)).unwrap();
        let names = |pattern: &regex::Regex, text: &str| -> std::collections::BTreeSet<String> {
            pattern.captures_iter(text).map(|found| found[1].to_owned()).collect()
        };
        assert_eq!(names(&told, &text), names(&taken, &source));
    }
}

#[test]
fn wrong_words_are_refused_with_a_hint() {
    for (script, arguments, fault) in [
        ("deploy", &["--stak", "x"][..], "unknown option `--stak`"),
        ("deploy", &["latchkey"], "`latchkey` is neither an option nor PARAMETER=VALUE"),
        ("deploy", &["--stack"], "`--stack` needs a value"),
        ("deploy", &["--stack", "9"], "`9` cannot be the name of a stack"),
        ("deploy", &["--arch", "riscv"], "unknown architecture `riscv`"),
        ("deploy", &["--binaries", "/nowhere"], "`/nowhere` does not contain the function `create`"),
        ("deploy", &["--release", "x", "--region", "eu-west-1", "--bucket", "b"], "`x` is not the name of a release"),
        ("destroy", &[], "no stack is named"),
        ("destroy", &["--table", "x"], "unknown option `--table`"),
        ("destroy", &["--stack", "x"], "no region is configured"),
    ] {
        let output = run(script, arguments);
        let text = said(&output);
        assert_eq!(output.status.code(), Some(1), "{script} {arguments:?}: {text}");
        assert!(text.contains(&format!("{script}: {fault}\n")), "{script} {arguments:?}: {text}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn a_dry_run_tells_what_would_be_run_and_runs_none_of_it() {
    let output = run("deploy", &["--dry-run", "--region", "eu-west-1", "--stack", "shop", "MemorySize=256"]);
    let text = said(&output);
    assert!(output.status.success(), "{text}");
    let commands: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("would run: ")).collect();
    for wanted in ["--profile lambda", "s3api create-bucket", "cloudformation package", "cloudformation deploy"] {
        assert!(commands.iter().any(|command| command.contains(wanted)), "{wanted}: {text}");
    }
    assert!(text.contains("MemorySize=256") && text.contains("--stack-name shop"), "{text}");
}
