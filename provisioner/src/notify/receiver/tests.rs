//! What a receiver may be, in a manifest and in the settings.

use std::path::Path;

use latchkey_sinks::reading::Allowances;
use proptest::prelude::*;

use super::super::stored::{published, setting};
use super::*;
use crate::manifest::{Manifest, parse};

const START: &str = "manifest = \"acme\"\n";

fn parsed(text: &str) -> Result<Manifest, Vec<&'static str>> {
    let text = format!("{START}{text}");
    match parse(Path::new("tokens.toml"), Path::new("/repo"), &text, &Allowances::default()) {
        Ok((manifest, _)) => Ok(manifest),
        Err(faults) => Err(faults.faults.iter().map(|fault| fault.code).collect()),
    }
}

fn setting_codes(text: &str) -> Vec<&'static str> {
    setting("ops", text, &Allowances::default())
        .map_or_else(|faults| faults.faults.iter().map(|fault| fault.code).collect(), |_| Vec::new())
}

#[test]
fn a_receiver_that_says_nothing_else_is_told_of_all_but_what_is_usual() {
    let slack = "[notify.ops]\ntype = \"slack\"\nurl = { env = \"SLACK_WEBHOOK_URL\" }\n";
    let manifest = parsed(slack).unwrap();
    let on = &manifest.notify["ops"].on;
    assert!(!on.contains(&NoticeKind::Created) && !on.contains(&NoticeKind::Deleted));
    assert_eq!(on.len(), NoticeKind::ALL.len() - 2);
    let manifest = parsed(&format!("{slack}on = [\"created\"]\n")).unwrap();
    assert_eq!(manifest.notify["ops"].on, [NoticeKind::Created].into());
}

#[test]
fn no_manifest_sets_an_address_and_settings_do() {
    let mails = "type = \"email\"\nfrom = \"latchkey@example.com\"\nto = [\"ops@example.com\"]\n";
    let codes = parsed(&format!("[notify.ops]\n{mails}")).unwrap_err();
    assert!(codes.contains(&"unknown-field") && codes.contains(&"missing-field"), "{codes:?}");
    let manifest = parsed("[notify.ops]\ntype = \"email\"\nuse = \"team\"\n").unwrap();
    assert_eq!(manifest.notify["ops"].way, Way::EmailOf("team".to_owned()));
    assert_eq!(setting_codes(mails), Vec::<&str>::new());
    assert!(setting_codes("type = \"email\"\nuse = \"team\"\n").contains(&"unknown-field"));
}

#[test]
fn what_a_receiver_is_reached_with_is_read_from_where_it_may_be() {
    let slack = |url: &str| parsed(&format!("[notify.ops]\ntype = \"slack\"\nurl = {url}\n")).err().unwrap_or_default();
    assert_eq!(slack("{ env = \"AWS_SECRET_ACCESS_KEY\" }"), ["foreign-variable"]);
    assert_eq!(slack("{ command = [\"cat\", \"/etc/passwd\"] }"), ["bad-login"]);
    assert_eq!(slack("{ file = \"/etc/passwd\" }"), ["outside-folder"]);
    assert_eq!(slack("{ secret = \"latchkey/logins/other/slack\" }"), ["foreign-secret"]);
    assert_eq!(slack("{ secret = \"latchkey/logins/acme/slack\" }"), Vec::<&str>::new());
    let of_settings = |url: &str| setting_codes(&format!("type = \"slack\"\nurl = {url}\n"));
    assert_eq!(of_settings("{ env = \"ANY_VARIABLE\" }"), Vec::<&str>::new(), "an admin has set it");
    assert_eq!(of_settings("{ file = \"relative\" }"), ["bad-path"]);
    assert_eq!(of_settings("{ file = \"/run/secrets/slack\" }"), Vec::<&str>::new());
    assert_eq!(of_settings("{ secret = \"latchkey/logins/acme/slack\" }"), ["foreign-secret"]);
    assert_eq!(of_settings("{ secret = \"latchkey/logins/_settings/slack\" }"), Vec::<&str>::new());
}

#[test]
fn an_address_that_is_in_the_text_is_a_fault_and_is_not_shown() {
    let text = "[notify.ops]\ntype = \"webhook\"\nurl = \"https://hidden.example/T0/B0\"\nsecret = \"hidden-secret\"\n";
    let whole = format!("{START}{text}");
    let faults = parse(Path::new("tokens.toml"), Path::new("/repo"), &whole, &Allowances::default()).unwrap_err();
    let shown = format!("{} {}", faults.render(false), faults.text);
    assert!(!shown.contains("hidden"), "{shown}");
    assert_eq!(faults.faults.iter().map(|fault| fault.code).collect::<Vec<_>>(), ["plain-login"; 2]);
    let inline = "{ type = \"slack\", url = \"https://hidden.example/T0\" }";
    let faults = setting("ops", inline, &Allowances::default()).unwrap_err();
    assert!(!format!("{} {}", faults.render(false), faults.text).contains("hidden"));
}

#[test]
fn a_setting_is_one_receiver_as_lines_or_as_an_inline_table() {
    let (wanted, stored) = ("type = \"eventbridge\"\nbus = \"ops\"\n", "{ type = \"eventbridge\", bus = \"ops\" }");
    let lines = setting("ops", wanted, &Allowances::default()).unwrap();
    let inline = setting("ops", "{ type = \"eventbridge\", bus = \"ops\" }", &Allowances::default()).unwrap();
    assert_eq!((lines.text.as_str(), inline.text.as_str()), (stored, stored));
    assert_eq!(lines.receiver.way, inline.receiver.way);
    for more in [
        format!("{wanted}[notify.other]\n{wanted}"),
        format!("{wanted}[policy]\nmax_tokens = 100\n"),
        format!("{{ type = \"eventbridge\", bus = \"ops\" }}\n[notify.other]\n{wanted}"),
        "{ type = \"eventbridge\", bus = \"ops\" }\nnotify.other = { type = \"eventbridge\", bus = \"x\" }".to_owned(),
        String::new(),
    ] {
        assert!(!setting_codes(&more).is_empty(), "{more}");
    }
}

#[test]
fn the_job_gets_what_it_can_reach_and_one_wrong_receiver_costs_no_other() {
    let text = "[notify.a]\ntype = \"slack\"\nurl = { secret = \"latchkey/logins/acme/slack\" }\n\
                [notify.b]\ntype = \"slack\"\nurl = { env = \"SLACK_WEBHOOK_URL\" }\n\
                [notify.c]\ntype = \"pigeon\"\n\
                [notify.d]\ntype = \"eventbridge\"\nbus = \"ops\"\nendpoint = \"https://evil.example\"\n\
                [notify.e]\ntype = \"eventbridge\"\nbus = \"ops\"\nendpoint = \"https://events.eu-west-1.amazonaws.com\"\n\
                [sinks.x]\ntype = \"dotenv\"\n";
    let (receivers, left_out) = published(&"acme".parse().unwrap(), text);
    assert_eq!(receivers.keys().collect::<Vec<_>>(), ["a"]);
    assert_eq!(left_out.len(), 4, "{left_out:?}");
}

/// Pieces that lead far into the parser.
const PIECES: &[&str] = &[
    "[notify.ops]\n",
    "notify.ops = {",
    "}",
    "type = ",
    "\"webhook\"",
    "\"slack\"",
    "\"email\"",
    "\"eventbridge\"",
    "url = ",
    "secret = ",
    "{ env = \"SLACK_WEBHOOK_URL\" }",
    "{ file = \"../x\" }",
    "{ secret = \"latchkey/logins/acme/x\" }",
    "\"https://hidden.example/T0\"",
    "'whsec_aGlkZGVu",
    "on = [",
    "\"expiring\", ",
    "\"nothing\"",
    "]",
    "link = \"https://a.example/{name}\"",
    "bus = \"ops\"",
    "use = \"ops\"",
    "from = \"a@example.com\"",
    "to = [\"a@example.com\"]",
    "owners = true",
    "\n",
    "\n",
    ", ",
    "=",
    "#",
    "\u{fc}",
    "\u{202e}",
];

proptest! {
    /// Whatever is written, reading it ends, faults are in the text, and no signing secret is ever shown.
    #[test]
    fn any_text_is_read_and_none_shows_a_secret(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..40)) {
        let text = format!("{START}{}", pieces.concat());
        match parse(Path::new("tokens.toml"), Path::new("/repo"), &text, &Allowances::default()) {
            Ok((manifest, _)) => {
                for receiver in manifest.notify.values() {
                    prop_assert!(!receiver.on.is_empty());
                    prop_assert!(!matches!(receiver.way, Way::Email(_)));
                }
            }
            Err(faults) => {
                for fault in &faults.faults {
                    prop_assert!(faults.text.get(fault.span.clone()).is_some());
                }
                prop_assert!(!faults.render(false).contains("whsec_aGlkZGVu"), "{}", faults.render(false));
            }
        }
    }

    /// What is stored says the same as what was written.
    #[test]
    fn a_setting_is_read_back_as_it_was_set(
        logins in prop::sample::select(vec!["env = \"A\"", "file = \"/a b\"", "secret = \"latchkey/logins/_settings/x\""]),
        on in prop::sample::subsequence(NoticeKind::ALL.to_vec(), 1..=NoticeKind::ALL.len()),
        to in prop::collection::vec("[a-z]{1,8}@[a-z]{1,8}\\.example", 1..5),
        owners in any::<bool>(),
    ) {
        let on: Vec<&str> = on.into_iter().map(NoticeKind::as_str).collect();
        let text = format!("type = \"email\"\non = {on:?}\nfrom = \"a@example.com\"\nto = {to:?}\nowners = {owners}\n");
        let hooks = format!("type = \"webhook\"\non = {on:?}\nurl = {{ {logins} }}\n[notify.ops.secret]\n{logins}\n");
        let first = setting("ops", &hooks, &Allowances::default()).unwrap();
        let second = setting("ops", &first.text, &Allowances::default()).unwrap();
        prop_assert_eq!((&first.receiver.way, &first.receiver.on), (&second.receiver.way, &second.receiver.on));
        let first = setting("ops", &text, &Allowances::default()).unwrap();
        let second = setting("ops", &first.text, &Allowances::default()).unwrap();
        prop_assert_eq!(&first.receiver.way, &second.receiver.way);
        prop_assert_eq!(first.receiver.on, second.receiver.on);
        prop_assert_eq!(first.text, second.text);
    }
}
