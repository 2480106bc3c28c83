//! Names are hostile, and everything that is written is read again by what `check` asks.

use std::collections::BTreeSet;
use std::path::Path;

use latchkey::name::TokenName;
use latchkey_sinks::ListedEntry;
use latchkey_sinks::reading::Allowances;
use latchkey_sinks::vercel::Environment;
use proptest::prelude::*;

use super::naming::Taken;
use super::*;
use crate::manifest::{Manifest, parse};

fn about() -> About {
    About {
        name: "acme".parse().unwrap(),
        service: "embedded = \"latchkey.db\"".to_owned(),
        user: "app".parse().unwrap(),
        file: "tokens.toml".to_owned(),
    }
}

fn sources(texts: &[&str]) -> Vec<Source> {
    let mut sources: Vec<Source> = texts.iter().map(|text| text.parse().unwrap()).collect();
    name_apart(&mut sources);
    sources
}

fn read(text: &str) -> Result<Manifest, String> {
    let read = parse(Path::new("tokens.toml"), Path::new("/folder"), text, &Allowances::default());
    read.map(|(manifest, _)| manifest).map_err(|faults| format!("{}\n{text}", faults.render(false)))
}

fn found(sink: &str, name: &str) -> Found {
    Found { sink: sink.to_owned(), entry: ListedEntry::plain(name) }
}

/// As the command drafts.
fn drafted(sources: &[Source], found: &[Found]) -> Draft {
    let about = about();
    draft(&about.name, found, |found| read(&probe(&about, sources, Some(found))).err().map(|_| "refused".to_owned()))
}

#[test]
fn names_of_tokens_say_what_the_entries_say() {
    let mut taken = Taken::none("acme");
    let named = [
        ("PRODUCTION_API_TOKEN", "production-api"),
        ("PRODUCTION_API_KEY", "production-api-key"),
        ("production-api-token", "production-api-token"),
        ("Production.Api.Token", "acme-production-api"),
        ("PRODUCTION-API-TOKEN", "acme-production-api-token"),
        ("production_api_token", "production-api-2"),
        ("prod/report-service/documentsToken", "prod-report-service-documents"),
        ("TOKEN", "acme-token"),
        ("API_TOKEN", "acme-api"),
        ("API_KEY", "acme-api-key"),
        ("API_TOKEN_STAGING", "api-token-staging"),
        ("\u{1b}]0;", "acme-0"),
        ("\u{202e}", "entry"),
    ];
    for (entry, name) in named {
        assert_eq!(taken.name(entry), name, "{entry}");
    }
}

#[test]
fn only_what_may_be_a_token_of_ones_own_is_declared_and_everything_else_has_its_reason() {
    let names = "PRODUCTION_API_TOKEN documents_api_key prod/api-token API_PAT TOKEN API_TOKEN_PROD INTERNAL_API_SECRET apiToken \
                 BILLING_ACCESS_KEY TOKEN_2 DATABASE_URL PORT STRIPE_SECRET_KEY AWS_ACCESS_KEY_ID NODE_ENV SECRET_KEY_BASE \
                 JWT_SECRET NEXT_PUBLIC_API_KEY SESSION_SECRET TOKEN_URL TOKEN_TTL GITHUB_TOKEN CSRF_TOKEN DB_PASSWORD APP_KEY \
                 OAUTH_CLIENT_SECRET ENCRYPTION_KEY CACHE_KEY API_KEY_ID MY_OPENAI_API_KEY API_SIGNING_SECRET 7";
    let told: Vec<String> = names
        .split_ascii_whitespace()
        .map(|name| match judge(name) {
            Verdict::Token => format!("{name}: TOKEN"),
            Verdict::Other(why) => format!("{name}: {why}"),
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn one_name_in_several_places_is_one_token_and_two_names_in_one_place_are_two() {
    let sources = sources(&[".env", "heroku:acme-web", "azure:acme"]);
    let found = [
        found("env", "API_TOKEN"),
        found("env", "api_token"),
        found("acme-web", "API_TOKEN"),
        found("acme-web", "API_KEY"),
        found("acme", "api-token"),
    ];
    let draft = drafted(&sources, &found);
    let told: Vec<_> = draft
        .tokens
        .iter()
        .map(|token| (token.name.as_str(), token.pushes.iter().map(|push| push.sink.as_str()).collect::<Vec<_>>()))
        .collect();
    assert_eq!(
        told,
        [
            ("acme-api", vec!["acme-web"]),
            ("acme-api-token", vec!["env", "acme-web", "acme"]),
            ("acme-api-2", vec!["env"])
        ]
    );
}

#[test]
fn sources_are_read_as_they_are_named() {
    let named = sources(&[
        ".env",
        "services/web/.env.local",
        "vercel:web?team=acme",
        "heroku:web",
        "aws:prod/?region=eu-west-1&account=123456789012",
        "aws:",
        "azure:acme-vault",
    ]);
    let about = about();
    insta::assert_snapshot!(manifest(&about, &named, &Draft::default()));
    for (wrong, why) in [
        ("heroku:", "`heroku:` names nothing behind `heroku:`"),
        ("vercel:web?project=x", "`vercel:web?project=x` has no option `project`"),
        ("keyring:acme", "entries of the type `keyring` cannot be listed"),
    ] {
        assert_eq!(wrong.parse::<Source>().unwrap_err().to_string(), why);
    }
}

/// Names as vendors may give them: what people write, and what breaks out of strings, lines and comments.
fn names() -> impl Strategy<Value = String> {
    let parts = "(API|PROD|token|Key|SECRET|_|-|/|\\.|\"|'|\\\\|\n|\r\n|\\]|\\[|=|#|\u{202e}|\u{2028}|\u{0}|é|\\PC){0,10}(_TOKEN|-token|_KEY)?";
    parts.prop_map(|name| name)
}

fn environments() -> impl Strategy<Value = Environment> {
    prop_oneof![
        Just(Environment::Production),
        Just(Environment::Development),
        proptest::option::of(names()).prop_map(|branch| Environment::Preview { branch }),
        names().prop_map(Environment::Custom),
    ]
}

proptest! {
    #[test]
    fn every_name_gives_a_name_that_a_token_can_have_and_that_no_other_has(names in proptest::collection::vec(names(), 1..8)) {
        let mut taken = Taken::none("acme");
        let given: Vec<String> = names.iter().map(|name| taken.name(name)).collect();
        for name in &given {
            prop_assert!(name.parse::<TokenName>().is_ok(), "{name}");
        }
        prop_assert_eq!(given.iter().collect::<BTreeSet<_>>().len(), names.len());
    }

    #[test]
    fn what_is_written_is_read_as_it_was_meant_whatever_the_entries_are_called(
        plain in proptest::collection::vec((0..3_usize, names()), 0..6),
        rows in proptest::collection::vec((names(), environments(), proptest::option::of(names())), 0..4),
    ) {
        let sources = sources(&[".env", "heroku:acme", "aws:?region=eu-west-1", "vercel:web"]);
        let mut all: Vec<Found> = plain.iter().map(|(at, name)| found(&sources[*at].name, name)).collect();
        all.extend(rows.into_iter().map(|(name, environment, obstacle)| Found {
            sink: "web".to_owned(),
            entry: ListedEntry { name, environment: Some(environment), obstacle },
        }));
        all.sort();
        all.dedup();
        let draft = drafted(&sources, &all);
        prop_assert_eq!(draft.pushes() + draft.untouched(), all.len(), "nothing is dropped");
        let text = manifest(&about(), &sources, &draft);
        let read = match read(&text) {
            Ok(read) => read,
            Err(faults) => return Err(TestCaseError::fail(faults)),
        };
        let mut declared: Vec<(String, String)> = read
            .tokens
            .iter()
            .flat_map(|token| token.pushes.iter().map(|push| (push.sink.clone(), push.name.clone())))
            .collect();
        let mut meant: Vec<(String, String)> = draft
            .tokens
            .iter()
            .flat_map(|token| token.pushes.iter().map(|push| (push.sink.clone(), push.entry.name.clone())))
            .collect();
        declared.sort();
        meant.sort();
        prop_assert_eq!(declared, meant);
        prop_assert!(read.tokens.iter().flat_map(|token| &token.pushes).all(|push| !push.adopt));
        // Whoever reads the file sees one line where there is one.
        let odd = |character: char| (character.is_control() && character != '\n') || ('\u{2028}'..='\u{202e}').contains(&character);
        prop_assert!(!text.contains(odd), "{:?}", text);
    }
}
