//! Texts that nobody wrote: the parser holds for all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

/// Pieces that make texts which get far into the parser.
const PIECES: &[&str] = &[
    "manifest = ",
    "[service]",
    "[defaults]",
    "[roles.a]",
    "[users.b]",
    "[sinks.c]",
    "[tokens.d]",
    "[[tokens.d.push]]",
    "type = \"dotenv\"",
    "type = \"vercel\"",
    "path = ",
    "login = ",
    "push = [",
    "{ sink = \"c\", name = \"A\" }",
    "]",
    "user = ",
    "roles = ",
    "\"b\"",
    "\"\"\"",
    "'",
    "\"",
    "1979-05-27",
    "-1",
    "0xff",
    "1e9",
    "inf",
    "true",
    "\n",
    "\n",
    "\r\n",
    " ",
    "=",
    ".",
    ",",
    "{",
    "}",
    "#",
    "ü",
    "\u{202e}",
    "\u{feff}",
    "\\u00",
    "expires_in = \"1d\"",
    "moved_from = ",
];

fn text() -> impl Strategy<Value = String> {
    let pieces = proptest::collection::vec(proptest::sample::select(PIECES), 0..60).prop_map(|pieces| pieces.concat());
    prop_oneof![pieces, any::<String>()]
}

#[derive(Debug, Clone)]
pub(crate) struct Generated {
    user: String,
    description: Option<String>,
    labels: BTreeMap<String, String>,
    nets: Vec<IpNet>,
    days: (u64, u64),
    adopt: bool,
    secret: bool,
}

pub(crate) fn generated() -> impl Strategy<Value = Generated> {
    (
        "[a-z0-9][a-z0-9._@+-]{3,20}",
        proptest::option::of("[^\\p{C}]{0,60}"),
        proptest::collection::btree_map("[^\\p{C}]{1,20}", "[^\\p{C}]{0,20}", 0..4),
        proptest::collection::btree_set((any::<u32>(), 0_u8..=32), 0..4),
        (3_u64..100, 1_u64..100),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(user, description, labels, nets, (overlap, more), adopt, secret)| {
            let net = |(bits, length)| IpNet::new(std::net::Ipv4Addr::from_bits(bits).into(), length).unwrap().trunc();
            let nets: BTreeSet<IpNet> = nets.into_iter().map(net).collect();
            let nets = nets.into_iter().collect();
            let labels = labels.into_iter().filter(|(key, _)| key != "login").collect();
            Generated { user, description, labels, nets, days: (overlap, overlap + more), adopt, secret }
        })
}

/// The tokens as a file, each field written by the TOML writer.
pub(crate) fn written(tokens: &[Generated]) -> String {
    let quoted = |text: &str| toml::Value::from(text).to_string();
    let mut text = "manifest = \"acme\"\n[sinks.dev]\ntype = \"dotenv\"\npath = \".env\"\n\
                    [sinks.vault]\ntype = \"aws-secrets-manager\"\nregion = \"eu-west-1\"\n"
        .to_owned();
    for (number, token) in tokens.iter().enumerate() {
        let (overlap, rotate) = token.days;
        writeln!(text, "[tokens.\"api.{number}.server\"]\nuser = {}", quoted(&token.user)).unwrap();
        if let Some(description) = &token.description {
            writeln!(text, "description = {}", quoted(description)).unwrap();
        }
        let nets: Vec<String> = token.nets.iter().map(ToString::to_string).collect();
        writeln!(text, "allowed_ips = {}", toml::Value::from(nets)).unwrap();
        writeln!(text, "overlap = \"{overlap}d\"\nrotate_every = \"{rotate}d\"").unwrap();
        writeln!(text, "expires_in = \"{}d\"", rotate + overlap + 1).unwrap();
        let (sink, name) = if token.secret { ("vault", "p/") } else { ("dev", "A") };
        writeln!(text, "push = [{{ sink = \"{sink}\", name = \"{name}{number}\", adopt = {} }}]", token.adopt).unwrap();
        let labels = token.labels.iter().map(|(key, value)| (key.clone(), toml::Value::from(value.as_str()))).collect();
        writeln!(text, "labels = {}", toml::Value::Table(labels)).unwrap();
    }
    text
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic_and_every_span_lies_in_it(text in text()) {
        let faults = faults(&text);
        for fault in &faults {
            for span in std::iter::once(&fault.span).chain(fault.related.iter().map(|(span, _)| span)) {
                prop_assert!(text.get(span.clone()).is_some(), "{span:?} of {fault:?}");
            }
            prop_assert!(!fault.message.ends_with('.') && !fault.message.contains('\n'), "{fault:?}");
        }
        prop_assert!(faults.is_sorted_by_key(|fault| fault.span.start));
        let shown = snippet::render(&faults, STATED, &text, false);
        prop_assert_eq!(shown.is_empty(), faults.is_empty());
    }

    #[test]
    fn what_the_parser_takes_the_schema_takes(text in text()) {
        let text = format!("manifest = \"acme\"\n{text}");
        if read(&text).is_ok() {
            prop_assert_eq!(validator::check(&schema(), &text), Ok(()));
        }
    }

    #[test]
    fn a_good_manifest_is_read_as_it_was_meant(tokens in proptest::collection::vec(generated(), 0..6)) {
        let text = written(&tokens);
        let manifest = match read(&text) {
            Ok((manifest, _)) => manifest,
            Err(faults) => return Err(TestCaseError::fail(format!("{}\n{text}", faults.render(false)))),
        };
        prop_assert_eq!(validator::check(&schema(), &text), Ok(()));
        prop_assert_eq!(manifest.tokens.len(), tokens.len());
        for (number, (token, meant)) in manifest.tokens.iter().zip(&tokens).enumerate() {
            prop_assert_eq!(token.name.as_str(), format!("api.{number}.server"));
            prop_assert_eq!(token.user.as_str(), &meant.user);
            prop_assert_eq!(&token.description, &meant.description);
            prop_assert_eq!(&token.labels, &meant.labels);
            prop_assert_eq!(&token.allowed_ips, &meant.nets);
            let (overlap, rotate) = meant.days;
            let days = latchkey::lifetime::Seconds::days;
            let terms = Terms { expires_in: days(rotate + overlap + 1), rotate_every: days(rotate), overlap: days(overlap) };
            prop_assert_eq!(token.terms, terms);
            prop_assert_eq!(token.pushes[0].adopt, meant.adopt);
            prop_assert_eq!(token.pushes[0].sink.as_str(), if meant.secret { "vault" } else { "dev" });
        }
    }
}
