//! Readers of `openapi.json` that others use: a linter finds nothing in it, and clients that are generated from it get
//! answers from a real server.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use tests::deployment::{engine, root};
use tests::provision::World;
use tests::remote::Served;

use super::schemathesis::served;

/// A program that `tests/engines.sh` installed with npm; without npm there is none, and `test` is left out.
fn installed(program: &str) -> Option<PathBuf> {
    let path = root().join("target/engines/openapi/node_modules/.bin").join(program);
    if !path.exists() {
        println!("SKIPPED: `{program}` is not installed, run `tests/engines.sh` (it needs npm)");
        return None;
    }
    Some(path)
}

/// Runs a program that reaches nothing but this machine.
fn run(command: &mut Command) -> Output {
    command.env("http_proxy", "http://127.0.0.1:9").env("https_proxy", "http://127.0.0.1:9");
    command.env("no_proxy", "127.0.0.1").env("NO_COLOR", "1");
    command.env("REDOCLY_TELEMETRY", "off").env("REDOCLY_SUPPRESS_UPDATE_NOTICE", "true");
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}: {}{}", text(&output.stdout), text(&output.stderr));
    output
}

fn document() -> PathBuf {
    root().join("functions/openapi.json")
}

fn program(name: &str) -> PathBuf {
    root().join("tests/end_to_end/api/clients").join(name)
}

/// A server with a manifest that the clients run, and its admin's secret.
fn server(world: &World) -> (Served, String) {
    let grant = "manifest grant typed --permission documents:read --role reader --user ada";
    let _ = world.run(&format!("{grant} --service embedded:latchkey.db")).exits(0);
    served(world)
}

/// What a client printed, held against what a server has to answer.
fn check(output: &Output) {
    let answers: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answers["id"], answers["read"], "{answers}");
    let mut known = answers.clone();
    known["id"].take();
    known["read"].take();
    let expected = json!({
        "created": "typed", "id": null, "listed": ["app", "typed"], "read": null, "place": ["machine", "build"],
        "status": 409, "code": "name_taken",
    });
    assert_eq!(known, expected);
}

#[test]
fn a_linter_finds_nothing_in_the_document() {
    let Some(redocly) = installed("redocly") else { return };
    let mut command = Command::new(redocly);
    command.arg("lint").arg(document()).args(["--extends", "recommended", "--format", "json"]);
    let output = run(&mut command);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["problems"], json!([]));
}

#[test]
fn a_client_in_python_is_generated_and_answered() {
    let world = World::new();
    let (server, secret) = server(&world);
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("config.yaml"), "post_hooks: []\n");
    let mut generator = Command::new(engine("openapi-python-client"));
    generator.current_dir(&folder).args(["generate", "--meta", "none", "--config", "config.yaml"]);
    generator.args(["--fail-on-warning", "--output-path", "generated", "--path"]).arg(document());
    run(&mut generator);
    let mut python = Command::new(engine("python"));
    python.arg(program("client.py")).env("PYTHONPATH", folder.path());
    check(&run(python.env("LATCHKEY_URL", server.url()).env("LATCHKEY_TOKEN", secret)));
}

#[test]
fn a_client_in_typescript_compiles_and_is_answered() {
    let Some(generator) = installed("openapi-typescript") else { return };
    let Some(compiler) = installed("tsc") else { return };
    let world = World::new();
    let (server, secret) = server(&world);
    let folder = tempfile::tempdir().unwrap();
    let modules = root().join("target/engines/openapi/node_modules");
    std::os::unix::fs::symlink(modules.canonicalize().unwrap(), folder.path().join("node_modules")).unwrap();
    write(&folder.path().join("package.json"), r#"{ "type": "module" }"#);
    std::fs::copy(program("client.ts"), folder.path().join("client.ts")).unwrap();
    run(Command::new(generator).current_dir(&folder).arg(document()).args(["--output", "schema.d.ts"]));
    let mut tsc = Command::new(compiler);
    tsc.current_dir(&folder).args([
        "--strict",
        "--target",
        "es2022",
        "--module",
        "esnext",
        "--moduleResolution",
        "bundler",
    ]);
    run(tsc.arg("client.ts"));
    let mut node = Command::new("node");
    node.current_dir(&folder).arg("client.js");
    check(&run(node.env("LATCHKEY_URL", server.url()).env("LATCHKEY_TOKEN", secret)));
}

#[expect(clippy::disallowed_methods, reason = "no secret is in it")]
fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}
