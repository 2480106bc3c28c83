//! The samples, as far as they need no deployment.

use std::collections::BTreeSet;
use std::process::Command;

use latchkey::entropy::SystemEntropy;
use latchkey::secret::{Prefix, Secret, TokenId};
use latchkey_sinks::files::write_atomic;
use regex::Regex;
use serde_json::Value;
use tests::deployment::{engine, root};

#[test]
fn the_sample_requests_ask_every_route() {
    let script = std::fs::read_to_string(root().join("samples/requests.sh")).unwrap();
    let request =
        Regex::new(r#"(?m)^(?:SECRET="\$hers" )?request [0-9]+ ([A-Z]+) "?(/[^\s"]+|\$tokens[^\s"]*)"#).unwrap();
    let mut asked = BTreeSet::new();
    for found in request.captures_iter(&script) {
        let path = found[2].replace("$tokens", "/v1/users/ci@example.com/tokens");
        let path = path.split('?').next().unwrap();
        let (_, route) = super::deployed::route(&found[1], path);
        asked.insert((route.method, route.path));
    }
    let routes: BTreeSet<_> = tests::api::routes().map(|route| (route.method, route.path)).collect();
    assert_eq!(routes, asked);
}

#[test]
fn a_scanner_finds_secrets_by_the_rule_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let mut expected = Vec::new();
    for (number, prefix) in ["lk", "acme_lk"].iter().enumerate() {
        let prefix: Prefix = prefix.parse().unwrap();
        let secret = Secret::mint(&prefix, &TokenId::mint(&SystemEntropy).unwrap(), &SystemEntropy).unwrap();
        let file = folder.path().join(format!("{number}.env"));
        let text = format!("API_TOKEN={}\nid={}\n", secret.expose(), secret.token_id());
        write_atomic(&file, text.as_bytes(), 0o600).unwrap();
        expected.push(file.to_str().unwrap().to_owned());
    }
    // What is safe to show: an id, a prefix with an id, a fingerprint, a version's marker.
    let safe = "lk_amc7q7333nwjw2wt amc7q7333nwjw2wt lk-amc7q7333nwjw2wt-1-0123456789ab lk_amc7q7333nwjw2wt_...\n";
    write_atomic(&folder.path().join("safe.txt"), safe.as_bytes(), 0o600).unwrap();
    let report = folder.path().join("report.json");
    let output = Command::new(engine("gitleaks"))
        .args(["dir", "--no-banner", "--redact", "--report-format", "json", "--report-path"])
        .arg(&report)
        .arg("--config")
        .arg(root().join("samples/gitleaks.toml"))
        .arg(folder.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let found: Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    let mut found: Vec<(&str, &str)> = found
        .as_array()
        .unwrap()
        .iter()
        .map(|leak| (leak["RuleID"].as_str().unwrap(), leak["File"].as_str().unwrap()))
        .collect();
    found.sort_unstable();
    let expected: Vec<(&str, &str)> = expected.iter().map(|file| ("latchkey-secret", file.as_str())).collect();
    assert_eq!(found, expected);
}
