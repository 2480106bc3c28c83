//! A CI job that applies a manifest by URL.

use tests::provision::{DAY, HOUR};

use super::{Remote, TWO, head};

#[test]
fn a_job_plans_and_applies_and_rotates_by_url_with_its_grant() {
    let remote = Remote::start();
    remote.run("plan --detailed-exitcode").exits(2);
    remote.run("apply").exits(0);
    let first = remote.world.entry(".env", "BUILD_TOKEN");
    assert!(remote.is_valid(&first));
    remote.run("plan --detailed-exitcode").exits(0);
    remote.run("rotate tokens.toml build-api").exits(0);
    let second = remote.world.entry(".env", "BUILD_TOKEN");
    assert_ne!(first, second);
    assert!(remote.is_valid(&first) && remote.is_valid(&second), "both work during the overlap");
    remote.run("status").exits(0);
    // Nobody used the older one: after its overlap it goes.
    remote.world.clock(26 * HOUR);
    remote.run("apply").exits(0);
    assert!(!remote.is_valid(&first) && remote.is_valid(&second));
    remote.run("plan --detailed-exitcode").exits(0);
}

#[test]
fn what_is_no_longer_declared_is_pruned_by_url() {
    let remote = Remote::start();
    remote.run("apply").exits(0);
    let secret = remote.world.entry(".env", "DEPLOY_TOKEN");
    let text = remote.world.read("tokens.toml");
    let (kept, _) = text.split_once("[tokens.deploy-api]").unwrap();
    remote.world.write("tokens.toml", kept);
    remote.run("apply --prune --allow-deletes 1").exits(0);
    assert!(!remote.world.read(".env").contains("DEPLOY_TOKEN"));
    remote.world.clock(2 * DAY);
    remote.run("apply --prune --allow-deletes 1").exits(0);
    assert!(!remote.is_valid(&secret));
    remote.run("plan --detailed-exitcode").exits(0);
}

#[test]
fn an_entry_that_was_changed_by_hand_is_mended_from_another_place() {
    let both = TWO.replace(
        "push = [{ sink = \"dev\", name = \"BUILD_TOKEN\" }]",
        "push = [{ sink = \"dev\", name = \"BUILD_TOKEN\" }, { sink = \"other\", name = \"BUILD_TOKEN\" }]",
    );
    let remote = Remote::with(&format!(
        "{}[sinks.other]\ntype = \"dotenv\"\npath = \"other.env\"\n{both}",
        head("url = \"URL\"")
    ));
    remote.run("apply").exits(0);
    let secret = remote.world.entry(".env", "BUILD_TOKEN");
    remote.world.write(".env", &remote.world.read(".env").replace(&secret, "edited"));
    // The service is asked whether the value that the other place has is the current one.
    remote.run("apply").exits(0);
    assert_eq!(remote.world.entry(".env", "BUILD_TOKEN"), secret);
}

#[test]
fn what_the_grant_does_not_cover_is_refused_in_the_plan_with_the_way_out() {
    let remote = Remote::start();
    remote.world.edit("documents:read", "documents:write");
    let plan = remote.run("plan").exits(1).stdout;
    assert!(plan.contains("the manifest `acme` is not allowed to grant `documents:write`"), "{plan}");
    assert!(plan.contains("`provision manifest grant acme --permission documents:read,documents:write --new-user ci --new-role reader`"), "{plan}");
    let refused = remote.run("apply").exits(1);
    assert!(refused.stderr.contains("is not allowed to grant `documents:write`"), "{}", refused.stderr);
    assert!(refused.stderr.contains("help: nothing was changed; ask an admin to run"), "{}", refused.stderr);
    remote.admin("manifest grant acme -p documents:write --new-user * --new-role *").exits(0);
    remote.run("plan").exits(0);
    remote.run("apply").exits(0);
    assert!(remote.is_valid(&remote.world.entry(".env", "BUILD_TOKEN")));
}

#[test]
fn a_role_of_others_that_allows_more_than_the_grant_blocks_its_token_and_no_other() {
    let remote = Remote::start();
    remote.declare_role_beyond_the_grant();
    let plan = remote.run("plan").exits(1).stdout;
    assert!(plan.contains("`ana/ana-api`: blocked: the manifest is not allowed to grant `audits:read`"), "{plan}");
    assert!(plan.contains("Plan: 4 to create, 1 blocked"), "{plan}");
    remote.run("apply").exits(3);
    assert!(remote.is_valid(&remote.world.entry(".env", "BUILD_TOKEN")));
    remote.run("apply").exits(1);
    remote
        .admin("manifest grant acme -p documents:read,audits:read --user ana --role auditor --new-user * --new-role *")
        .exits(0);
    remote.run("plan").exits(0);
    remote.run("apply").exits(0);
    assert!(remote.is_valid(&remote.world.entry(".env", "ANA_TOKEN")));
}

#[test]
fn a_job_of_another_manifest_sees_nothing() {
    let remote = Remote::start();
    remote.run("apply").exits(0);
    remote.world.edit("manifest = \"acme\"", "manifest = \"other\"");
    let refused = remote.run("plan").exits(1);
    assert!(
        refused.stderr.contains("not found, or this token is not allowed to see it (request "),
        "{}",
        refused.stderr
    );
}

#[test]
fn revisions_are_kept_by_the_server() {
    let remote = Remote::start();
    remote.run("apply --revision 12").exits(0);
    remote.run("apply --revision 11").exits(4);
    remote.run("apply --revision 11 --force-revision").exits(0);
}

#[test]
fn no_secret_is_said_and_no_item_holds_one() {
    let remote = Remote::start();
    remote.run("apply").exits(0);
    remote.run("rotate tokens.toml --all").exits(0);
    let told = remote.world.told();
    assert!(tests::provision::secrets_in(&told).is_empty() && !told.contains("<secret>"), "{told}");
}
