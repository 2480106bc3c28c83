//! Connections that break, servers that are busy: nothing is done twice, nothing is lost, and what is not known is said.

use tests::provision::{Ran, secrets_in};
use tests::remote::{Proxy, Trouble};

use super::{Remote, TWO, head};

/// A world whose server is reached through a proxy.
struct Shaky {
    remote: Remote,
    proxy: Proxy,
}

impl Shaky {
    fn start() -> Self {
        Self::before(Remote::start())
    }

    fn before(mut remote: Remote) -> Self {
        let proxy = Proxy::before(&remote.url);
        remote.world.edit(&remote.url, &proxy.url());
        remote.url = proxy.url();
        Self { remote, proxy }
    }

    fn run(&self, words: &str) -> Ran {
        self.remote.run(words)
    }
}

#[test]
fn an_apply_goes_through_whatever_request_or_answer_is_lost() {
    let steps = [
        ("GET", "/v1/me"),
        ("GET", "/tokens"),
        ("POST", "/lookup"),
        ("PUT", "/lease"),
        ("PUT", "/v1/manifests/acme"),
        ("PUT", "/v1/roles/reader"),
        ("PUT", "/v1/users/ci"),
        ("POST", "/v1/users/ci/tokens"),
        ("PUT", ""),
        ("POST", "/promote"),
        ("DELETE", "/lease"),
    ];
    let shaky = Shaky::start();
    for trouble in [Trouble::RequestLost, Trouble::AnswerLost] {
        for (method, ending) in steps {
            shaky.proxy.trouble(method, ending, trouble, 1);
        }
    }
    shaky.run("apply").exits(0);
    assert!(!shaky.proxy.is_waiting(), "every trouble was met");
    for name in ["BUILD_TOKEN", "DEPLOY_TOKEN"] {
        assert!(shaky.remote.is_valid(&shaky.remote.world.entry(".env", name)));
    }
    shaky.run("plan --detailed-exitcode").exits(0);
    let list = shaky.remote.admin("token list --user ci --format json").exits(0).json();
    assert_eq!(list["active"].as_array().unwrap().len(), 2, "nothing was made twice");
    for token in list["active"].as_array().unwrap() {
        assert_eq!(token["versions"].as_array().unwrap().len(), 1, "and nothing is left over");
    }
}

#[test]
fn a_rotation_goes_through_whatever_is_lost() {
    let shaky = Shaky::start();
    shaky.run("apply").exits(0);
    let first = shaky.remote.world.entry(".env", "BUILD_TOKEN");
    for trouble in [Trouble::RequestLost, Trouble::AnswerLost, Trouble::Refused(502, None)] {
        shaky.proxy.trouble("POST", "/versions", trouble, 1);
        shaky.proxy.trouble("POST", "/promote", trouble, 1);
    }
    shaky.run("rotate tokens.toml build-api").exits(0);
    let second = shaky.remote.world.entry(".env", "BUILD_TOKEN");
    assert!(first != second && shaky.remote.is_valid(&first) && shaky.remote.is_valid(&second));
    shaky.remote.world.clock(26 * tests::provision::HOUR);
    shaky.proxy.trouble("DELETE", "/versions/1", Trouble::AnswerLost, 1);
    shaky.run("apply").exits(0);
    assert!(!shaky.remote.is_valid(&first) && shaky.remote.is_valid(&second));
    shaky.run("plan --detailed-exitcode").exits(0);
}

/// Two tokens, one of them at two places.
fn at_two_places() -> Shaky {
    let both = TWO.replace(
        "push = [{ sink = \"dev\", name = \"BUILD_TOKEN\" }]",
        "push = [{ sink = \"dev\", name = \"BUILD_TOKEN\" }, { sink = \"other\", name = \"BUILD_TOKEN\" }]",
    );
    let other = "[sinks.other]\ntype = \"dotenv\"\npath = \"other.env\"\n";
    Shaky::before(Remote::with(&format!("{}{other}{both}", head("url = \"URL\""))))
}

/// How often each step of a version was asked for.
fn steps(shaky: &Shaky) -> [usize; 3] {
    let sent = shaky.proxy.sent();
    ["/announcements", "/deliveries/", "/promote"]
        .map(|part| sent.iter().filter(|sent| sent.method != "GET" && sent.target.contains(part)).count())
}

#[test]
fn pushes_of_a_token_are_announced_at_once_and_reported_with_its_promotion() {
    let shaky = at_two_places();
    shaky.run("apply").exits(0);
    assert_eq!(steps(&shaky), [1, 1, 2], "one push of the other token is announced by itself");
    let events = shaky.remote.admin("token show build-api --user ci --format json").exits(0).json();
    let told = |action: &str| {
        let all = events["events"].as_array().unwrap().iter().filter(|event| event["action"] == action);
        all.map(|event| event["detail"].as_str().unwrap().matches(", ").count() + 1).collect::<Vec<_>>()
    };
    assert_eq!((told("version.announce"), told("version.promote")), (vec![2], vec![2]), "the audit names both places");
    for (file, name) in [(".env", "BUILD_TOKEN"), ("other.env", "BUILD_TOKEN"), (".env", "DEPLOY_TOKEN")] {
        assert!(shaky.remote.is_valid(&shaky.remote.world.entry(file, name)));
    }
    shaky.run("plan --detailed-exitcode").exits(0);
}

#[test]
fn a_server_that_knows_no_steps_in_one_gets_them_one_by_one() {
    let shaky = at_two_places();
    shaky.proxy.trouble("POST", "/announcements", Trouble::Unknown, 1);
    shaky.proxy.trouble("POST", "/promote", Trouble::Unknown, 2);
    shaky.run("apply").exits(0);
    assert_eq!(steps(&shaky), [1, 6, 4]);
    shaky.run("plan --detailed-exitcode").exits(0);
    assert_eq!(shaky.remote.world.entry(".env", "BUILD_TOKEN"), shaky.remote.world.entry("other.env", "BUILD_TOKEN"));
    assert!(shaky.remote.is_valid(&shaky.remote.world.entry(".env", "BUILD_TOKEN")));
}

#[test]
fn what_an_earlier_run_wrote_and_could_not_report_is_reported_to_such_a_server_too() {
    let shaky = at_two_places();
    shaky.proxy.trouble("POST", "/promote", Trouble::Refused(503, Some(600)), 2);
    let broken = shaky.run("apply").exits(3);
    assert!(
        broken.stderr.contains("the places that were reached have the version, which may not be current yet"),
        "{}",
        broken.stderr
    );
    let secret = shaky.remote.world.entry("other.env", "BUILD_TOKEN");
    let _ = shaky.proxy.sent();
    shaky.proxy.trouble("POST", "/promote", Trouble::Unknown, 2);
    shaky.run("apply").exits(0);
    assert_eq!(steps(&shaky), [0, 3, 4], "each place is reported by itself");
    assert_eq!(shaky.remote.world.entry("other.env", "BUILD_TOKEN"), secret, "nothing was written again");
    shaky.run("plan --detailed-exitcode").exits(0);
}

#[test]
fn a_token_made_by_hand_whose_answer_is_lost_is_said_to_be_there_and_not_made_again() {
    let shaky = Shaky::start();
    shaky.proxy.trouble("POST", "/tokens", Trouble::AnswerLost, 1);
    let lost = shaky.remote.admin("token set notes-sync").exits(1);
    assert!(lost.stderr.contains("was created, but its secret was lost on the way"), "{}", lost.stderr);
    assert!(lost.stderr.contains("provision token delete notes-sync --user root --yes"), "{}", lost.stderr);
    assert!(secrets_in(&lost.stdout).is_empty());
    shaky.remote.admin("token delete notes-sync --user root --yes").exits(0);
    // One that never arrived is simply made.
    shaky.proxy.trouble("POST", "/tokens", Trouble::RequestLost, 1);
    let made = shaky.remote.admin("token set notes-sync").exits(0);
    assert!(shaky.remote.is_valid(made.stdout.trim()));
}

#[test]
fn a_delete_whose_answer_is_lost_is_done() {
    let shaky = Shaky::start();
    shaky.remote.admin("token set notes-sync").exits(0);
    shaky.proxy.trouble("DELETE", "/notes-sync", Trouble::AnswerLost, 1);
    shaky.remote.admin("token delete notes-sync --yes").exits(0);
    shaky.remote.admin("token show notes-sync").exits(1);
    shaky.remote.admin("role set reader -p documents:read").exits(0);
    shaky.proxy.trouble("DELETE", "/roles/reader", Trouble::AnswerLost, 1);
    shaky.remote.admin("role delete reader --yes").exits(0);
}

#[test]
fn retry_after_is_kept_and_a_long_one_is_told() {
    let shaky = Shaky::start();
    shaky.proxy.trouble("GET", "/v1/me", Trouble::Refused(429, Some(2)), 1);
    let begun = std::time::Instant::now();
    shaky.remote.admin("role list").exits(0);
    assert!(begun.elapsed() >= std::time::Duration::from_secs(2), "it came back too early");
    shaky.proxy.trouble("GET", "/v1/me", Trouble::Refused(503, Some(600)), 1);
    let begun = std::time::Instant::now();
    let later = shaky.remote.admin("role list").exits(1);
    assert!(begun.elapsed() < std::time::Duration::from_secs(10));
    assert!(later.stderr.contains("it asks to retry in 600 s"), "{}", later.stderr);
}

#[test]
fn a_server_that_stays_away_is_told_after_some_tries_and_changes_nothing() {
    let shaky = Shaky::start();
    shaky.run("apply").exits(0);
    let before = shaky.remote.world.read(".env");
    shaky.proxy.trouble("POST", "/versions", Trouble::RequestLost, 99);
    let failed = shaky.run("rotate tokens.toml build-api").exits(3);
    assert!(failed.stderr.contains("did not answer"), "{}", failed.stderr);
    assert_eq!(shaky.remote.world.read(".env"), before);
    let tried = shaky.proxy.sent().iter().filter(|sent| sent.target.ends_with("/versions")).count();
    assert_eq!(tried, 5);
}
