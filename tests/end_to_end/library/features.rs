//! What each feature of `latchkey` brings along: whoever checks secrets compiles neither the API nor a runtime.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;
use tests::deployment::root;

/// The crates that a package is built from, tests and build scripts apart.
fn crates(arguments: &[&str]) -> BTreeSet<String> {
    let tree = ["tree", "--edges", "normal", "--prefix", "none", "--format", "{p}"];
    let lines = cargo(&[&tree, arguments].concat());
    lines.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

fn cargo(arguments: &[&str]) -> String {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output =
        Command::new(cargo).args(arguments).args(["--offline", "--locked"]).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What none may bring along but the features named with it, and these must.
const ONLY_WITH: &[(&str, &[&str])] = &[
    ("aws-sdk-dynamodb", &["dynamodb", "lambda"]),
    ("aws-config", &["dynamodb", "lambda"]),
    ("rusqlite", &["embedded"]),
    ("tokio", &["service", "dynamodb", "embedded", "api", "lambda"]),
    ("tracing", &["service", "dynamodb", "embedded", "api", "lambda"]),
    ("schemars", &["api", "lambda"]),
    ("serde_path_to_error", &["api", "lambda"]),
    ("lambda_runtime", &["lambda"]),
    // These are for logins of people.
    ("aws-sdk-sso", &[]),
    ("aws-sdk-ssooidc", &[]),
    ("clap", &[]),
];

#[test]
fn each_feature_brings_what_it_needs_and_no_more() {
    for feature in ["", "service", "dynamodb", "embedded", "api", "lambda"] {
        let found = crates(&["--package", "latchkey", "--no-default-features", "--features", feature]);
        assert!(found.contains("sha2"), "{found:?}");
        for (name, features) in ONLY_WITH {
            assert_eq!(found.contains(*name), features.contains(&feature), "`{name}` with the feature `{feature}`");
        }
        let aws = found.iter().any(|name| name.starts_with("aws-") || name.starts_with("hyper"));
        assert_eq!(aws, ["dynamodb", "lambda"].contains(&feature), "`{feature}`: {found:?}");
    }
}

#[test]
fn who_asks_for_nothing_gets_the_check_on_dynamodb() {
    let default = crates(&["--package", "latchkey"]);
    assert_eq!(default, crates(&["--package", "latchkey", "--no-default-features", "--features", "dynamodb"]));
}

#[test]
fn the_features_are_few() {
    let metadata: Value = serde_json::from_str(&cargo(&["metadata", "--no-deps", "--format-version", "1"])).unwrap();
    let mut packages = metadata["packages"].as_array().unwrap().iter();
    let latchkey = packages.find(|package| package["name"] == "latchkey").unwrap();
    let features: BTreeSet<&str> = latchkey["features"].as_object().unwrap().keys().map(String::as_str).collect();
    // `test-clock` is refused in a release.
    assert_eq!(features, BTreeSet::from(["api", "default", "dynamodb", "embedded", "lambda", "service", "test-clock"]));
}

#[test]
fn the_command_is_built_without_what_it_does_not_use() {
    let found = crates(&["--package", "provisioner"]);
    assert!(found.contains("clap") && !found.contains("lambda_runtime"), "{found:?}");
    assert!(!found.contains("regex-automata"), "`LATCHKEY_LOG` takes levels and targets only");
}
