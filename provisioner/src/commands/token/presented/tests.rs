use proptest::prelude::*;

use super::*;

const SECRET: &str = "lk_amc7q7333nwjw2wt_00000000000000000000000000000000000000000000vFuxk";
const ID_OF_IT: &str = "amc7q7333nwjw2wt";

fn is_it(presented: &Presented) -> bool {
    matches!(presented, Presented::Secret(secret) if secret.expose() == SECRET)
}

fn public(presented: Presented) -> Option<Public> {
    match presented {
        Presented::Mistyped(public) | Presented::Cut(public, _) | Presented::Masked(public) => Some(public),
        _ => None,
    }
}

#[test]
fn a_whole_secret_is_found_in_what_people_paste() {
    for (text, wanted) in [
        (SECRET.to_owned(), &[][..]),
        (format!("{SECRET}\n"), &[]),
        (format!("  {SECRET}\r\n"), &["blanks"]),
        (format!("'{SECRET}'"), &["quotes"]),
        (format!("API_TOKEN={SECRET}\n"), &["a name before it"]),
        (format!("export API_TOKEN=\"{SECRET}\""), &["quotes", "a name before it"]),
        (format!("Authorization: Bearer {SECRET}"), &["the word `Bearer`"]),
        (format!("\u{feff}{SECRET}"), &["invisible characters", "blanks"]),
        (format!("https://example.org/?token={SECRET}&x=1"), &["a name before it"]),
        (format!("({SECRET})"), &["other text"]),
        (format!("{}\n{}", &SECRET[..30], &SECRET[30..]), &["line breaks or blanks inside it"]),
        (format!("{SECRET} {SECRET}"), &["blanks"]),
    ] {
        let read = read(&text);
        let Presented::Secret(secret) = &read else { panic!("{text}: {read:?}") };
        assert!(is_it(&read), "{text}");
        assert_eq!(around(&text, secret), wanted, "{text}");
    }
}

#[test]
fn what_is_left_of_a_secret_tells_its_id() {
    let flipped = format!("{}A", &SECRET[..SECRET.len() - 1]);
    assert!(matches!(read(&flipped), Presented::Mistyped(_)));
    assert!(matches!(read(&format!("{SECRET}x")), Presented::Mistyped(_)), "something was added");
    assert!(matches!(read(&SECRET[..60]), Presented::Cut(_, 9)));
    assert!(matches!(read(&SECRET[..20]), Presented::Cut(_, 49)));
    for masked in
        ["***", "****vFuxk", "ab\u{2026}", "\u{2022}\u{2022}", "...", "xxxxxxxx", "ab...yz", "[REDACTED]", "<hidden>"]
    {
        let text = format!("TOKEN=lk_{ID_OF_IT}_{masked}");
        assert!(matches!(read(&text), Presented::Masked(_)), "{text}: {:?}", read(&text));
    }
    for text in [flipped.as_str(), &SECRET[..40], &format!("lk_{ID_OF_IT}_***"), &format!("\"lk_{ID_OF_IT}_\"")] {
        assert_eq!(public(read(text)).unwrap().id.as_str(), ID_OF_IT, "{text}");
    }
    let other = public(read(&SECRET.replacen("lk_", "acme_live_", 1))).unwrap();
    assert_eq!((other.prefix.as_str(), other.is_shown()), ("acme_live", false));
    for text in ["lk_", "lk_amc7q7", "token: lk_amc7q7333nwjw2w"] {
        assert!(matches!(read(text), Presented::TooShort), "{text}");
    }
}

#[test]
fn an_id_is_no_secret_and_two_are_no_one() {
    assert!(matches!(read(ID_OF_IT), Presented::Id(id) if id.as_str() == ID_OF_IT));
    assert!(matches!(read("id  amc7q7333nwjw2wt\n"), Presented::Id(_)));
    assert!(matches!(read("amc7q7333nwjw2wt 0123456789abcdef"), Presented::Unknown));
    let other =
        Secret::mint(&Prefix::default(), &ID_OF_IT.parse().unwrap(), &latchkey::entropy::SystemEntropy).unwrap();
    assert!(matches!(read(&format!("{SECRET}\n{}", other.expose())), Presented::Several(2)));
}

#[test]
fn secrets_of_other_services_are_told_by_their_forms() {
    for (text, wanted) in [
        ("ghp_0123456789abcdefghijABCDEFGHIJ012345", "GitHub"),
        ("GITHUB_TOKEN=github_pat_0123456789abcdefghij_0123", "GitHub"),
        ("AKIAIOSFODNN7EXAMPLE", "AWS"),
        ("xoxb-0123456789-0123456789-abcdef", "Slack"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "a JSON Web Token"),
        ("\"sk_live_0123456789abcdef\"", "Stripe"),
        ("glpat-0123456789abcdefghij", "GitLab"),
        ("sk-ant-0123456789", "Anthropic"),
    ] {
        assert!(matches!(read(text), Presented::Foreign(found) if found == wanted), "{text}: {:?}", read(text));
    }
    for text in ["hello", "AKIA", "ghp_", "a.b.c", "correct horse battery staple"] {
        assert!(matches!(read(text), Presented::Unknown), "{text}: {:?}", read(text));
    }
    for text in ["", " \n", "\u{feff}"] {
        assert!(matches!(read(text), Presented::Empty), "{text:?}");
    }
}

proptest! {
    #[test]
    fn a_secret_is_found_whatever_is_around_it(before in "\\PC{0,20}[ =\"':,(]", after in "[ \"',)\n]\\PC{0,20}") {
        let text = format!("{before}{SECRET}{after}");
        prop_assert!(is_it(&read(&text)), "{}", text);
    }

    #[test]
    fn a_secret_cut_anywhere_behind_its_id_tells_the_id(length in 20..SECRET.len()) {
        let found = public(read(&SECRET[..length])).unwrap();
        prop_assert_eq!(found.id.as_str(), ID_OF_IT);
    }

    #[test]
    fn no_text_makes_reading_panic_and_debug_shows_no_secret(text in "\\PC{0,80}|(lk_|[a-z0-9_]{0,30}|\u{2026}|\\*|_){0,6}") {
        let shown = format!("{:?}", read(&text));
        prop_assert!(text.len() < 60 || !shown.contains(&text), "{}", shown);
    }

    #[test]
    fn every_changed_character_is_noticed(at in 20..SECRET.len(), to in "[0-9A-Za-z]") {
        let changed = format!("{}{to}{}", &SECRET[..at], &SECRET[at + 1..]);
        prop_assert!(changed == SECRET || matches!(read(&changed), Presented::Mistyped(_)));
    }
}
