//! The commands of `infra/README.md` and of the sample behind the authorizer, run one after another.

use std::process::Stdio;

use tests::deployment::{Stack, binaries, root};

/// What the sample's README leaves to its reader.
const URL: &str = r#"URL="$(aws cloudformation describe-stacks --stack-name protected-api \
  --query "Stacks[0].Outputs[?OutputKey=='Url'].OutputValue" --output text)""#;

/// The `sh` blocks of a document, as one script.
fn commands(document: &str) -> String {
    let text = std::fs::read_to_string(root().join(document)).unwrap();
    let mut script = String::new();
    let mut inside = false;
    for line in text.lines() {
        match line {
            "```sh" => inside = true,
            "```" => inside = false,
            _ if inside => {
                script.push_str(line);
                script.push('\n');
            }
            _ => {}
        }
    }
    assert!(!script.is_empty(), "`{document}` has no commands");
    script
}

#[test]
fn every_command_of_the_readmes_does_what_it_says() {
    let stack = Stack::start();
    let functions = binaries();
    // The only difference: functions that are built already, for this machine.
    let built = format!("infra/deploy --binaries {} --arch x86_64 ", functions.display());
    let sample = commands("samples/protected-api/README.md").replace("curl ", &format!("{URL}\ncurl --fail --silent "));
    let mut script = "set -euo pipefail\n".to_owned();
    let mut first = true;
    for line in commands("infra/README.md").lines() {
        if first && line.starts_with("provision bootstrap") {
            // With the first admin there is somebody whom the sample can let in.
            first = false;
            script.extend(["SECRET=\"$(", line, ")\"\n", &sample]);
        } else {
            script += &line.replace("infra/deploy ", &built);
            script.push('\n');
        }
    }
    let mut path = vec![functions];
    let mut command = stack.command("bash");
    let held = command.get_envs().find(|(name, _)| *name == "PATH").and_then(|(_, path)| path).unwrap().to_owned();
    path.extend(std::env::split_paths(&held));
    let output = command
        .args(["-c", &script])
        .current_dir(root())
        .env("PATH", std::env::join_paths(path).unwrap())
        .env("AWS_REGION", "eu-west-1")
        .env("AWS_DEFAULT_REGION", "eu-west-1")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let [said, errors] = [&output.stdout, &output.stderr].map(|said| String::from_utf8_lossy(said).into_owned());
    assert!(output.status.success(), "{script}\n{said}\n{errors}\n{}", stack.log());
    assert!(said.contains("\"permissions\": [\"*:*\"]"), "the sample told who called: {said}");
    assert!(errors.contains("kept the table `latchkey-restored`"), "{errors}");
}
