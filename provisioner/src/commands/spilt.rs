//! Secrets among the words of a command line: other users of the machine may have seen them, and whatever repeated one
//! would put it into a log. So nothing is done, and nothing of them is said again.

use std::ffi::OsString;

use super::exit::Fault;

/// What stands for an argument, so that messages and help pages repeat its value.
const VARIABLE: &str = "LATCHKEY_SERVICE";
/// The length of the id in a secret.
const ID: usize = 16;
/// A secret that was cut off is one as far as it goes.
const RANDOM_MIN: usize = 16;

/// Why a command line is not read.
pub(super) fn refusal(words: &[OsString]) -> Option<Fault> {
    let words: Vec<_> = words.iter().skip(1).map(|word| word.to_string_lossy()).collect();
    if words.iter().any(|word| has_secret(word)) {
        let hint = "pipe it in: `printenv API_TOKEN | provision token verify`; and replace this one, as other users of \
                    the machine may have seen it in the process list";
        return Some(Fault::new("a secret cannot be passed as an argument").hint(hint));
    }
    if words.iter().any(|word| has_credentials(word)) {
        let hint = "pass the URL without them, and a token in `LATCHKEY_TOKEN`; other users of the machine may have seen \
                    these in the process list";
        return Some(Fault::new("a URL with credentials cannot be passed as an argument").hint(hint));
    }
    let value = std::env::var_os(VARIABLE)?;
    let value = value.to_string_lossy();
    let hint = "set it to the address of a service; a token is read from `LATCHKEY_TOKEN`";
    (has_secret(&value) || has_credentials(&value))
        .then(|| Fault::new(format!("`{VARIABLE}` contains credentials")).hint(hint))
}

/// Whether a secret of Latchkey is anywhere in a text: whole, mistyped or cut off.
fn has_secret(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_id = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let separators = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'_').map(|(at, _)| at);
    separators.into_iter().any(|at| {
        let id = at.checked_sub(ID).map(|start| &bytes[start..at]);
        let random = bytes[at + 1..].iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
        let before = at.checked_sub(ID + 1).map(|before| bytes[before]);
        before == Some(b'_') && id.is_some_and(|id| id.iter().all(is_id)) && random >= RANDOM_MIN
    })
}

/// Whether a text contains a URL with a password in it, or whatever stands for one where a user is.
fn has_credentials(text: &str) -> bool {
    text.match_indices("://").any(|(at, found)| {
        let rest = &text[at + found.len()..];
        let authority = rest.split(['/', '?', '#', ' ']).next().unwrap_or_default();
        let user = authority.rsplit_once('@').map(|(user, _)| user);
        // By `ssh` a user alone is no secret.
        let is_web = text[..at].ends_with("http") || text[..at].ends_with("https");
        user.is_some_and(|user| is_web || user.contains(':'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "lk_amc7q7333nwjw2wt_00000000000000000000000000000000000000000000vFuxk";

    #[test]
    fn a_secret_is_found_wherever_it_is_and_however_it_was_typed() {
        for text in [
            SECRET.to_owned(),
            format!("--token={SECRET}"),
            format!("-x{SECRET}"),
            format!("a,{SECRET},b"),
            format!("https://example.org/{SECRET}?x=1"),
            format!("{}x", &SECRET[..SECRET.len() - 1]),
            SECRET[..40].to_owned(),
            SECRET.replace("lk_", "acme_live_"),
        ] {
            assert!(has_secret(&text), "{text}");
        }
        for text in ["", "lk_", "_", "tokens.toml", "production_api_token_for_billing", "embedded:latchkey.db"] {
            assert!(!has_secret(text), "{text}");
        }
    }

    #[test]
    fn credentials_are_found_in_urls_and_not_in_addresses_of_people() {
        for text in
            ["https://a:b@example.org", "--service=http://token@host/x", "see https://u:p@h now", "postgres://u:p@h/x"]
        {
            assert!(has_credentials(text), "{text}");
        }
        for text in [
            "ana@example.com",
            "https://example.org/@ana",
            "table:latchkey",
            "https://example.org?x=a@b",
            "ssh://git@h/x",
        ] {
            assert!(!has_credentials(text), "{text}");
        }
    }
}
