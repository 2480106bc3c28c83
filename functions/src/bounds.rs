//! How much a token may contain. Each bound is here and nowhere else: the service refuses what is beyond it, and so
//! does the check of a manifest, before anything is applied.

use std::collections::BTreeMap;

use ipnet::IpNet;

use crate::name::RoleName;
use crate::place::Place;
use crate::token::TokenKey;

/// The longest description, in bytes.
pub const DESCRIPTION_MAX: usize = 256;
/// The most that all labels of a token may take together, in bytes; see [`label_size`].
pub const LABELS_MAX: usize = 512;
/// What a label takes in the record besides its name and its value, in bytes.
pub const LABEL_EXTRA: usize = 8;
/// The most roles that a token or a user may have.
pub const ROLES_MAX: usize = 20;
/// The most permissions that a role may have.
pub const PERMISSIONS_MAX: usize = 100;
/// The most allowed networks of a token.
pub const ALLOWED_IPS_MAX: usize = 20;
/// The most that user, name, roles and networks of a token may take together in its verification item, in bytes; with
/// six live versions the item then stays under 1 KB.
pub const VERIFICATION_MAX: usize = 680;
/// The most places of a token.
pub const PLACES_MAX: usize = 20;
/// The most parts of a place.
pub const PLACE_PARTS_MAX: usize = 12;
/// The most that the parts of a place may take together, in bytes.
pub const PLACE_MAX: usize = 1024;
/// How many announcements of one push may be withdrawn at once; more stand.
pub const OPEN_MAX: usize = 8;
/// The longest receipt, in bytes.
pub const RECEIPT_MAX: usize = 200;
/// The most receivers of notices that the settings may name.
pub const RECEIVERS_MAX: usize = 20;
/// The longest settings of one receiver, in bytes.
pub const RECEIVER_MAX: usize = 4 * 1024;
/// How many networks that a token was used from are known apart; one that is used from more is used from anywhere.
pub const ADDRESSES_MAX: usize = 32;
/// The longest address of a user, in bytes: RFC 5321 section 4.5.3.1.3 without its angle brackets.
pub const EMAIL_MAX: usize = 254;

/// What is beyond a bound, with what was counted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BoundsError {
    /// A description is too long.
    #[error("a description has at most {DESCRIPTION_MAX} bytes, not {0}")]
    DescriptionTooLong(usize),
    /// A description is no plain line.
    #[error("a description is one line without control characters")]
    DescriptionNotPlain,
    /// A label has no name: `DynamoDB` takes no name in a map that is empty.
    #[error("a label needs a name")]
    LabelWithoutName,
    /// A label is no plain line.
    #[error("names and values of labels are plain text, each one line without control characters")]
    LabelNotPlain,
    /// The labels take too much.
    #[error(
        "the labels of a token take at most {LABELS_MAX} bytes together, each its name, its value and {LABEL_EXTRA} \
         more; these take {0}"
    )]
    Labels(usize),
    /// Too many roles.
    #[error("a token has at most {ROLES_MAX} roles, not {0}")]
    Roles(usize),
    /// Too many networks.
    #[error("a token has at most {ALLOWED_IPS_MAX} allowed networks, not {0}")]
    Networks(usize),
    /// What a check reads is too large.
    #[error(
        "user, name, roles and allowed networks of a token take at most {VERIFICATION_MAX} bytes together; these take \
         {0}"
    )]
    Verification(usize),
    /// Not a place that can be stored.
    #[error(
        "a place has a kind in lower case, and 1 to {PLACE_PARTS_MAX} parts of at most {PLACE_MAX} bytes together, \
         without control characters"
    )]
    Place,
    /// Not a receiver that can be stored.
    #[error(
        "a receiver has a name of at most 64 lower-case letters, digits, `-` and `_` that begins with a letter, and \
         settings of at most {RECEIVER_MAX} bytes"
    )]
    Receiver,
    /// Too many receivers.
    #[error("the settings name at most {RECEIVERS_MAX} receivers, not {0}")]
    Receivers(usize),
    /// Not an address that mail can be sent to.
    #[error("an email address is `name@domain` of at most {EMAIL_MAX} bytes, without spaces and control characters")]
    Email,
}

/// Holds a description to its bound.
///
/// # Errors
/// [`BoundsError::DescriptionTooLong`], [`BoundsError::DescriptionNotPlain`].
pub fn check_description(text: &str) -> Result<(), BoundsError> {
    if text.len() > DESCRIPTION_MAX {
        return Err(BoundsError::DescriptionTooLong(text.len()));
    }
    if is_plain(text) { Ok(()) } else { Err(BoundsError::DescriptionNotPlain) }
}

/// Whether a text is one line as everybody sees it: without control characters, separators of lines, and what turns the
/// direction of a line around, by which a terminal or a log would show something else.
pub fn is_plain(text: &str) -> bool {
    let turns = |found: char| matches!(found, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !text.chars().any(|found| found.is_control() || turns(found))
}

/// What one label takes of [`LABELS_MAX`].
pub fn label_size(name: &str, value: &str) -> usize {
    name.len() + value.len() + LABEL_EXTRA
}

/// Holds labels to their bound.
///
/// # Errors
/// [`BoundsError::LabelWithoutName`], [`BoundsError::Labels`].
pub fn check_labels(labels: &BTreeMap<String, String>) -> Result<(), BoundsError> {
    if labels.contains_key("") {
        return Err(BoundsError::LabelWithoutName);
    }
    if !labels.iter().all(|(name, value)| is_plain(name) && is_plain(value)) {
        return Err(BoundsError::LabelNotPlain);
    }
    let size: usize = labels.iter().map(|(name, value)| label_size(name, value)).sum();
    if size > LABELS_MAX { Err(BoundsError::Labels(size)) } else { Ok(()) }
}

/// Holds the number of a token's roles to its bound.
///
/// # Errors
/// [`BoundsError::Roles`].
pub fn check_roles(roles: &[RoleName]) -> Result<(), BoundsError> {
    if roles.len() > ROLES_MAX { Err(BoundsError::Roles(roles.len())) } else { Ok(()) }
}

/// Holds what a check reads of a token to its bound: one item under 1 KB, one read unit.
///
/// # Errors
/// [`BoundsError::Networks`], [`BoundsError::Verification`].
pub fn check_verification<'a>(
    key: &TokenKey,
    roles: impl IntoIterator<Item = &'a RoleName>,
    allowed_ips: &[IpNet],
) -> Result<(), BoundsError> {
    if allowed_ips.len() > ALLOWED_IPS_MAX {
        return Err(BoundsError::Networks(allowed_ips.len()));
    }
    let names = key.user.as_str().len() + key.name.as_str().len();
    let roles: usize = roles.into_iter().map(|role| role.as_str().len() + 1).sum();
    let networks: usize = allowed_ips.iter().map(|network| network.to_string().len() + 1).sum();
    let size = names + roles + networks;
    if size > VERIFICATION_MAX { Err(BoundsError::Verification(size)) } else { Ok(()) }
}

/// Holds places to what can be stored with a token, whose record has to stay small.
///
/// # Errors
/// [`BoundsError::Place`].
pub fn check_places(places: &[Place]) -> Result<(), BoundsError> {
    let fits = |place: &Place| {
        let kind = place.kind.as_bytes();
        let word = kind.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-');
        let length: usize = place.parts.iter().map(|(part, value)| part.len() + value.len()).sum();
        word && (1..=32).contains(&kind.len())
            && (1..=PLACE_PARTS_MAX).contains(&place.parts.len())
            && place.parts.iter().all(|(part, value)| !part.is_empty() && is_plain(part) && is_plain(value))
            && length <= PLACE_MAX
    };
    if places.iter().all(fits) { Ok(()) } else { Err(BoundsError::Place) }
}

/// Holds the receivers of notices to what can be stored with the settings, which every process reads when it starts.
///
/// # Errors
/// [`BoundsError::Receiver`], [`BoundsError::Receivers`].
pub fn check_receivers(receivers: &BTreeMap<String, String>) -> Result<(), BoundsError> {
    let word = |name: &str| name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'));
    let named = |name: &str| name.starts_with(|first: char| first.is_ascii_lowercase()) && name.len() <= 64;
    if !receivers.iter().all(|(name, table)| word(name) && named(name) && table.len() <= RECEIVER_MAX) {
        return Err(BoundsError::Receiver);
    }
    if receivers.len() > RECEIVERS_MAX { Err(BoundsError::Receivers(receivers.len())) } else { Ok(()) }
}

/// Holds the address of a user to what no mail's header can be broken by.
///
/// # Errors
/// [`BoundsError::Email`].
pub fn check_email(text: &str) -> Result<(), BoundsError> {
    let parts = text
        .split_once('@')
        .is_some_and(|(name, domain)| !name.is_empty() && !domain.is_empty() && !domain.contains('@'));
    let fits = text.len() <= EMAIL_MAX && is_plain(text) && !text.contains(char::is_whitespace);
    if parts && fits { Ok(()) } else { Err(BoundsError::Email) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(value: usize) -> BTreeMap<String, String> {
        // 8 more and 4 bytes of name for the first, 8 more and 3 for the second.
        BTreeMap::from([("team".to_owned(), "v".repeat(value)), ("env".to_owned(), "é".to_owned())])
    }

    #[test]
    fn labels_are_counted_in_bytes_with_what_each_takes_besides() {
        assert_eq!(check_labels(&BTreeMap::new()), Ok(()));
        assert_eq!(check_labels(&labels(LABELS_MAX - 25)), Ok(()));
        let error = check_labels(&labels(LABELS_MAX - 24)).unwrap_err();
        assert_eq!(error, BoundsError::Labels(513));
        assert_eq!(
            error.to_string(),
            "the labels of a token take at most 512 bytes together, each its name, its value and 8 more; these take 513"
        );
    }

    #[test]
    fn a_description_is_one_line_of_so_many_bytes() {
        assert_eq!(check_description(&"é".repeat(128)), Ok(()));
        assert_eq!(check_description(&"é".repeat(129)), Err(BoundsError::DescriptionTooLong(258)));
        for text in ["two\nlines", "\u{1b}[2J", "\u{202e}evil", "one\u{2028}two", "\u{2066}x", "\u{9b}1m"] {
            assert_eq!(check_description(text), Err(BoundsError::DescriptionNotPlain), "{text:?}");
            let labels = BTreeMap::from([("team".to_owned(), text.to_owned())]);
            assert_eq!(check_labels(&labels), Err(BoundsError::LabelNotPlain), "{text:?}");
            let labels = BTreeMap::from([(text.to_owned(), "a".to_owned())]);
            assert_eq!(check_labels(&labels), Err(BoundsError::LabelNotPlain), "{text:?}");
            assert_eq!(
                check_places(&[Place::new("dotenv", &[("path", text)], true)]),
                Err(BoundsError::Place),
                "{text:?}"
            );
        }
        assert_eq!(check_description("Räume · 日本語 👩‍💻"), Ok(()));
    }

    #[test]
    fn what_a_check_reads_is_counted_together() {
        let key = TokenKey::new("u".repeat(100).parse().unwrap(), "n".repeat(60).parse().unwrap());
        let roles: Vec<RoleName> =
            (b'a'..b'i').map(|letter| char::from(letter).to_string().repeat(64).parse().unwrap()).collect();
        assert_eq!(check_verification(&key, &roles, &[]), Ok(()), "160 and eight times 65 are 680");
        let network = ["10.0.0.0/8".parse().unwrap()];
        assert_eq!(check_verification(&key, &roles, &network), Err(BoundsError::Verification(691)));
        let many = vec![network[0]; ALLOWED_IPS_MAX + 1];
        assert_eq!(check_verification(&key, [], &many), Err(BoundsError::Networks(21)));
        assert_eq!(check_roles(&vec![roles[0].clone(); ROLES_MAX + 1]), Err(BoundsError::Roles(21)));
    }

    #[test]
    fn an_address_is_one_name_at_one_domain() {
        let longest = format!("{}@example.com", "n".repeat(EMAIL_MAX - 12));
        for good in ["ana@example.com", "ana+ci@mail.example", "anä@bücher.example", &longest] {
            assert_eq!(check_email(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "ana",
            "@example.com",
            "ana@",
            "ana@b@c",
            "a na@example.com",
            "ana@example.com\nBcc: eve@example.com",
            "ana@example.com\0",
            "ana\u{202e}@example.com",
            "ana@exam\u{a0}ple.com",
            &format!("n{longest}"),
        ] {
            assert_eq!(check_email(bad), Err(BoundsError::Email), "{bad:?}");
        }
    }

    #[test]
    fn a_place_that_cannot_be_stored_is_refused() {
        let long = "x".repeat(PLACE_MAX);
        let many: Vec<(&str, &str)> = (0..=PLACE_PARTS_MAX).map(|_| ("p", "v")).collect();
        for (kind, parts) in [
            ("Dotenv", &[("path", "a")][..]),
            ("", &[("path", "a")]),
            ("dotenv", &[]),
            ("dotenv", &[("", "a")]),
            ("dotenv", &[("p", &long)]),
            ("dotenv", &many),
        ] {
            assert_eq!(check_places(&[Place::new(kind, parts, true)]), Err(BoundsError::Place), "{kind:?} {parts:?}");
        }
        let most = &long[1..];
        assert_eq!(check_places(&[Place::new("dotenv", &[("p", most)], true)]), Ok(()));
    }
}
