use proptest::prelude::*;

use super::*;
use crate::entropy::seeded::{Broken, Seeded};

const FIXED: &str = "lk_0ggx8twnr400x9b4_Sni1fIwjGe25RxM8jBKFPHxT8yLIjq1lGiFNZJQ4UKz2fakRT";

fn mint(prefix: &str, seed: u64) -> Secret {
    let entropy = Seeded::new(seed);
    let id = TokenId::mint(&entropy).unwrap();
    Secret::mint(&prefix.parse().unwrap(), &id, &entropy).unwrap()
}

/// What deployments hold must be read by every later version.
#[test]
fn a_secret_has_the_form_that_it_always_had() {
    let secret = mint("lk", 42);
    assert_eq!(secret.expose(), FIXED);
    assert_eq!(secret.expose().len(), 2 + TAIL_LENGTH);
    assert_eq!(secret.fingerprint().as_str(), "e0e9e506c608");
    assert_eq!(Secret::parse(FIXED).unwrap().fingerprint(), secret.fingerprint());
    // The checksum is CRC-32 (IEEE) of all before it, in base62.
    let (body, checksum) = FIXED.split_at(FIXED.len() - CHECKSUM_LENGTH);
    let value = checksum
        .bytes()
        .fold(0_u64, |sum, digit| sum * 62 + BASE62.iter().position(|known| *known == digit).unwrap() as u64);
    assert_eq!(value, u64::from(crc32fast::hash(body.as_bytes())));
}

proptest! {
    #[test]
    fn what_is_minted_is_parsed(prefix in "[a-z][a-z0-9_]{0,15}", seed: u64) {
        let secret = mint(&prefix, seed);
        let parsed = Secret::parse(secret.expose()).unwrap();
        prop_assert_eq!(parsed.prefix(), &prefix);
        prop_assert_eq!(parsed.token_id(), secret.token_id());
        prop_assert!(parsed.digest().matches(&secret.digest()));
        prop_assert_eq!(parsed.expose(), secret.expose());
    }

    #[test]
    fn any_one_changed_character_is_refused(prefix in "[a-z][a-z0-9_]{0,15}", seed: u64, other in "[ -~]") {
        let secret = mint(&prefix, seed);
        let good = secret.expose();
        for at in 0..good.len() {
            if good[at..=at] != other {
                let changed = format!("{}{other}{}", &good[..at], &good[at + 1..]);
                prop_assert!(Secret::parse(&changed).is_err(), "{}", changed);
            }
        }
    }

    #[test]
    fn what_was_cut_or_extended_is_refused(prefix in "[a-z][a-z0-9_]{0,15}", seed: u64, more in "[A-Za-z0-9_ \n]{1,4}") {
        let secret = mint(&prefix, seed);
        let good = secret.expose();
        for at in 1..=good.len() {
            prop_assert!(Secret::parse(&good[..good.len() - at]).is_err());
            prop_assert!(Secret::parse(&good[at..]).is_err());
        }
        let (after, before) = (format!("{good}{more}"), format!("{more}{good}"));
        prop_assert!(Secret::parse(&after).is_err());
        prop_assert!(Secret::parse(&before).is_err());
    }

    #[test]
    fn two_neighbours_that_changed_places_are_noticed(seed: u64) {
        let secret = mint("lk", seed);
        let good = secret.expose().as_bytes();
        for at in 1..good.len() {
            let mut swapped = good.to_vec();
            swapped.swap(at - 1, at);
            if swapped != good {
                prop_assert!(Secret::parse(std::str::from_utf8(&swapped).unwrap()).is_err());
            }
        }
    }

    #[test]
    fn no_text_makes_parsing_panic(text in ".{0,120}") {
        let _ = Secret::parse(&text);
        let _ = text.parse::<TokenId>();
        let _ = text.parse::<Fingerprint>();
    }

    #[test]
    fn debug_shows_the_fingerprint_and_nothing_of_the_random_part(seed: u64) {
        let secret = mint("lk", seed);
        let text = secret.expose();
        let random = &text[text.len() - CHECKSUM_LENGTH - RANDOM_LENGTH..];
        let shown = format!("{secret:?} {:?}", secret.digest());
        prop_assert!(shown.contains(secret.fingerprint().as_str()));
        for window in random.as_bytes().windows(6) {
            prop_assert!(!shown.contains(std::str::from_utf8(window).unwrap()));
        }
        let error = Secret::parse(&text[1..]).unwrap_err();
        let shown = format!("{error:?} {error}");
        prop_assert!(!shown.contains(&random[..6]));
    }

    #[test]
    fn prefixes_follow_their_grammar(text in "[a-z0-9_A-Z-]{0,18}") {
        let grammar = regex::Regex::new("^[a-z][a-z0-9_]{0,15}$").unwrap();
        prop_assert_eq!(text.parse::<Prefix>().is_ok(), grammar.is_match(&text));
    }
}

#[test]
fn every_digit_is_as_likely_as_any_other() {
    let entropy = crate::entropy::SystemEntropy;
    let id = TokenId::mint(&entropy).unwrap();
    let mut counts = [0_u32; 62];
    let rounds = 2000;
    for _ in 0..rounds {
        let secret = Secret::mint(&Prefix::default(), &id, &entropy).unwrap();
        for digit in secret.expose().bytes().skip(3 + 17).take(RANDOM_LENGTH) {
            counts[BASE62.iter().position(|known| *known == digit).unwrap()] += 1;
        }
    }
    // Chi-squared with 61 degrees of freedom: 150 is passed once in 10^9 runs; `byte % 62` gives about 1,900.
    let expected = f64::from(rounds) * 43.0 / 62.0;
    let sum: f64 = counts.iter().map(|count| (f64::from(*count) - expected).powi(2) / expected).sum();
    assert!(sum < 150.0, "{sum} {counts:?}");
}

#[test]
fn nothing_is_minted_without_randomness() {
    let id = mint("lk", 1).token_id();
    assert!(TokenId::mint(&Broken).is_err());
    assert!(Secret::mint(&Prefix::default(), &id, &Broken).is_err());
}

#[test]
fn digests_are_sha_256_and_compared_whole() {
    let digest = Digest::of(b"abc");
    assert_eq!(digest.fingerprint().as_str(), "ba7816bf8f01");
    let mut bytes = *digest.as_bytes();
    for at in 0..32 {
        bytes[at] ^= 1;
        assert!(!Digest::from_bytes(&bytes).unwrap().matches(&digest));
        bytes[at] ^= 1;
    }
    assert!(Digest::from_bytes(&bytes).unwrap().matches(&digest));
    assert!(Digest::from_bytes(&bytes[1..]).is_none());
}

#[test]
fn a_digest_is_written_in_hex_and_read_back() {
    let digest = mint("lk", 42).digest();
    assert_eq!(digest.hex(), "e0e9e506c608".to_owned() + &digest.hex()[12..]);
    assert_eq!(Digest::from_hex(&digest.hex()), Some(digest));
    assert_eq!(Digest::from_hex(&digest.hex().to_uppercase()), Some(digest));
    for bad in
        ["", &digest.hex()[1..], &format!("{}0", digest.hex()), &format!("x{}", &digest.hex()[1..]), &"é".repeat(32)]
    {
        assert_eq!(Digest::from_hex(bad), None, "{bad}");
    }
}

#[test]
fn a_fingerprint_alone_recognises_no_secret() {
    let digest = mint("lk", 42).digest();
    let (whole, start) = (KnownDigest::from(digest), KnownDigest::Fingerprint(digest.fingerprint()));
    assert_eq!(whole.fingerprint(), start.fingerprint());
    assert!(whole.matches(&digest) && !whole.matches(&mint("lk", 44).digest()));
    assert!(!start.matches(&digest) && start.whole().is_none());
    assert_ne!(whole, start);
}
