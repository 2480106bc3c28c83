//! What a string is that turned up somewhere: a secret, a part of one, an id, another service's, or nothing known. No I/O,
//! and nothing that is answered contains what could be secret.

use latchkey::secret::{Prefix, Secret, TokenId};
use zeroize::Zeroizing;

/// The lengths of the parts of a secret.
const ID: usize = 16;
const RANDOM: usize = 49;
/// The prefix of secrets where a deployment sets no other.
const USUAL_PREFIX: &str = "lk";

/// What a string is.
#[derive(Debug)]
pub(super) enum Presented {
    /// A whole secret with a good checksum.
    Secret(Secret),
    /// As long as a secret, or longer, with a wrong checksum.
    Mistyped(Public),
    /// The beginning of a secret: so many characters are missing.
    Cut(Public, usize),
    /// A secret of which a part is hidden by `*` or the like.
    Masked(Public),
    /// The beginning of a secret that ends before its id does.
    TooShort,
    /// The id of a token.
    Id(TokenId),
    /// More than one whole secret.
    Several(usize),
    /// Another service's.
    Foreign(&'static str),
    /// Nothing but blanks.
    Empty,
    Unknown,
}

/// What is public of a secret. No checksum vouches for it, so it may be a part of something else.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Public {
    pub(super) prefix: Prefix,
    pub(super) id: TokenId,
}

impl Public {
    /// Whether it may be shown: with the usual prefix it is nobody else's secret.
    pub(super) fn is_shown(&self) -> bool {
        self.prefix.as_str() == USUAL_PREFIX
    }
}

/// Reads a string, with whatever is around what matters in it.
pub(super) fn read(text: &str) -> Presented {
    if let Some(found) = whole(text) {
        return found;
    }
    // A terminal or a mail has broken it.
    let joined = Zeroizing::new(text.chars().filter(|character| !is_blank(*character)).collect::<String>());
    if joined.is_empty() {
        return Presented::Empty;
    }
    if let Some(found) = whole(&joined) {
        return found;
    }
    if let Some(found) = part(text) {
        return found;
    }
    if let Some(service) = words(text).find_map(foreign) {
        return Presented::Foreign(service);
    }
    let mut ids = names(text).filter_map(|name| name.parse::<TokenId>().ok());
    match (ids.next(), ids.next()) {
        (Some(id), None) => Presented::Id(id),
        (None, _) if names(text).any(|name| name == USUAL_PREFIX || name.starts_with("lk_")) => Presented::TooShort,
        _ => Presented::Unknown,
    }
}

/// What is around a secret that is whole, in words that repeat nothing of it.
pub(super) fn around(text: &str, secret: &Secret) -> Vec<&'static str> {
    let Some((before, after)) = text.split_once(secret.expose()) else {
        return vec!["line breaks or blanks inside it"];
    };
    // What `echo` adds is nobody's slip.
    let after = after.strip_suffix('\n').unwrap_or(after);
    let both = || before.chars().chain(after.chars());
    let bearer = before.trim_end().to_ascii_lowercase().ends_with("bearer");
    let blank = before.ends_with(is_blank) || after.starts_with(is_blank);
    let quote = both().any(|character| matches!(character, '"' | '\'' | '`' | '\u{201c}' | '\u{201d}'));
    let named = before.trim_end_matches(['"', '\'', ' ']).ends_with(['=', ':']) && !bearer;
    let all = [
        (quote, "quotes"),
        (named, "a name before it"),
        (bearer, "the word `Bearer`"),
        (both().any(is_invisible), "invisible characters"),
        (blank && !bearer, "blanks"),
    ];
    let mut found: Vec<_> = all.into_iter().filter(|(is_so, _)| *is_so).map(|(_, words)| words).collect();
    if found.is_empty() && both().next().is_some() {
        found.push("other text");
    }
    found
}

/// The parts that can be a name or a secret.
fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split(|character: char| !is_digit(character)).filter(|name| !name.is_empty())
}

/// The parts that can be some service's secret.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let ends = |character: char| !(is_digit(character) || matches!(character, '-' | '.'));
    text.split(ends).filter(|word| !word.is_empty())
}

fn is_digit(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

fn is_blank(character: char) -> bool {
    character.is_whitespace() || is_invisible(character)
}

fn is_invisible(character: char) -> bool {
    matches!(character, '\u{feff}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{ad}')
}

fn whole(text: &str) -> Option<Presented> {
    let mut found: Vec<Secret> = Vec::new();
    for secret in names(text).filter_map(|name| Secret::parse(name).ok()) {
        if found.iter().all(|other| other.expose() != secret.expose()) {
            found.push(secret);
        }
    }
    match found.len() {
        0 => None,
        1 => found.pop().map(Presented::Secret),
        several => Some(Presented::Several(several)),
    }
}

/// A secret of which only the public part is whole.
fn part(text: &str) -> Option<Presented> {
    let separators = text.match_indices('_').map(|(at, _)| at);
    separators.into_iter().find_map(|at| {
        let head = text[..at].rsplit(|character: char| !is_digit(character)).next()?;
        let (before, id) = head.split_at_checked(head.len().checked_sub(ID)?)?;
        let id = id.parse().ok()?;
        let prefix = before.strip_suffix('_')?;
        // A name may be right before it, in capitals.
        let prefix = prefix.rsplit(|character: char| character.is_ascii_uppercase()).next()?;
        let public = Public { prefix: prefix.parse().ok()?, id };
        let rest = &text[at + 1..];
        let random = rest.chars().take_while(char::is_ascii_alphanumeric).count();
        let masked = rest[random..].starts_with(['*', '\u{2022}', '\u{2026}', '\u{25cf}', '.', '#', '-', '<', '['])
            && !rest[random..].starts_with(". ")
            || rest[..random].len() >= 3 && rest[..random].chars().all(|character| matches!(character, 'x' | 'X'));
        Some(match random {
            RANDOM.. => Presented::Mistyped(public),
            _ if masked => Presented::Masked(public),
            _ => Presented::Cut(public, RANDOM - random),
        })
    })
}

/// Whose a secret is, by the forms that services give theirs so that they are recognised.
fn foreign(word: &str) -> Option<&'static str> {
    const PREFIXES: [(&str, &str); 29] = [
        ("github_pat_", "GitHub"),
        ("ghp_", "GitHub"),
        ("gho_", "GitHub"),
        ("ghu_", "GitHub"),
        ("ghs_", "GitHub"),
        ("ghr_", "GitHub"),
        ("glpat-", "GitLab"),
        ("gldt-", "GitLab"),
        ("glrt-", "GitLab"),
        ("xoxb-", "Slack"),
        ("xoxp-", "Slack"),
        ("xoxa-", "Slack"),
        ("xoxe", "Slack"),
        ("xapp-", "Slack"),
        ("sk_live_", "Stripe"),
        ("sk_test_", "Stripe"),
        ("rk_live_", "Stripe"),
        ("rk_test_", "Stripe"),
        ("whsec_", "Standard Webhooks"),
        ("npm_", "npm"),
        ("pypi-", "PyPI"),
        ("dop_v1_", "DigitalOcean"),
        ("SG.", "SendGrid"),
        ("hvs.", "HashiCorp Vault"),
        ("HRKU-", "Heroku"),
        ("sk-ant-", "Anthropic"),
        ("sk-", "OpenAI"),
        ("AIza", "Google"),
        ("ya29.", "Google"),
    ];
    let known = PREFIXES.into_iter().find(|(prefix, _)| word.len() >= prefix.len() + 8 && word.starts_with(prefix));
    if let Some((_, service)) = known {
        return Some(service);
    }
    let rest = ["AKIA", "ASIA"].into_iter().find_map(|prefix| word.strip_prefix(prefix));
    let is_aws =
        |rest: &str| rest.len() == 16 && rest.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    if rest.is_some_and(is_aws) {
        return Some("AWS");
    }
    (word.starts_with("eyJ") && word.matches('.').count() == 2).then_some("a JSON Web Token")
}

#[cfg(test)]
mod tests;
