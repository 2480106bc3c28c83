//! `infra/deploy` and `infra/destroy` as far as they go without a server.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
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
        ("deploy", &["--region", "eu-west-1", "MemorySizes=256"], "the template has no parameter `MemorySizes`"),
        ("deploy", &["--region", "eu-west-1", "TableName=other"], "the table is not set as a parameter"),
        ("deploy", &["--region", "eu-west-1", "Architecture=x86_64"], "the architecture is not set as a parameter"),
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

/// Runs `infra/deploy` with a stub in the place of `aws`, which answers as `answers` say (cases of a shell) and otherwise
/// succeeds; what the script said, and the commands that it ran.
fn deploy(answers: &str, arguments: &[&str]) -> (Output, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let write = |path: &Path, text: &str| {
        std::io::Write::write_all(&mut std::fs::File::create(path).unwrap(), text.as_bytes()).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    for made in ["bin", "built", "infra"] {
        std::fs::create_dir(at(made)).unwrap();
    }
    // A copy, which packs into a folder of its own.
    for copied in ["infra/deploy", "infra/template.yaml"] {
        std::fs::copy(root().join(copied), at(copied)).unwrap();
    }
    for function in latchkey::api::Function::ALL {
        write(&at("built").join(function.as_str()), "#!/bin/sh\n");
    }
    let fail = "fail() { echo \"An error occurred ($1) when calling an operation: $2\" >&2; exit 254; }";
    write(
        &at("bin/aws"),
        &format!(
            "#!/bin/bash\necho \"$*\" >> {log}\n{fail}\ncase \"$*\" in\n{answers}\n\
             *get-caller-identity*) echo 123456789012 ;;\n\
             *'cloudformation package'*) while (($# > 1)); do [[ $1 != --output-template-file ]] || cp {template} \"$2\"; shift; done ;;\n\
             *get-bucket-versioning*) echo Enabled ;;\nesac\n",
            log = at("log").display(),
            template = root().join("infra/template.yaml").display(),
        ),
    );
    let path =
        std::env::join_paths([at("bin")].into_iter().chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())));
    let mut command = Command::new(at("infra/deploy"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
        command.env_remove(name);
    }
    command.args(["--arch", "x86_64", "--region", "eu-west-1", "--stack", "stubbed", "--binaries"]).arg(at("built"));
    // The stub's functions need no C library that Lambda lacks.
    command
        .args(arguments)
        .env("PATH", path.unwrap())
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        .stdin(Stdio::null());
    let output = command.output().unwrap();
    let log = std::fs::read_to_string(at("log")).unwrap_or_default();
    (output, log.lines().map(str::to_owned).collect())
}

/// The case of a throttled question: the stack kept its table, and the script took it for a new one.
#[test]
fn only_a_stack_that_does_not_exist_is_taken_for_a_new_one() {
    let deployed = |log: &[String]| log.iter().find(|line| line.starts_with("cloudformation deploy")).cloned();
    let (output, log) = deploy("*describe-stacks*TableName*) echo latchkey-restored ;;", &[]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(deployed(&log).unwrap().contains("TableName=latchkey-restored"), "{log:?}");
    let missing = "*describe-stacks*TableName*) fail ValidationError 'Stack with id stubbed does not exist' ;;";
    let (output, log) = deploy(missing, &[]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(deployed(&log).unwrap().contains("TableName=stubbed"), "{log:?}");
    for (code, message) in [
        ("Throttling", "Rate exceeded"),
        ("AccessDenied", "not authorized to perform: cloudformation:DescribeStacks"),
        ("ExpiredToken", "The security token included in the request is expired"),
        ("ValidationError", "1 validation error detected"),
    ] {
        let (output, log) = deploy(&format!("*describe-stacks*TableName*) fail {code} '{message}' ;;"), &[]);
        assert_eq!((output.status.code(), deployed(&log)), (Some(1), None), "{code}: {}", said(&output));
        assert!(said(&output).contains("cannot find out which table the stack `stubbed` has"), "{}", said(&output));
        assert!(said(&output).contains(message), "{}", said(&output));
    }
}

#[test]
fn a_bucket_is_the_accounts_own_keeps_versions_and_is_reached_by_tls_alone() {
    let stack = "*describe-stacks*TableName*) echo stubbed ;;";
    let absent = format!("{stack}\n*head-bucket*) fail 404 'Not Found' ;;");
    for arguments in [&[][..], &["--bucket", "own-bucket"]] {
        let name = if arguments.is_empty() { "latchkey-123456789012-eu-west-1" } else { "own-bucket" };
        let (output, log) = deploy(&absent, arguments);
        assert!(output.status.success(), "{}", said(&output));
        for wanted in
            ["create-bucket", "put-public-access-block", "put-bucket-versioning", "put-bucket-policy", "put-object"]
        {
            assert!(
                log.iter().any(|line| line.contains(wanted) && line.contains(&format!("--bucket {name}"))),
                "{wanted}"
            );
        }
        let policy = log.iter().find(|line| line.contains("put-bucket-policy")).unwrap();
        let (_, policy) = policy.split_once("--policy ").unwrap();
        let policy: serde_json::Value = serde_json::from_str(policy).unwrap();
        let statement = &policy["Statement"][0];
        assert_eq!((&statement["Effect"], &statement["Principal"]), (&"Deny".into(), &"*".into()));
        assert_eq!(statement["Condition"]["Bool"]["aws:SecureTransport"], "false");
        assert_eq!(statement["Resource"][1], format!("arn:aws:s3:::{name}/*"));
        // Whoever has a bucket of that name gets nothing, and gives nothing.
        let unowned = log.iter().filter(|line| line.starts_with("s3api") && !line.contains("create-bucket"));
        let unowned: Vec<_> = unowned.filter(|line| !line.contains("--expected-bucket-owner 123456789012")).collect();
        assert!(unowned.is_empty(), "{unowned:?}");
    }
    let (output, log) = deploy(&format!("{stack}\n*head-bucket*) fail 403 Forbidden ;;"), &["--bucket", "of-another"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("the bucket `of-another` cannot be used"), "{}", said(&output));
    assert!(
        !log.iter().any(|line| line.contains("create-bucket") || line.contains("cloudformation package")),
        "{log:?}"
    );
    // One of an earlier release gets what it lacks; a policy of its owner's own stays.
    let lacking =
        format!("{stack}\n*get-bucket-versioning*) echo None ;;\n*get-bucket-policy*) fail NoSuchBucketPolicy no ;;");
    let (_, log) = deploy(&lacking, &[]);
    assert!(log.iter().any(|line| line.contains("put-bucket-versioning")), "{log:?}");
    assert!(log.iter().any(|line| line.contains("put-bucket-policy")), "{log:?}");
    let (_, log) = deploy(stack, &[]);
    assert!(!log.iter().any(|line| line.contains("put-bucket-")), "{log:?}");
}

#[test]
fn a_release_is_taken_from_the_accounts_own_bucket_alone() {
    let answers = format!(
        "*describe-stacks*TableName*) echo stubbed ;;\n*get-object*) cp {} \"${{@: -1}}\" ;;",
        root().join("infra/template.yaml").display()
    );
    let release = ["--release", "20260101-000000-abc-x86_64"];
    let (output, log) = deploy(&answers, &release);
    assert!(output.status.success(), "{}", said(&output));
    let taken = log.iter().find(|line| line.contains("get-object")).unwrap();
    assert!(taken.contains("--expected-bucket-owner 123456789012"), "{taken}");
    let (output, log) = deploy(&answers, &[&release[..], &["MemorySizes=1"]].concat());
    assert!(said(&output).contains("the template has no parameter `MemorySizes`"), "{}", said(&output));
    assert!(!log.iter().any(|line| line.starts_with("cloudformation deploy")), "{log:?}");
}
