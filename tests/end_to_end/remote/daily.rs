//! The work of every day, by URL with a token of whoever does it, and on the table by its operator: the same commands
//! come to the same ends. What somebody may not do is refused by URL.

use tests::provision::{HOUR, Ran};

use super::Remote;

const DIRECT: &str = "--service embedded:latchkey.db";

/// How the service is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Url,
    Table,
}

/// Somebody at work, with what they need in hand.
struct Worker<'a> {
    remote: &'a Remote,
    token: String,
    way: Way,
}

/// One command of somebody's work, and how it ends.
enum Step {
    /// It works, both ways.
    Does(&'static str),
    /// Their token may not do it; an operator may do everything.
    MayNot(&'static str),
    /// A secret that an earlier command printed first is valid from now on, or not.
    Valid(bool),
}

use Step::{Does, MayNot, Valid};

impl Worker<'_> {
    fn run(&self, words: &str) -> Ran {
        match self.way {
            Way::Url => self.remote.run_as(&self.token, words),
            Way::Table => self.remote.world.run(&format!("{words} {DIRECT}")),
        }
    }

    fn works(&self, name: &str, steps: &[Step]) {
        let mut secret = None;
        for step in steps {
            match step {
                Does(words) => {
                    let ran = self.run(words);
                    assert_eq!(ran.code, Some(0), "{name}, {:?}: {words}: {ran:?}", self.way);
                    secret = secret.or_else(|| tests::provision::secrets_in(&ran.stdout).pop());
                }
                MayNot(words) if self.way == Way::Url => {
                    let ran = self.run(words);
                    assert_eq!(ran.code, Some(1), "{name}: {words}: {ran:?}");
                    assert!(tests::provision::secrets_in(&ran.stdout).is_empty(), "{name}: {words}");
                }
                MayNot(_) => {}
                Valid(wanted) => {
                    let secret = secret.as_deref().expect("a secret was printed");
                    assert_eq!(self.remote.is_valid(secret), *wanted, "{name}, {:?}", self.way);
                }
            }
        }
    }
}

/// A user with one role that allows this, and a token of theirs.
fn token(remote: &Remote, user: &str, permissions: &str, more: &str) -> String {
    for words in [format!("role set {user}-role -p {permissions}"), format!("user set {user} --roles {user}-role")] {
        remote.world.run(&format!("{words} {DIRECT}")).exits(0);
    }
    let made = remote.world.run(&format!("token set {user}-laptop --user {user} {more} {DIRECT}")).exits(0);
    made.stdout.trim().to_owned()
}

/// Does somebody's work both ways, each in a world of its own.
fn both(name: &str, permissions: &str, before: &[&str], steps: &[Step]) {
    for way in [Way::Url, Way::Table] {
        let remote = Remote::start();
        for words in before {
            remote.world.run(&format!("{words} {DIRECT}")).exits(0);
        }
        let token = token(&remote, name, permissions, "");
        Worker { remote: &remote, token, way }.works(name, steps);
    }
}

#[test]
fn an_admin_creates_grants_suspends_restores_and_deletes() {
    let steps = [
        Does("role set writer -p documents:read,documents:write"),
        Does("user set ann --roles writer"),
        Does("manifest grant acme -p documents:read --new-user ci --new-role reader"),
        Does("manifest show acme"),
        Does("token set notes-sync --user ann --role writer"),
        Valid(true),
        Does("user suspend ann"),
        Valid(false),
        Does("user restore ann"),
        Valid(true),
        Does("token roles notes-sync --user ann --none"),
        Does("role remove writer documents:write --yes"),
        Does("role add writer documents:list"),
        Does("role show writer"),
        Does("user show ann"),
        Does("token delete notes-sync --user ann --yes"),
        Valid(false),
        Does("user set ann --remove-role writer --yes"),
        Does("user delete ann --yes"),
        Does("role delete writer --yes"),
        Does("user list"),
        Does("role list"),
    ];
    both("chief", "*:*", &[], &steps);
}

#[test]
fn a_helpdesk_sees_to_tokens_and_to_nothing_else() {
    let before =
        ["role set writer -p documents:write", "role set plain -p documents:read", "user set ann --roles writer,plain"];
    let steps = [
        Does("token set phone-app --user ann --role plain"),
        Valid(true),
        Does("token list --user ann"),
        Does("token show phone-app --user ann"),
        Does("token usage phone-app --user ann"),
        Does("token roles phone-app --user ann --none"),
        MayNot("token roles phone-app --user ann --set writer"),
        MayNot("token set strong-app --user ann --role writer"),
        MayNot("role set plain -p documents:write"),
        MayNot("user set ann --suspend"),
        MayNot("user suspend ann"),
        MayNot("role show plain"),
        MayNot("settings show"),
        MayNot("settings set max_tokens 5"),
        MayNot("events --user ann"),
        MayNot("manifest list"),
        MayNot("manifest grant acme -p documents:read"),
        Does("token delete phone-app --user ann --yes"),
        Valid(false),
    ];
    both("desk", "admin:tokens,documents:read", &before, &steps);
}

#[test]
fn an_owner_sees_to_their_own_tokens() {
    let before = ["role set writer -p documents:write", "user set bob --roles writer"];
    let steps = [
        Does("token set phone-app --user ann --description Phone"),
        Valid(true),
        Does("token list --user ann"),
        Does("token show phone-app --user ann"),
        Does("token usage phone-app --user ann"),
        Does("token roles phone-app --user ann --none"),
        Does("token roles phone-app --user ann --set ann-role"),
        MayNot("token list --user bob"),
        MayNot("token set phone-app --user bob"),
        MayNot("role list"),
        Does("token delete phone-app --user ann --yes"),
        Valid(false),
    ];
    both("ann", "tokens:write,documents:read", &before, &steps);
}

/// A job that may ask from its runner's networks only and lives for an hour delivers secrets that live for ninety days.
#[test]
fn a_bound_job_of_an_hour_applies_and_rotates() {
    for way in [Way::Url, Way::Table] {
        let remote = Remote::start();
        let soon = remote.world.now() + jiff::SignedDuration::from_hours(1);
        let more = format!("--expires-at {soon} --allow-ip 127.0.0.0/8");
        let token = token(&remote, "runner", "manifests:acme", &more);
        let worker = Worker { remote: &remote, token, way };
        worker.works("runner", &[Does("plan"), Does("apply"), Does("rotate tokens.toml build-api"), Does("status")]);
        let secret = remote.world.entry(".env", "BUILD_TOKEN");
        let verified = remote.world.pipe(&format!("token verify --format json {DIRECT}"), &secret).exits(0).json();
        assert!(remote.is_valid(&secret) && verified["permissions"] == serde_json::json!(["documents:read"]));
        worker.works("runner", &[MayNot("token list --user ci"), MayNot("role list"), MayNot("user list")]);
        remote.world.clock(2 * HOUR);
        assert!(remote.is_valid(&secret), "what it delivered outlives it");
        worker.works("runner", &[MayNot("apply")]);
        // Nor does it work from anywhere else.
        let made = remote.world.run(&format!("token set elsewhere --user runner --allow-ip 192.0.2.0/24 {DIRECT}"));
        let token = made.exits(0).stdout.trim().to_owned();
        Worker { remote: &remote, token, way }.works("elsewhere", &[MayNot("plan"), MayNot("apply")]);
    }
}

#[test]
fn a_pull_requests_job_plans_and_does_nothing_else() {
    let steps = [
        Does("plan --no-sinks"),
        Does("plan --no-sinks --format json"),
        Does("manifest show acme"),
        MayNot("apply"),
        MayNot("rotate tokens.toml --all"),
        MayNot("rotate tokens.toml --compromised build-api --yes"),
        MayNot("manifest grant acme -p documents:write"),
        MayNot("token list --user ci"),
        MayNot("token set more --user preview"),
        MayNot("user list"),
        MayNot("role list"),
    ];
    both("preview", "manifests-read:acme", &[], &steps);
}

/// Whoever is on call ends a leaked token with the right to run its manifest, which replaces it, or with that to tokens.
#[test]
fn somebody_on_call_ends_a_leaked_token() {
    for way in [Way::Url, Way::Table] {
        let remote = Remote::start();
        remote.run("apply").exits(0);
        let leaked = ["BUILD_TOKEN", "DEPLOY_TOKEN"].map(|name| remote.world.entry(".env", name));
        let token = token(&remote, "oncall", "manifests:acme,admin:tokens", "");
        let worker = Worker { remote: &remote, token, way };
        worker.works("oncall", &[Does("token list --user ci"), Does("token show build-api --user ci")]);
        worker.works("oncall", &[Does("rotate tokens.toml --compromised build-api --yes")]);
        assert!(!remote.is_valid(&leaked[0]), "{way:?}: it ended at once");
        assert!(remote.is_valid(&remote.world.entry(".env", "BUILD_TOKEN")), "{way:?}: consumers have another");
        assert!(remote.is_valid(&leaked[1]));
        worker.works("oncall", &[Does("token delete deploy-api --user ci --yes"), MayNot("user set ci --suspend")]);
        assert!(!remote.is_valid(&leaked[1]), "{way:?}");
    }
}
