//! Words of a command line that may be secrets, of whatever vendor: they are not said again.

/// What secrets of well-known vendors begin with.
const BEGINNINGS: &[&str] = &[
    "ghp_",
    "gho_",
    "ghs_",
    "ghu_",
    "github_pat_",
    "glpat-",
    "sk-",
    "sk_",
    "rk_",
    "xoxb-",
    "xoxp-",
    "xapp-",
    "whsec_",
    "hvs.",
    "HRKU-",
    "AKIA",
    "ASIA",
    "eyJ",
    "pypi-",
    "npm_",
    "dop_v1_",
];
/// Fewer characters of a vendor's secret than this are none.
const BEGINNING_MIN: usize = 10;
/// So many letters and digits in a row are no word and no name.
const RUN_MIN: usize = 16;
/// Options that name what only a secret is passed with.
const OPTIONS: &[&str] = &["token", "secret", "password", "passwd", "pass", "api-key", "apikey", "key", "bearer"];
const MASK: &str = "***";

/// Whether an option is one that people pass secrets with.
pub(super) fn names_a_secret(option: &str) -> bool {
    let name = option.split_once('=').map_or(option, |(name, _)| name);
    name.strip_prefix("--").is_some_and(|name| OPTIONS.contains(&name))
}

/// A message without the words that may be secrets.
pub(super) fn masked(message: &str, words: &[String]) -> String {
    let mut hidden: Vec<&str> = Vec::new();
    for (index, word) in words.iter().enumerate() {
        let value = word.split_once('=').map_or(word.as_str(), |(_, value)| value);
        let after_one = index.checked_sub(1).is_some_and(|before| names_a_secret(&words[before]));
        if names_a_secret(word) && value != word || after_one && !word.starts_with('-') {
            hidden.push(value);
        }
        // `-pVALUE` too: what comes before the value is no part of a run then.
        let parts = word.split(['=', ',', ' ', '"', '\'']).chain([word.get(2..).unwrap_or_default()]);
        hidden.extend(parts.filter(|part| is_suspect(part)));
    }
    // The longest first, so that none is left in pieces.
    hidden.sort_by_key(|part| std::cmp::Reverse(part.len()));
    hidden.iter().filter(|part| !part.is_empty()).fold(message.to_owned(), |text, part| text.replace(part, MASK))
}

fn is_suspect(text: &str) -> bool {
    let known = BEGINNINGS.iter().any(|beginning| text.starts_with(beginning)) && text.len() >= BEGINNING_MIN;
    let random = |run: &str| {
        let digits = run.bytes().filter(u8::is_ascii_digit).count();
        run.len() >= RUN_MIN && digits >= 2 && digits < run.len()
    };
    known || text.split(|character: char| !character.is_ascii_alphanumeric()).any(random)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_secret_is_masked_and_names_are_not() {
        for text in [
            "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
            "AKIAIOSFODNN7EXAMPLE",
            "eyJhbGciOi.eyJzdWIi.c2ln",
            "x-4f9c2d7e81aa03bb5c-y",
            "sk-proj-abcdef",
        ] {
            for words in [vec![text.to_owned()], vec![format!("--nmae={text}")], vec![format!("-x{text}")]] {
                let message = format!("unexpected argument '{}' found", words[0]);
                assert!(!masked(&message, &words).contains(text), "{words:?}");
            }
        }
        for name in
            ["service-number-4-production-api", "tokens.toml", "billing@example.com", "documents:read", "2027-03-31"]
        {
            assert_eq!(masked(name, &[name.to_owned()]), name);
        }
    }

    #[test]
    fn what_comes_with_an_option_for_secrets_is_masked_whatever_it_is() {
        let words = ["--password", "hunter2", "--key=pass word"].map(str::to_owned);
        assert_eq!(masked("'hunter2' and 'pass word'", &words), "'***' and '***'");
    }
}
