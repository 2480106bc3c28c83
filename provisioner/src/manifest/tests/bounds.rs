//! What the check accepts, the service accepts: the bounds of both are the same.

use std::cell::Cell;
use std::fmt::Write as _;
use std::sync::Arc;

use latchkey::clock::SystemClock;
use latchkey::entropy::SystemEntropy;
use latchkey::place::Place;
use latchkey::service::{Caller, CreateError, Life, NewToken, Service, UserChange};
use latchkey::token::TokenKey;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;
use crate::embedded;

/// How much of everything a token of a manifest has.
#[derive(Debug, Clone)]
struct Sizes {
    user: usize,
    name: usize,
    description: usize,
    labels: Vec<(usize, usize)>,
    roles: usize,
    long_roles: bool,
    /// Whether the token names its roles, or takes over its user's.
    names_roles: bool,
    networks: usize,
    pushes: usize,
}

/// Mostly little, now and then whatever is near the bound or beyond.
fn sizes() -> impl Strategy<Value = Sizes> {
    let upto = |usual: usize, most: usize| prop_oneof![5 => 0..=usual, 2 => 0..=most];
    let labels = prop_oneof![
        3 => proptest::collection::vec((1..12_usize, 0..12_usize), 0..4),
        2 => proptest::collection::vec((1..=64_usize, 0..=128_usize), 0..8),
        1 => proptest::collection::vec((1..4_usize, 0..4_usize), 15..22),
    ];
    (
        (4..=128_usize, 1..=64_usize, upto(100, 262), labels),
        (upto(4, 21), any::<bool>(), any::<bool>(), upto(3, 21), upto(3, 22)),
    )
        .prop_map(|((user, name, description, labels), (roles, long_roles, names_roles, networks, pushes))| {
            let pushes = pushes.max(1);
            Sizes { user, name, description, labels, roles, long_roles, names_roles, networks, pushes }
        })
}

fn role(index: usize, long: bool) -> String {
    format!("r{index:02}{}", "x".repeat(if long { 61 } else { 2 }))
}

impl Sizes {
    fn user(&self, case: usize) -> String {
        format!("{case:04}{}", "u".repeat(self.user - 4))
    }

    fn roles(&self) -> Vec<String> {
        (0..self.roles).map(|index| role(index, self.long_roles)).collect()
    }

    fn text(&self, case: usize) -> String {
        let user = self.user(case);
        let roles = toml::Value::from(self.roles());
        let mut text = format!(
            "manifest = \"acme\"\n[sinks.dev]\ntype = \"dotenv\"\npath = \".env\"\n\
             [users.\"{user}\"]\nkind = \"service\"\nroles = {roles}\n\
             [tokens.t]\nname = \"{}\"\nuser = \"{user}\"\n",
            "n".repeat(self.name),
        );
        writeln!(text, "description = \"{}\"", "d".repeat(self.description)).unwrap();
        if self.names_roles {
            writeln!(text, "roles = {roles}").unwrap();
        }
        let networks: Vec<String> = (0..self.networks).map(|index| format!("2001:db8:{index}::/48")).collect();
        writeln!(text, "allowed_ips = {}", toml::Value::from(networks)).unwrap();
        let label = |(index, (name, value)): (usize, &(usize, usize))| {
            let name = format!("{}{}", char::from(b'a' + u8::try_from(index).unwrap()), "l".repeat(name - 1));
            format!("{name} = \"{}\"", "é".repeat(*value))
        };
        let labels: Vec<String> = self.labels.iter().enumerate().map(label).collect();
        writeln!(text, "labels = {{ {} }}", labels.join(", ")).unwrap();
        let pushes: Vec<String> =
            (0..self.pushes).map(|index| format!("{{ sink = \"dev\", name = \"T{index}\" }}")).collect();
        writeln!(text, "push = [{}]", pushes.join(", ")).unwrap();
        text
    }
}

fn declared(manifest: &Manifest) -> NewToken {
    let token = &manifest.tokens[0];
    let place = |push: &PushDeclaration| Place::new("dotenv", &[("path", "/repo/.env"), ("name", &push.name)], true);
    let life = Life::Managed { manifest: manifest.name.clone(), terms: token.terms };
    NewToken {
        description: token.description.clone(),
        roles: token.roles.clone(),
        labels: token.labels.clone(),
        allowed_ips: token.allowed_ips.clone(),
        places: token.pushes.iter().map(place).collect(),
        ..NewToken::new(TokenKey::new(token.user.clone(), token.name.clone()), life)
    }
}

#[test]
fn what_the_check_accepts_the_service_accepts() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (operator, permissions) = (Caller::operator("test"), ["documents:read".parse().unwrap()].into_iter().collect());
    let service = runtime.block_on(async {
        let table = embedded::memory().unwrap();
        let service = Service::open(table, Arc::new(SystemClock), Arc::new(SystemEntropy)).await.unwrap();
        for (index, long) in (0..20).flat_map(|index| [(index, false), (index, true)]) {
            service.put_role(&operator, &role(index, long).parse().unwrap(), &permissions, None).await.unwrap();
        }
        service
    });
    let (accepted, refused) = (Cell::new(0), Cell::new(0));
    let config = Config { cases: 150, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&sizes(), |sizes| {
        let case = accepted.get() + refused.get();
        let Ok((manifest, _)) = read(&sizes.text(case)) else {
            refused.set(refused.get() + 1);
            return Ok(());
        };
        accepted.set(accepted.get() + 1);
        let (user, declared_user) = manifest.users.iter().next().unwrap();
        let change = UserChange { roles: Some(declared_user.roles.clone()), ..UserChange::default() };
        runtime.block_on(service.put_user(&operator, user, &change)).unwrap();
        let created: Result<_, CreateError> = runtime.block_on(service.create(&operator, declared(&manifest)));
        prop_assert!(created.is_ok(), "{}", created.unwrap_err());
        Ok(())
    });
    outcome.unwrap();
    let (accepted, refused) = (accepted.get(), refused.get());
    assert!(accepted > 20 && refused > 20, "{accepted} accepted and {refused} refused are hardly a comparison");
}

const TOKEN: &str = "manifest = \"acme\"\n[sinks.dev]\ntype = \"dotenv\"\npath = \".env\"\n\
                     [tokens.production-api]\nuser = \"ci\"\npush = [{ sink = \"dev\", name = \"API_TOKEN\" }]\n";

#[test]
fn labels_that_apply_would_refuse_are_shown_where_they_pass_the_bound() {
    // A name of 3 bytes and 8 more each, as the record has it: 468 bytes are left for the values.
    let labels = |last: usize| {
        let value = "v".repeat(120);
        let rest = "v".repeat(last);
        format!("{TOKEN}labels = {{ one = \"{value}\", two = \"{value}\", six = \"{value}\", ten = \"{rest}\" }}\n")
    };
    assert_eq!(codes(&labels(108)), Vec::<&str>::new());
    let text = labels(109);
    let faults = faults(&text);
    let [fault] = faults.as_slice() else { panic!("one fault: {faults:?}") };
    assert_eq!((fault.code, &text[fault.span.clone()]), ("too-large", "ten"));
    assert!(fault.message.ends_with("these take 513"), "{}", fault.message);
}

#[test]
fn what_a_check_of_a_secret_reads_is_counted_with_the_roles_that_the_token_takes_over() {
    let role = |letter: char| letter.to_string().repeat(64);
    let roles = |count: u8| {
        let roles: Vec<String> = (0..count).map(|index| format!("\"{}\"", role(char::from(b'a' + index)))).collect();
        format!("[{}]", roles.join(", "))
    };
    let user = |count| format!("[users.ci]\nkind = \"service\"\nroles = {}\n", roles(count));
    // `ci`, `production-api` and ten times 65.
    assert_eq!(codes(&(TOKEN.to_owned() + &user(10))), Vec::<&str>::new());
    let text = TOKEN.to_owned() + &user(11);
    let faults = faults(&text);
    let [fault] = faults.as_slice() else { panic!("one fault: {faults:?}") };
    assert_eq!((fault.code, &text[fault.span.clone()]), ("too-large", "[tokens.production-api]"));
    assert!(fault.message.ends_with("these take 731"), "{}", fault.message);
    // What is not declared here is not known.
    assert_eq!(codes(TOKEN), Vec::<&str>::new());
    assert_eq!(codes(&format!("{TOKEN}roles = {}\n", roles(11))), ["too-large"]);
}

#[test]
fn a_token_has_no_more_places_than_the_service_records() {
    let pushes = |count: usize| {
        let pushes: Vec<String> =
            (0..count).map(|index| format!("{{ sink = \"dev\", name = \"T{index}\" }}")).collect();
        TOKEN.replace("[{ sink = \"dev\", name = \"API_TOKEN\" }]", &format!("[{}]", pushes.join(", ")))
    };
    assert_eq!(codes(&pushes(20)), Vec::<&str>::new());
    let text = pushes(21);
    let faults = faults(&text);
    let [fault] = faults.as_slice() else { panic!("one fault: {faults:?}") };
    assert_eq!((fault.code, &text[fault.span.clone()]), ("too-many", "{ sink = \"dev\", name = \"T20\" }"));
    assert_eq!(fault.message, "a token has at most 20 places, not 21");
}
