//! What is published comes back as it was meant, and what anybody else stored is refused.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use latchkey::name::ManifestName;
use latchkey::place::Place;
use latchkey::token::TokenKey;
use proptest::prelude::*;

use super::*;
use crate::manifest::Manifest;
use crate::manifest::tests::generated::{generated, written};

/// A manifest with a sink of every type that the job reaches, one of each that it does not, and pushes of every form.
const ALL: &str = r#"
manifest = "acme"
[defaults]
user = "ci"
[rotation]
max_restarts = 3
window = "Mon-Fri 09:00-16:00 Europe/Berlin"
[sinks.vault]
type = "aws-secrets-manager"
region = "eu-west-1"
account = "123456789012"
tags = { team = "a", "cost-center" = "7" }
[sinks.anywhere]
type = "aws-secrets-manager"
region = "eu-west-1"
[sinks.web]
type = "vercel"
project = "acme-web"
team = "acme"
login = { secret = "latchkey/logins/acme/vercel" }
deploy_hook = { secret = "latchkey/logins/acme/hook" }
[sinks]
worker = { type = "heroku", app = "acme-worker", login = { secret = "latchkey/logins/acme/heroku" } }
[sinks.box]
type = "azure-key-vault"
vault = "acme"
login = { secret = "latchkey/logins/acme/azure" }
expires = "90d"
[sinks.dev]
type = "dotenv"
path = ".env"
[sinks.desk]
type = "keyring"
service = "acme"
[sinks.mine]
type = "aws-secrets-manager"
region = "eu-west-1"
profile = "mine"
[sinks.shell]
type = "heroku"
app = "acme-shell"
[sinks.hooked]
type = "vercel"
project = "other"
login = { secret = "latchkey/logins/acme/vercel" }
deploy_hook = { env = "VERCEL_DEPLOY_HOOK" }
[sinks.signed-in]
type = "azure-key-vault"
vault = "other"
[tokens.everywhere-api]
push = [
  { sink = "vault", name = "prod/api" },
  { name = "prod/shared", json_key = "api", sink = "anywhere" },
  { sink = "web", name = "API", targets = ["production", "preview"], branches = ["main"] },
  { sink = "web", name = "API", targets = ["development"], sensitive = false, adopt = true },
  { sink = "worker", name = "API", adopt = false },
  { sink = "box", name = "API-Token" },
]
[tokens."by.list"]
name = "listed-api"
user = "robot"
[[tokens."by.list".push]]
sink = "vault"
name = "prod/listed"
[tokens.half-api]
push = [{ sink = "vault", name = "prod/half" }, { sink = "dev", name = "HALF" }]
[tokens.desk-api]
push = [{ sink = "desk", name = "API" }]
[tokens.mine-api]
push = [{ sink = "mine", name = "prod/mine" }]
[tokens.shell-api]
push = [{ sink = "shell", name = "API" }]
[tokens.hooked-api]
push = [{ sink = "hooked", name = "API", targets = ["production"] }]
[tokens.signed-in-api]
push = [{ sink = "signed-in", name = "api" }]
"#;

fn manifest(text: &str) -> Manifest {
    crate::manifest::tests::read(text).unwrap_or_else(|faults| panic!("{}", faults.render(false))).0
}

fn key(user: &str, token: &str) -> TokenKey {
    TokenKey::new(user.parse().unwrap(), token.parse().unwrap())
}

fn acme() -> ManifestName {
    "acme".parse().unwrap()
}

fn rows(publication: &Publication) -> impl Iterator<Item = (&TokenKey, &str)> {
    publication.tokens.iter().map(|(token, push)| (token, push.as_str()))
}

/// What publishing and reading has to give back.
fn comes_back(manifest: &Manifest) {
    let publication = Publication::of(manifest);
    let found =
        read(&manifest.name, &publication.sinks, rows(&publication)).unwrap_or_else(|faults| panic!("{faults:?}"));
    assert_eq!(found.refused, BTreeMap::new());
    let when = |rotation: &crate::manifest::Rotation| (format!("{:?}", rotation.window), rotation.max_restarts);
    assert_eq!(when(&found.rotation), when(&manifest.rotation));
    assert_eq!(publication.tokens.len() + publication.skipped.len(), manifest.tokens.len());
    for token in &manifest.tokens {
        let key = TokenKey::new(token.user.clone(), token.name.clone());
        let reached =
            token.pushes.iter().all(|push| manifest.sinks[&push.sink].settings.facts().unpublishable().is_none());
        assert_eq!(found.pushes.contains_key(&key), reached, "{key}");
        assert_eq!(publication.skipped.iter().any(|skipped| skipped.token == key), !reached, "{key}");
        let Some(pushes) = found.pushes.get(&key) else { continue };
        assert_eq!(pushes.len(), token.pushes.len());
        for (push, meant) in pushes.iter().zip(&token.pushes) {
            let all = |push: &latchkey_sinks::PushDeclaration| {
                let latchkey_sinks::PushDeclaration {
                    sink,
                    name,
                    json_key,
                    environment,
                    branches,
                    sensitive,
                    adopt: _,
                    span: _,
                    name_span: _,
                } = push.clone();
                (sink, name, json_key, environment, branches, sensitive)
            };
            assert_eq!(all(push), all(meant));
            assert!(!push.adopt, "the job takes over nothing");
            assert_eq!(found.sinks[&push.sink].settings, manifest.sinks[&push.sink].settings);
        }
    }
    let used = |name: &String| found.pushes.values().flatten().any(|push| push.sink == *name);
    assert!(found.sinks.keys().all(used), "no more sinks than are used");
}

proptest! {
    #[test]
    fn what_is_published_is_read_back_as_it_was_meant(tokens in proptest::collection::vec(generated(), 1..8)) {
        comes_back(&manifest(&written(&tokens)));
    }

    #[test]
    fn no_stored_text_makes_the_reader_panic_or_gives_it_what_the_job_must_not_have(
        sinks in "(\\[sinks\\.a\\]|type = |\"dotenv\"|\"heroku\"|\"vercel\"|app = \"abc\"|project = \"p\"|path = \".env\"|login = \\{ |env = \"HEROKU_API_KEY\" \\}|secret = \"latchkey/logins/acme/x\" \\}|\n|endpoint = \"http://localhost\"|\\PC){0,20}",
        row in "(push = \\[|\\{ sink = \"a\", name = \"A\" \\}|\\]|,|adopt = true|\n|\\PC){0,12}",
    ) {
        let token = key("ci", "api");
        if let Ok(found) = read(&acme(), &sinks, [(&token, row.as_str())]) {
            prop_assert!(found.sinks.values().all(|sink| sink.settings.facts().unpublishable().is_none()));
            prop_assert!(found.pushes.values().flatten().all(|push| found.sinks.contains_key(&push.sink) && !push.adopt));
        }
    }
}

#[test]
fn every_type_and_every_form_of_a_push_comes_back() {
    let manifest = manifest(ALL);
    comes_back(&manifest);
    let publication = Publication::of(&manifest);
    let tokens: Vec<String> = publication.tokens.keys().map(ToString::to_string).collect();
    assert_eq!(tokens, ["ci/everywhere-api", "robot/listed-api"]);
    for text in publication.tokens.values().chain([&publication.sinks]) {
        assert!(!text.contains("adopt") && !text.contains(".env") && !text.contains("desk"), "{text}");
    }
}

#[test]
fn the_samples_come_back() {
    for text in [include_str!("../../../samples/tokens.toml"), include_str!("../../../samples/aws.toml")] {
        comes_back(&manifest(text));
    }
}

#[test]
fn a_token_that_the_job_skips_is_named_with_the_reason() {
    let publication = Publication::of(&manifest(ALL));
    let told: Vec<String> =
        publication.skipped.iter().map(|skipped| format!("{}: {}", skipped.token, skipped.reason)).collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    ci/half-api: the job cannot reach the sink `dev`: it is a file of one machine
    ci/desk-api: the job cannot reach the sink `desk`: it is the keyring of one machine
    ci/mine-api: the job cannot reach the sink `mine`: its `profile` is `mine`, and the job has no profiles
    ci/shell-api: the job cannot reach the sink `shell`: its `login` is the environment variable `HEROKU_API_KEY`, not a `secret` in Secrets Manager
    ci/hooked-api: the job cannot reach the sink `hooked`: its `deploy_hook` is the environment variable `VERCEL_DEPLOY_HOOK`, not a `secret` in Secrets Manager
    ci/signed-in-api: the job cannot reach the sink `signed-in`: it has no `login`: the job has no identity at Azure of its own
    ");
}

#[test]
fn what_changes_nothing_but_the_order_of_the_file_is_no_change() {
    let one = manifest(ALL);
    let other = ALL.replace(
        "region = \"eu-west-1\"\naccount = \"123456789012\"",
        "account = \"123456789012\"\nregion = \"eu-west-1\" # here",
    );
    let other = other.replace("{ sink = \"vault\", name = \"prod/api\" }", "{ name = \"prod/api\", sink = \"vault\" }");
    assert_eq!(Publication::of(&one), Publication::of(&manifest(&other)));
}

#[test]
fn pushes_that_are_too_long_for_a_row_are_skipped() {
    let mut text =
        "manifest = \"acme\"\n[sinks.vault]\ntype = \"aws-secrets-manager\"\nregion = \"eu-west-1\"\n".to_owned();
    for (token, count) in [("long-api", 20), ("short-api", 2)] {
        let push =
            (0..count).map(|number| format!("{{ sink = \"vault\", name = \"{token}/{number}{}\" }}", "n".repeat(480)));
        let push: Vec<String> = push.collect();
        write!(text, "[tokens.{token}]\nuser = \"ci\"\npush = [{}]\n", push.join(",")).unwrap();
    }
    let publication = Publication::of(&manifest(&text));
    assert_eq!(publication.tokens.keys().collect::<Vec<_>>(), [&key("ci", "short-api")]);
    assert_eq!(publication.skipped[0].token, key("ci", "long-api"));
}

const SINKS: &str =
    "[sinks.worker]\ntype = \"heroku\"\napp = \"acme\"\nlogin = { secret = \"latchkey/logins/acme/heroku\" }\n";
const ROW: &str = "push = [{ sink = \"worker\", name = \"API\" }]";

#[test]
fn hostile_sinks_are_refused_as_a_whole() {
    let token = key("ci", "api");
    assert!(read(&acme(), SINKS, [(&token, ROW)]).is_ok());
    for (what, sinks) in [
        ("a file", "[sinks.dev]\ntype = \"dotenv\"\npath = \".env\"".to_owned()),
        ("a keyring", "[sinks.desk]\ntype = \"keyring\"\nservice = \"acme\"".to_owned()),
        ("no login", SINKS.replace("login = { secret = \"latchkey/logins/acme/heroku\" }", "")),
        ("a variable", SINKS.replace("secret = \"latchkey/logins/acme/heroku\"", "env = \"HEROKU_API_KEY\"")),
        ("any variable", SINKS.replace("secret = \"latchkey/logins/acme/heroku\"", "env = \"AWS_SECRET_ACCESS_KEY\"")),
        ("a command", SINKS.replace("secret = \"latchkey/logins/acme/heroku\"", "command = [\"id\"]")),
        ("a login's file", SINKS.replace("secret = \"latchkey/logins/acme/heroku\"", "file = \"login\"")),
        ("another manifest's login", SINKS.replace("logins/acme/", "logins/other/")),
        ("any secret", SINKS.replace("latchkey/logins/acme/heroku", "prod/database")),
        ("an endpoint", format!("{SINKS}endpoint = \"https://evil.example\"\n")),
        ("an endpoint on this machine", format!("{SINKS}endpoint = \"http://127.0.0.1:1\"\n")),
        (
            "an endpoint of AWS",
            "[sinks.v]\ntype = \"aws-secrets-manager\"\nendpoint = \"https://secretsmanager.eu-west-1.amazonaws.com\""
                .to_owned(),
        ),
        ("a profile", "[sinks.v]\ntype = \"aws-secrets-manager\"\nprofile = \"p\"".to_owned()),
        ("an unknown type", "[sinks.v]\ntype = \"shelf\"".to_owned()),
        ("an unknown field", format!("{SINKS}more = 1\n")),
        ("another table", format!("{SINKS}[tokens.api]\nuser = \"ci\"\n")),
        ("a window that never opens", format!("{SINKS}[rotation]\nwindow = \"never\"\n")),
        ("no restarts", format!("{SINKS}[rotation]\nmax_restarts = 0\n")),
        ("a service", format!("{SINKS}[service]\nurl = \"https://evil.example\"\n")),
        ("one app twice", format!("{SINKS}{}", SINKS.replace("worker", "again"))),
        ("no TOML", "sinks =".to_owned()),
    ] {
        let refused = read(&acme(), &sinks, [(&token, ROW)]);
        assert!(refused.is_err_and(|faults| !faults.is_empty()), "{what} was read");
    }
    // Whose logins they are is told by the manifest's name, not by the text.
    assert!(read(&"other".parse().unwrap(), SINKS, []).is_err());
}

#[test]
fn a_hostile_row_is_refused_alone() {
    let (token, good) = (key("ci", "api"), key("ci", "good"));
    for (what, row) in [
        ("adopt", "push = [{ sink = \"worker\", name = \"API\", adopt = true }]"),
        ("no such sink", "push = [{ sink = \"dev\", name = \"API\" }]"),
        (
            "a sink of its own",
            "push = [{ sink = \"worker\", name = \"API\" }]\n[sinks.dev]\ntype = \"dotenv\"\npath = \".env\"",
        ),
        ("more than pushes", "push = [{ sink = \"worker\", name = \"API\" }]\nuser = \"root\""),
        ("no push", ""),
        ("an empty list", "push = []"),
        ("one entry twice", "push = [{ sink = \"worker\", name = \"API\" }, { sink = \"worker\", name = \"API\" }]"),
        ("a bad name", "push = [{ sink = \"worker\", name = \"a-b\" }]"),
        ("a field of another type", "push = [{ sink = \"worker\", name = \"API\", json_key = \"k\" }]"),
        ("no TOML", "push = ["),
    ] {
        let found =
            read(&acme(), SINKS, [(&token, row), (&good, ROW)]).unwrap_or_else(|faults| panic!("{what}: {faults:?}"));
        assert!(found.refused.contains_key(&token) && !found.pushes.contains_key(&token), "{what} was read");
        assert_eq!(found.pushes[&good].len(), 1, "{what}");
    }
}

/// Nothing but where the credentials are: no manifest has one, and no fault shows one.
#[test]
fn a_secret_that_somebody_stored_is_refused_and_not_shown() {
    use latchkey::entropy::SystemEntropy;
    use latchkey::secret::{Prefix, Secret, TokenId};
    let secret = Secret::mint(&Prefix::default(), &TokenId::mint(&SystemEntropy).unwrap(), &SystemEntropy).unwrap();
    let sinks = SINKS.replace("{ secret = \"latchkey/logins/acme/heroku\" }", &format!("\"{}\"", secret.expose()));
    let faults = read(&acme(), &sinks, []).unwrap_err();
    assert!(!format!("{faults:?}").contains(secret.expose()));
}

#[test]
fn entries_are_told_by_the_settings_and_else_by_what_was_delivered() {
    let manifest = manifest(ALL);
    let publication = Publication::of(&manifest);
    let found = landings(&manifest, &publication, &[]);
    let everywhere = &found[0];
    assert_eq!((everywhere.unknown.as_slice(), everywhere.applied), (["anywhere".to_owned()].as_slice(), false));
    let entries: Vec<String> = everywhere.places.iter().map(Place::entry).collect();
    insta::assert_snapshot!(entries.join("\n"), @r"
    aws-secrets-manager:account=123456789012,region=eu-west-1,name=prod/api
    vercel:team=acme,project=acme-web,name=API,target=production
    vercel:team=acme,project=acme-web,name=API,target=preview
    vercel:team=acme,project=acme-web,name=API,target=development
    heroku:app=acme-worker,name=API
    azure-key-vault:vault=acme.vault.azure.net,name=api-token
    ");
    // The service knows the account once it is applied.
    let parts = [("account", "210987654321"), ("region", "eu-west-1"), ("name", "prod/shared"), ("json_key", "api")];
    let place = Place::new("aws-secrets-manager", &parts, true);
    let mut record = latchkey::token::Token::new(
        "0123456789abcdef".parse().unwrap(),
        everywhere.token.clone(),
        "x",
        jiff::Timestamp::UNIX_EPOCH,
    );
    record.places = serde_json::from_value(serde_json::json!({
        place.id().as_str(): { "place": place, "declared": true }
    }))
    .unwrap();
    let found = landings(&manifest, &publication, &[record]);
    assert!(found[0].applied && found[0].unknown.is_empty() && found[0].places.contains(&place));
}

#[test]
fn each_type_says_what_the_job_cannot_reach() {
    let manifest = manifest(ALL);
    for (name, sink) in &manifest.sinks {
        let reached = ["vault", "anywhere", "web", "worker", "box"].contains(&name.as_str());
        assert_eq!(sink.settings.facts().unpublishable().is_none(), reached, "{name}");
    }
    let kinds: std::collections::BTreeSet<_> = manifest.sinks.values().map(|sink| sink.settings.kind()).collect();
    assert_eq!(kinds, latchkey_sinks::Kind::ALL.into(), "of each type");
}
