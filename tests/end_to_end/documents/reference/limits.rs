//! `limits.md`: bounds by topic, each read from the constant that holds it.

use std::fmt::Write as _;

use latchkey::lifetime::Seconds;
use latchkey::place::Place;
use latchkey::policy::Policy;
use tests::engine::Engine;
use tests::world::{World, managed_token};

use super::constants::{count, size, span, time};
use super::{hold, table};

const BOUNDS: &str = "functions/src/bounds.rs";
const LIFETIME: &str = "functions/src/lifetime.rs";
const CHANGE: &str = "functions/src/policy/change.rs";
const PROTOCOL: &str = "functions/src/protocol.rs";
const NOTICE: &str = "functions/src/notice.rs";
const PUBLICATION: &str = "functions/src/service/publication.rs";
const PRUNE: &str = "provisioner/src/plan/prune.rs";
const SERVER: &str = "provisioner/src/server/limits.rs";
const SINKS: &str = "provisioner/sinks/src";

type Topic = (&'static str, Vec<(&'static str, String)>);

fn tokens() -> Topic {
    let policy = Policy::default();
    let rows = vec![
        (
            "active tokens of a user",
            format!(
                "{}; `max_tokens` of the user or of the settings, at most {}",
                policy.max_tokens,
                count(CHANGE, "MAX_TOKENS_MAX")
            ),
        ),
        ("name of a token", format!("{} characters; `name_max` of the settings", count(CHANGE, "NAME_MAX"))),
        ("description of a token", size(BOUNDS, "DESCRIPTION_MAX")),
        (
            "labels of a token together",
            format!(
                "{}, each label {} more than its name and value",
                size(BOUNDS, "LABELS_MAX"),
                size(BOUNDS, "LABEL_EXTRA")
            ),
        ),
        ("roles of a token or of a user", count(BOUNDS, "ROLES_MAX")),
        ("permissions of a role", count(BOUNDS, "PERMISSIONS_MAX")),
        ("allowed networks of a token", count(BOUNDS, "ALLOWED_IPS_MAX")),
        ("user, name, roles and allowed networks of a token together", size(BOUNDS, "VERIFICATION_MAX")),
        ("address of a user", size(BOUNDS, "EMAIL_MAX")),
        ("addresses that a token is known to be used from", count(BOUNDS, "ADDRESSES_MAX")),
        ("older prefixes that are accepted", count(CHANGE, "OLDER_PREFIXES_MAX")),
    ];
    ("Tokens, users and roles", rows)
}

fn durations() -> Topic {
    let rows = vec![
        (
            "validity of a token created by hand, default",
            format!("{}; `expiry_default` of the settings", time(LIFETIME, "EXPIRY_DEFAULT")),
        ),
        ("validity of a token, longest", format!("{}; `expiry_max` of the settings", time(LIFETIME, "EXPIRY_MAX"))),
        ("validity that settings may name, shortest", time(CHANGE, "LIFE_MIN")),
        ("any duration, longest", span(Seconds(longest()))),
        ("`overlap` of a token with a push, shortest", time(LIFETIME, "OVERLAP_MIN")),
        ("`--every`, shortest", time("provisioner/src/commands/schedule.rs", "EVERY_MIN")),
        (
            "refused attempts that are recorded",
            format!("{} an hour, for each caller and process", count("functions/src/service/audit.rs", "REFUSALS_MAX")),
        ),
        ("audit events are kept", time("functions/src/service/audit.rs", "EVENTS_KEPT")),
        ("a server uses changed settings after at most", time("functions/src/service/settings.rs", "SETTINGS_AGE")),
        ("a check uses a changed role after at most", time("functions/src/service/permissions.rs", "FRESH")),
        ("how far an embedded table's clock may be behind", time("functions/src/clock/seen.rs", "BEHIND_MAX")),
    ];
    ("Durations", rows)
}

/// The longest duration that is read.
fn longest() -> u64 {
    let days = (1..10_000).take_while(|days| format!("{days}d").parse::<Seconds>().is_ok()).last();
    days.unwrap() * 86_400
}

fn versions(live: usize) -> Topic {
    let rows = vec![
        ("places of a token", count(BOUNDS, "PLACES_MAX")),
        (
            "versions of a token that are valid at once",
            format!("{live}; one more for each place beyond 2 that cannot be read back"),
        ),
        (
            "the same while a place has to be repaired",
            format!(
                "{} more; where that is full, one more {} after the last, up to {} in all",
                count(PROTOCOL, "REPAIR_ROOM"),
                time(PROTOCOL, "REPAIR_PAUSE"),
                latchkey::protocol::VERSIONS_MAX
            ),
        ),
        ("a staged version that nobody announced is valid", time(PROTOCOL, "STAGED_LIFE")),
        ("a write starts after its announcement within", time(PROTOCOL, "WRITE_BEFORE")),
        ("an announced version may be retired after", time(PROTOCOL, "QUIET")),
        ("a look that a retirement is based on is at most", time(PROTOCOL, "LOOK_MAX")),
        (
            "an older version is unused for at least",
            format!(
                "{}, with {} added, as a use is noted late",
                time(PROTOCOL, "UNUSED_MIN"),
                time(PROTOCOL, "USE_LAG")
            ),
        ),
    ];
    ("Places and versions", rows)
}

/// How many versions of a token may be valid of whose places so many cannot be read.
async fn live(unreadable: usize) -> usize {
    let world = World::on(Engine::Sqlite).await;
    world.user("ci", &[]).await;
    let place = |number| Place::new("vercel", &[("name", &format!("TOKEN_{number}"))], false);
    let places: Vec<Place> = (0..unreadable).map(place).collect();
    world.create(managed_token("ci", "deploy", &places)).await.token.versions_max()
}

fn manifests() -> Topic {
    let rows = vec![
        ("a manifest's file", size("provisioner/src/manifest/plain_file.rs", "SIZE_MAX")),
        ("labels that a manifest gives a token", count("provisioner/src/manifest/tokens.rs", "LABELS_DECLARED")),
        ("pushes to one entry", count("provisioner/src/manifest/places.rs", "LANDINGS_MAX")),
        (
            "permissions, roles, users and entries in a grant, each",
            count("functions/src/service/grant.rs", "GRANT_MAX"),
        ),
        (
            "users and roles that a manifest may create with a token, each",
            format!("{}; `--max-users`, `--max-roles`", count("functions/src/service/created.rs", "NEW_MAX")),
        ),
        ("an entry pattern in a grant", size("functions/src/entry.rs", "ENTRY_PATTERN_MAX")),
        ("sinks of a publication", size(PUBLICATION, "PUBLISHED_SINKS_MAX")),
        ("pushes of one token in a publication", size(PUBLICATION, "PUBLISHED_PUSH_MAX")),
    ];
    ("Manifests", rows)
}

fn runs() -> Topic {
    let rows = vec![
        (
            "tokens that one run deletes",
            format!("a third, at most {}, at least 1; `--allow-deletes`", third(&count(PRUNE, "DELETES"))),
        ),
        (
            "tokens used within this time are not pruned",
            format!("{}; `--prune-used-within`", time(PRUNE, "USED_LATELY")),
        ),
        (
            "rotations in one run that are neither due nor named",
            format!("{}, or a third if that is more; `--allow-rotations`", third(&count(PRUNE, "ROTATIONS"))),
        ),
        ("a lease by URL or on AWS, unless it is renewed", time("functions/src/service/lease.rs", "LEASE")),
        (
            "places that a turn of the job looks at although nothing is due",
            count("provisioner/src/job/mod.rs", "DRIFT_PLACES"),
        ),
        (
            "pause after a failed rotation",
            format!(
                "{}, doubled each time up to {}",
                time("functions/src/token/retry.rs", "PAUSE"),
                time("functions/src/token/retry.rs", "PAUSE_MAX")
            ),
        ),
        (
            "users whose events `provision events` shows together",
            count("provisioner/src/commands/events.rs", "USERS_MAX"),
        ),
        ("a saved plan", size("provisioner/src/commands/saved.rs", "SIZE_MAX")),
    ];
    ("Runs", rows)
}

/// The bound, as long as the share beside it is a third.
fn third(bound: &str) -> String {
    assert_eq!(count(PRUNE, "SHARE"), "3", "the share is no third any more");
    bound.to_owned()
}

fn entries() -> Topic {
    let at = |file: &str| format!("{SINKS}/{file}");
    let rows = vec![
        ("a `.env` file", size(&at("dotenv/file.rs"), "FILE_MAX")),
        ("earlier releases that are looked at behind a link", count(&at("dotenv/former.rs"), "MOST")),
        ("value of a secret in Secrets Manager", size(&at("aws_secrets_manager/calls.rs"), "VALUE_MAX")),
        (
            "days in which a pruned secret in Secrets Manager can be restored",
            count(&at("aws_secrets_manager/calls.rs"), "RECOVERY_DAYS"),
        ),
        ("tags of a sink in Secrets Manager", count(&at("aws_secrets_manager/settings.rs"), "TAGS_MAX")),
        ("branches of a push to Vercel", count(&at("vercel/environments.rs"), "BRANCHES_MAX")),
        ("config vars of a Heroku app together", size(&at("heroku/mod.rs"), "SIZE_MAX")),
        ("a release of a Heroku app is waited for", time(&at("heroku/release.rs"), "WAIT")),
        ("value of a secret in Key Vault", size(&at("azure_key_vault/mod.rs"), "VALUE_MAX")),
        ("value in a keyring", size(&at("keyring/mod.rs"), "VALUE_MAX")),
        ("output of a command that prints credentials", size(&at("login/keeper.rs"), "LONGEST")),
        ("time for such a command", time(&at("login/keeper.rs"), "COMMAND_WITHIN")),
    ];
    ("Destinations", rows)
}

fn http() -> Topic {
    let rows = vec![
        ("headers of a request", size("functions/src/api/mod.rs", "HEADERS_MAX")),
        ("body of a request", size("functions/src/api/body.rs", "BODY_MAX")),
        ("body of an introspection", size("functions/src/api/body.rs", "PRESENTED_BODY_MAX")),
        ("entries of a list in a request", count("functions/src/api/reading.rs", "LIST_MAX")),
        (
            "`provision serve`: connections",
            format!("{}, and half of what the limit of open files leaves", count(SERVER, "CONNECTIONS_MAX")),
        ),
        ("`provision serve`: time for the headers, and idle time", time(SERVER, "HEAD_WITHIN")),
        ("`provision serve`: time for the body", time(SERVER, "BODY_WITHIN")),
        ("`provision serve`: time to receive the reply", time(SERVER, "ANSWER_WITHIN")),
        ("`--pace N`: requests at once", format!("{} times N", count("provisioner/src/server/pace.rs", "BURST"))),
        ("usage that one reply spans", format!("{} days", count("functions/src/api/history.rs", "SPAN_MAX"))),
    ];
    ("HTTP", rows)
}

fn notices() -> Topic {
    let marks: Vec<String> = latchkey::notice::MARKS.iter().map(ToString::to_string).collect();
    let rows = vec![
        ("days before an expiry at which it is told", marks.join(", ")),
        (
            "a notice is sent again for",
            format!("{}, and at least {} times", time(NOTICE, "TRIED_FOR"), count(NOTICE, "TRIES_LEAST")),
        ),
        (
            "pause between two tries",
            format!("{}, doubled each time up to {}", time(NOTICE, "PAUSE"), time(NOTICE, "PAUSE_MAX")),
        ),
        ("time for the receiver's reply", time("provisioner/src/notify/sender.rs", "ANSWER_WITHIN")),
        ("receivers in the settings", count(BOUNDS, "RECEIVERS_MAX")),
        ("settings of one receiver", size(BOUNDS, "RECEIVER_MAX")),
        ("signing secret of a webhook, shortest", size("provisioner/src/notify/webhook.rs", "SECRET_MIN")),
        ("addresses of a mail", count("provisioner/src/notify/email.rs", "TO_MAX")),
        ("`link` of a receiver", size("provisioner/src/notify/link.rs", "LONGEST")),
    ];
    ("Notices", rows)
}

#[tokio::test]
async fn limits_are_those_of_the_code() {
    let few = live(0).await;
    assert_eq!([few, live(2).await, live(3).await], [few, few, few + 1], "what is said of versions");
    let mut text = String::new();
    for (head, rows) in [tokens(), versions(few), durations(), manifests(), runs(), entries(), http(), notices()] {
        let rows = rows.into_iter().map(|(what, most)| [what.to_owned(), most]);
        let _ = write!(text, "## {head}\n\n{}\n", table(["what", "limit"], rows));
    }
    hold("limits.md", &[("limits", text)]);
}
