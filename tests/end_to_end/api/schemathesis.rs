//! Schemathesis asks a real server everything that `openapi.json` allows, and much that it does not: no server error, no
//! status that is not in the document, no reply that is not as the document says.

use std::path::Path;
use std::process::Command;

use tests::deployment::{engine, root};
use tests::provision::World;
use tests::remote::Served;

const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_schema_conformance,response_headers_conformance,unsupported_method,ignored_auth";
/// What ends something that later requests need.
const ENDING: [&str; 5] = ["deleteOwnToken", "deleteToken", "deleteUser", "deleteRole", "putUser"];

/// A server with one of each, and its admin's secret.
pub(super) fn served(world: &World) -> (Served, String) {
    for words in [
        "role set reader --permission documents:read --service embedded:latchkey.db",
        "user set ada --roles reader --service embedded:latchkey.db",
        "token set app --user ada --service embedded:latchkey.db",
        "manifest grant acme --permission documents:read --service embedded:latchkey.db",
    ] {
        let _ = world.run(words).exits(0);
    }
    let admin = world.run("bootstrap --service embedded:latchkey.db").exits(0);
    (Served::start(world, "latchkey.db"), admin.stdout.trim().to_owned())
}

fn run(folder: &Path, url: &str, secret: &str, config: &str, more: &[&str]) {
    let file = folder.join("schemathesis.toml");
    #[expect(clippy::disallowed_methods, reason = "no secret is in it")]
    std::fs::write(&file, config).unwrap();
    let mut command = Command::new(engine("schemathesis"));
    command.current_dir(folder).arg("--config-file").arg(&file).arg("run").arg(root().join("functions/openapi.json"));
    command.args(["--url", url, "--header", &format!("Authorization: Bearer {secret}"), "--checks", CHECKS]);
    command.args(["--seed", "7", "--max-examples", "15", "--continue-on-failure", "--no-color"]).args(more);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    // `1698 generated, 1698 passed`, and perhaps how many were skipped.
    let count = text.lines().find_map(|line| line.trim().split_once(" generated, ")?.0.parse::<u32>().ok());
    assert!(count.is_some_and(|count| count > 500), "too few requests for a verdict: {text}");
}

#[test]
fn what_is_there_is_answered_as_the_document_says() {
    let world = World::new();
    let (server, secret) = served(&world);
    // It fails when the admin's token has stopped working: all that came after would prove nothing.
    let config = "warnings.fail-on = [\"missing_auth\"]\n[parameters]\n\"path.user\" = \"ada\"\n\"path.name\" = \"app\"\n\
                  \"path.role\" = \"reader\"\n\"path.manifest\" = \"acme\"\n\"path.version\" = 1\n";
    let mut more = vec!["--phases", "coverage,fuzzing"];
    for ending in ENDING {
        more.extend(["--exclude-operation-id", ending]);
    }
    run(world.folder(), server.url(), &secret, config, &more);
}

#[test]
fn whatever_is_asked_is_answered_as_the_document_says() {
    let world = World::new();
    let (server, secret) = served(&world);
    let more = ["--phases", "coverage,fuzzing,stateful", "--exclude-operation-id", "deleteOwnToken"];
    run(world.folder(), server.url(), &secret, "", &more);
}
