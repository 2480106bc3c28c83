//! Moving between manifests by URL, each with a job and a grant of its own; and entries of manifests that a job may not
//! see.

use tests::provision::Ran;

use super::{Remote, TWO, head};

const AGREES: (&str, &str) = ("[tokens.build-api]\n", "[tokens.build-api]\nmoved_to = \"umbrella\"\n");

/// Two manifests on one server, each with a job of its own.
struct Both {
    remote: Remote,
    /// The job of `umbrella`.
    other: String,
}

impl Both {
    /// `acme` is applied, with two tokens; `umbrella` declares what is given.
    fn start(umbrella: &str) -> Self {
        let remote = Remote::start();
        let operator = |words: &str| remote.world.run(&format!("{words} --service embedded:latchkey.db")).exits(0);
        operator("role set other-job -p manifests:umbrella");
        operator("user set other-pipeline --kind service --roles other-job");
        let other = operator("token set main-pipeline --user other-pipeline").stdout.trim().to_owned();
        remote.run("apply").exits(0);
        let text = format!(
            "manifest = \"umbrella\"\n[service]\nurl = \"{}\"\n[sinks.dev]\ntype = \"dotenv\"\npath = \".env\"\n{umbrella}",
            remote.url
        );
        remote.world.write("umbrella.toml", &text);
        let _ = remote.world.told();
        Self { remote, other }
    }

    /// Runs a command with the job of `umbrella`.
    fn other(&self, words: &str) -> Ran {
        self.remote.run_as(&self.other, words)
    }

    fn agree(&self) {
        self.remote.world.edit(AGREES.0, AGREES.1);
        self.remote.run("apply").exits(0);
    }

    fn manager(&self, name: &str) -> String {
        let shown = self.remote.admin(&format!("token show {name} -u ci --format json")).exits(0).json();
        shown["managed_by"].as_str().unwrap().to_owned()
    }
}

const TAKES: &str = "[tokens.build-api]\nuser = \"ci\"\nroles = [\"reader\"]\nmoved_from = { manifest = \"acme\", name = \"build-api\" }\npush = [{ sink = \"dev\", name = \"BUILD_TOKEN\" }]\n";

#[test]
fn a_job_takes_a_token_by_url_when_the_other_agreed_and_its_grant_covers_it() {
    let both = Both::start(TAKES);
    let secret = both.remote.world.entry(".env", "BUILD_TOKEN");
    both.agree();
    // Its grant names neither the user nor the role, then not what the role allows.
    let refused = both.other("apply umbrella.toml").exits(1);
    assert!(refused.stderr.contains("there is no user `ci`"), "{}", refused.stderr);
    both.remote.admin("manifest grant umbrella --user ci --role reader --new-user * --new-role *").exits(0);
    let refused = both.other("apply umbrella.toml").exits(1);
    assert!(refused.stdout.contains("is not allowed to grant `documents:read`"), "{}", refused.stdout);
    assert_eq!(both.manager("build-api"), "acme");
    both.remote
        .admin("manifest grant umbrella --user ci --role reader -p documents:read --new-user * --new-role *")
        .exits(0);
    both.other("apply umbrella.toml").exits(0);
    both.other("plan umbrella.toml --detailed-exitcode").exits(0);
    assert_eq!(both.manager("build-api"), "umbrella");
    assert_eq!(both.remote.world.entry(".env", "BUILD_TOKEN"), secret);
    both.remote.run("apply --prune --wait 0").exits(0);
    assert!(both.remote.is_valid(&secret));
    both.other("rotate umbrella.toml --all").exits(0);
    assert!(both.remote.is_valid(&both.remote.world.entry(".env", "BUILD_TOKEN")));
}

#[test]
fn a_job_whose_counterpart_has_not_agreed_is_blocked() {
    let both = Both::start(TAKES);
    both.remote
        .admin("manifest grant umbrella --user ci --role reader -p documents:read --new-user * --new-role *")
        .exits(0);
    let plan = both.other("apply umbrella.toml").exits(1).stdout;
    assert!(plan.contains("set `moved_to = \"umbrella\"` in the declaration of `build-api` in `acme`"), "{plan}");
    assert_eq!(both.manager("build-api"), "acme");
}

#[test]
fn a_job_agrees_to_what_its_grant_covers() {
    let both = Both::start(TAKES);
    both.remote.admin("manifest grant acme -p documents:write --new-user * --new-role *").exits(0);
    both.remote.world.edit(AGREES.0, AGREES.1);
    let refused = both.remote.run("apply").exits(1);
    assert!(refused.stdout.contains("is not allowed to grant `documents:read`"), "{}", refused.stdout);
    both.remote.admin("manifest grant acme -p documents:read --new-user * --new-role *").exits(0);
    both.remote.run("apply").exits(0);
}

#[test]
fn a_place_that_lacks_the_secret_of_a_token_that_moves_gets_it_read_back() {
    let takes = TAKES.replace("BUILD_TOKEN", "WEB_TOKEN");
    let both = Both::start(&takes);
    let secret = both.remote.world.entry(".env", "BUILD_TOKEN");
    both.agree();
    both.remote
        .admin("manifest grant umbrella --user ci --role reader -p documents:read --new-user * --new-role *")
        .exits(0);
    both.other("apply umbrella.toml").exits(0);
    assert_eq!(both.remote.world.entry(".env", "WEB_TOKEN"), secret);
}

#[test]
fn a_renamed_manifest_takes_its_users_and_roles_by_url_as_if_it_created_them() {
    let both = Both::start("");
    let secret = both.remote.world.entry(".env", "BUILD_TOKEN");
    let file = |top: &str| {
        let text = format!("{}{TWO}", head(&format!("url = \"{}\"", both.remote.url)));
        text.replace("manifest = \"acme\"\n", top)
    };
    both.remote.world.write("tokens.toml", &file("manifest = \"acme\"\nmoved_to = \"umbrella\"\n"));
    both.remote.run("apply").exits(0);
    both.remote.world.write("tokens.toml", &file("manifest = \"umbrella\"\nmoved_from = \"acme\"\n"));
    let refused = both.other("apply").exits(1);
    assert!(refused.stderr.contains("is not allowed to grant `documents:read`"), "{}", refused.stderr);
    both.remote.admin("manifest grant umbrella -p documents:read --new-user * --new-role *").exits(0);
    both.other("apply").exits(0);
    both.other("plan --detailed-exitcode").exits(0);
    assert_eq!((both.manager("build-api"), both.manager("deploy-api")), ("umbrella".to_owned(), "umbrella".to_owned()));
    assert_eq!(both.remote.world.entry(".env", "BUILD_TOKEN"), secret);
    let roles = both.remote.admin("role list").exits(0).stdout;
    assert!(roles.lines().any(|line| line.starts_with("reader") && line.ends_with("umbrella")), "{roles}");
}

#[test]
fn the_secret_of_a_manifest_that_a_job_may_not_see_is_not_adopted() {
    let adopts = "[roles.viewer]\npermissions = [\"documents:read\"]\n[users.robot]\nkind = \"service\"\nroles = [\"viewer\"]\n[tokens.robot-api]\nuser = \"robot\"\npush = [{ sink = \"dev\", name = \"BUILD_TOKEN\", adopt = true }]\n";
    let both = Both::start(adopts);
    let secret = both.remote.world.entry(".env", "BUILD_TOKEN");
    both.remote.admin("manifest grant umbrella -p documents:read --new-user * --new-role *").exits(0);
    let plan = both.other("apply umbrella.toml").exits(3).stdout;
    assert!(plan.contains("contains the secret of a valid token of another manifest"), "{plan}");
    assert!(!plan.contains("acme") && !plan.contains("build-api"), "no more than that is told: {plan}");
    assert_eq!(both.remote.world.entry(".env", "BUILD_TOKEN"), secret);
    // A token that is gone for good leaves an entry that may be adopted.
    both.remote.admin("token delete build-api -u ci --yes").exits(0);
    both.other("apply umbrella.toml").exits(0);
    assert_ne!(both.remote.world.entry(".env", "BUILD_TOKEN"), secret);
}
