//! The main job: a team declares its tokens, and the command makes, delivers, changes and ends them.

use std::os::unix::fs::PermissionsExt as _;

use tests::provision::{World, secrets_in};

use super::assert_told;

const SAMPLE: &str = include_str!("../../../samples/tokens.toml");

fn mode(world: &World, name: &str) -> u32 {
    std::fs::metadata(world.path(name)).unwrap().permissions().mode() & 0o777
}

#[test]
fn the_sample_applies_without_set_up_and_says_no_secret() {
    let world = World::with(SAMPLE);
    let plan = world.run("plan --detailed-exitcode").exits(2);
    assert!(!world.path("latchkey.db").exists(), "a plan leaves nothing behind");
    let applied = world.run("apply").exits(0);
    assert_eq!(secrets_in(&format!("{}{}{}", plan.stdout, applied.stdout, applied.stderr)), Vec::<String>::new());
    for name in [".env", "latchkey.db"] {
        assert_eq!(mode(&world, name), 0o600, "{name}");
    }
    world.run("apply").exits(0);
    world.run("plan --detailed-exitcode").exits(0);
    world.run("status").exits(0);
    assert_told!(world);
}

#[test]
fn delivered_secrets_are_valid_with_the_declared_roles() {
    let world = World::with(SAMPLE);
    world.run("apply").exits(0);
    let _ = world.told();
    let (production, report) = (world.entry(".env", "POGODOC_API_TOKEN"), world.entry(".env", "REPORT_API_TOKEN"));
    assert_ne!(production, report);
    let verified = world.pipe("token verify --format json", &production).exits(0).json();
    assert_eq!(verified["name"], "production-api");
    assert_eq!(verified["roles"], serde_json::json!(["documents-writer"]));
    assert_eq!(verified["permissions"], serde_json::json!(["documents:read", "documents:write"]));
    let _ = world.told();
    world.pipe("token verify", &report).exits(0);
    assert_told!(world);
}

#[test]
fn an_edited_manifest_shows_exactly_what_changes_and_then_does_it() {
    let world = World::with(SAMPLE);
    world.run("apply").exits(0);
    let (production, report) = (world.entry(".env", "POGODOC_API_TOKEN"), world.entry(".env", "REPORT_API_TOKEN"));
    let _ = world.told();
    world.edit(
        "[roles.documents-reader]",
        "[roles.documents-auditor]\npermissions = [\"audits:read\"]\n\n[roles.documents-reader]",
    );
    world.edit(
        r#"["documents-writer", "documents-reader"]"#,
        r#"["documents-writer", "documents-reader", "documents-auditor"]"#,
    );
    world.edit(
        r#"roles = ["documents-writer"]
push = [{ sink = "dev", name = "POGODOC_API_TOKEN" }]"#,
        r#"roles = ["documents-writer", "documents-auditor"]
push = [{ sink = "dev", name = "POGODOC_API_TOKEN" }, { sink = "dev", name = "POGODOC_TOKEN_TOO" }]"#,
    );
    world.edit(r#"rotate_every = "14d""#, r#"rotate_every = "7d""#);
    world.run("plan --detailed-exitcode").exits(2);
    world.run("apply").exits(0);
    world.run("plan --detailed-exitcode").exits(0);
    assert_told!(world);
    assert_eq!(world.entry(".env", "POGODOC_TOKEN_TOO"), production, "a new place gets the current secret");
    let verified = world.pipe("token verify --format json", &production).exits(0).json();
    assert_eq!(verified["roles"], serde_json::json!(["documents-auditor", "documents-writer"]));
    let rotated = world.entry(".env", "REPORT_API_TOKEN");
    assert_ne!(rotated, report, "new durations act on a new version");
    assert!(world.is_valid(&rotated) && world.is_valid(&report), "the older one works on during its overlap");
}

#[test]
fn a_deleted_token_is_invalid_at_once_and_stays_listed() {
    let world = World::with(SAMPLE);
    world.run("apply").exits(0);
    let secret = world.entry(".env", "POGODOC_API_TOKEN");
    let _ = world.told();
    world.run("token delete production-api --user ci@example.com --yes").exits(0);
    world.pipe("token verify", &secret).exits(1);
    world.run("token list --user ci@example.com").exits(0);
    world.run("token delete production-api --user ci@example.com --yes").exits(1);
    // It is still declared: the next run makes another one.
    world.run("apply").exits(0);
    assert_told!(world);
    assert!(!world.is_valid(&secret));
    assert!(world.is_valid(&world.entry(".env", "POGODOC_API_TOKEN")));
}

#[test]
fn a_rotation_keeps_the_older_secret_for_its_overlap_and_no_longer() {
    use tests::provision::{DAY, HOUR};
    let world = World::with(SAMPLE);
    world.run("apply").exits(0);
    let first = world.entry(".env", "POGODOC_API_TOKEN");
    let _ = world.told();
    world.clock(30 * DAY - HOUR);
    // The other token rotates every 14 days and is long due.
    world.run("rotate tokens.toml").exits(0);
    assert_eq!(world.entry(".env", "POGODOC_API_TOKEN"), first, "not due yet");
    world.clock(30 * DAY + 60);
    world.run("rotate tokens.toml").exits(0);
    let second = world.entry(".env", "POGODOC_API_TOKEN");
    assert_ne!(second, first);
    assert!(world.is_valid(&first) && world.is_valid(&second));
    world.clock(31 * DAY);
    world.run("rotate").exits(0);
    assert!(world.is_valid(&first), "a minute of its overlap is left");
    world.clock(31 * DAY + 300);
    world.run("rotate").exits(0);
    assert!(!world.is_valid(&first) && world.is_valid(&second));
    assert_told!(world);
}

#[test]
fn rotate_takes_names_or_all_and_says_so_when_a_name_is_wrong() {
    let world = World::with(SAMPLE);
    world.run("apply").exits(0);
    let (production, report) = (world.entry(".env", "POGODOC_API_TOKEN"), world.entry(".env", "REPORT_API_TOKEN"));
    let _ = world.told();
    world.run("rotate tokens.toml production-apy").exits(1);
    world.run("rotate tokens.toml nothing-like-it").exits(1);
    world.run("rotate production-api").exits(0);
    assert_ne!(world.entry(".env", "POGODOC_API_TOKEN"), production);
    assert_eq!(world.entry(".env", "REPORT_API_TOKEN"), report);
    world.run("rotate tokens.toml --all").exits(0);
    assert_ne!(world.entry(".env", "REPORT_API_TOKEN"), report);
    assert_told!(world);
}
