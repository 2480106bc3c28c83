//! A change of a deployment's settings: what it may be, and what comes of it.

use std::collections::BTreeMap;

use super::Policy;
use crate::bounds::{BoundsError, check_receivers};
use crate::lifetime::Seconds;
use crate::secret::Prefix;

/// The most active tokens that a user may have by default.
pub const MAX_TOKENS_MAX: u32 = 10_000;
/// The shortest life that settings may name.
pub const LIFE_MIN: Seconds = Seconds::minutes(1);
/// The longest token name that settings may allow, which is the longest that there is.
pub const NAME_MAX: usize = 64;
/// The most older prefixes that are still accepted.
pub const OLDER_PREFIXES_MAX: usize = 8;

/// What is to change of the settings; what is `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PolicyChange {
    /// What new secrets start with. What they started with before stays accepted.
    pub prefix: Option<Prefix>,
    /// What older secrets start with; a secret with a prefix that is neither is not valid.
    pub older_prefixes: Option<Vec<Prefix>>,
    /// The limit of active tokens of a user who has none of their own.
    pub max_tokens: Option<u32>,
    /// The life of a token that is created without an expiry.
    pub expiry_default: Option<Seconds>,
    /// The longest life of a token.
    pub expiry_max: Option<Seconds>,
    /// The longest token name.
    pub name_max: Option<usize>,
    /// Whether changes of tokens queue notices.
    pub notices: Option<bool>,
    /// Receivers by name, each with its settings as TOML; `None` removes it. Setting one turns notices on.
    pub receivers: BTreeMap<String, Option<String>>,
}

/// Why settings cannot be so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// Too many older prefixes.
    #[error("at most {OLDER_PREFIXES_MAX} older prefixes are accepted")]
    OlderPrefixes,
    /// Not a limit of tokens.
    #[error("the limit of active tokens is 1 to {MAX_TOKENS_MAX}")]
    MaxTokens,
    /// Not a life.
    #[error("the default life of a token is at least {LIFE_MIN}, and at most its longest, {max}")]
    ExpiryDefault {
        /// The longest life of a token.
        max: Seconds,
    },
    /// Not the longest life.
    #[error("the longest life of a token is {LIFE_MIN} to 3660d")]
    ExpiryMax,
    /// Not a length of names.
    #[error("the longest token name is 1 to {NAME_MAX}")]
    NameMax,
    /// There is no such receiver.
    #[error("the settings have no receiver `{0}`")]
    NoReceiver(String),
    /// The address or the secret of a receiver itself.
    #[error("the `url` and the `secret` of the receiver `{0}` are logins, and must not be in the settings themselves")]
    PlainLogin(String),
    /// A receiver that cannot be stored.
    #[error(transparent)]
    Bounds(#[from] BoundsError),
}

impl PolicyError {
    /// The setting that is wrong.
    pub fn setting(&self) -> &'static str {
        match self {
            Self::OlderPrefixes => "older_prefixes",
            Self::MaxTokens => "max_tokens",
            Self::ExpiryDefault { .. } => "expiry_default",
            Self::ExpiryMax => "expiry_max",
            Self::NameMax => "name_max",
            Self::NoReceiver(_) | Self::PlainLogin(_) | Self::Bounds(_) => "receivers",
        }
    }
}

impl Policy {
    /// The settings as a change makes them; their revision is the same.
    ///
    /// # Errors
    /// See [`PolicyError`].
    pub fn with(&self, change: &PolicyChange) -> Result<Self, PolicyError> {
        let mut new = self.clone();
        new.set_prefixes(change)?;
        new.max_tokens = change.max_tokens.unwrap_or(new.max_tokens);
        new.expiry_default = change.expiry_default.unwrap_or(new.expiry_default);
        new.expiry_max = change.expiry_max.unwrap_or(new.expiry_max);
        new.name_max = change.name_max.unwrap_or(new.name_max);
        if !(1..=MAX_TOKENS_MAX).contains(&new.max_tokens) {
            return Err(PolicyError::MaxTokens);
        }
        if !(LIFE_MIN..=Seconds::days(3660)).contains(&new.expiry_max) {
            return Err(PolicyError::ExpiryMax);
        }
        if !(LIFE_MIN..=new.expiry_max).contains(&new.expiry_default) {
            return Err(PolicyError::ExpiryDefault { max: new.expiry_max });
        }
        if !(1..=NAME_MAX).contains(&new.name_max) {
            return Err(PolicyError::NameMax);
        }
        for (name, table) in &change.receivers {
            match table {
                Some(table) if names_a_login(table) => return Err(PolicyError::PlainLogin(name.clone())),
                Some(table) => new.notices.set(name, table)?,
                None if new.notices.receivers.remove(name).is_none() => {
                    return Err(PolicyError::NoReceiver(name.clone()));
                }
                None => {}
            }
        }
        check_receivers(&new.notices.receivers)?;
        new.notices.on = change.notices.unwrap_or(new.notices.on);
        Ok(new)
    }

    fn set_prefixes(&mut self, change: &PolicyChange) -> Result<(), PolicyError> {
        if let Some(older) = &change.older_prefixes {
            self.older_prefixes.clone_from(older);
        }
        if let Some(prefix) = &change.prefix {
            let former = std::mem::replace(&mut self.prefix, prefix.clone());
            // Secrets that start with it are out there.
            self.older_prefixes.push(former);
        }
        let mut kept: Vec<Prefix> = Vec::new();
        for older in std::mem::take(&mut self.older_prefixes) {
            if older != self.prefix && !kept.contains(&older) {
                kept.push(older);
            }
        }
        self.older_prefixes = kept;
        if self.older_prefixes.len() > OLDER_PREFIXES_MAX { Err(PolicyError::OlderPrefixes) } else { Ok(()) }
    }

    /// What differs in another one, a clause each. Of receivers the names only: what they contain is not for the audit.
    pub fn differences(&self, new: &Self) -> Vec<String> {
        let prefixes = |of: &Self| of.older_prefixes.iter().map(Prefix::as_str).collect::<Vec<_>>().join(" ");
        let on = |of: &Self| if of.notices.on { "on" } else { "off" }.to_owned();
        let pairs = [
            ("prefix", self.prefix.as_str().to_owned(), new.prefix.as_str().to_owned()),
            ("older_prefixes", prefixes(self), prefixes(new)),
            ("max_tokens", self.max_tokens.to_string(), new.max_tokens.to_string()),
            ("expiry_default", self.expiry_default.to_string(), new.expiry_default.to_string()),
            ("expiry_max", self.expiry_max.to_string(), new.expiry_max.to_string()),
            ("name_max", self.name_max.to_string(), new.name_max.to_string()),
            ("notices", on(self), on(new)),
        ];
        let changed = pairs.into_iter().filter(|(_, old, new)| old != new);
        let or_none = |text: String| if text.is_empty() { "none".to_owned() } else { text };
        let mut clauses: Vec<String> =
            changed.map(|(name, old, new)| format!("{name}: {} -> {}", or_none(old), or_none(new))).collect();
        let (was, is) = (&self.notices.receivers, &new.notices.receivers);
        for (name, table) in is {
            match was.get(name) {
                None => clauses.push(format!("receiver {name} added")),
                Some(before) if before != table => clauses.push(format!("receiver {name} changed")),
                Some(_) => {}
            }
        }
        clauses
            .extend(was.keys().filter(|name| !is.contains_key(*name)).map(|name| format!("receiver {name} removed")));
        clauses
    }
}

/// Whether a receiver's table has its `url` or its `secret` as a text, where only a reference may be. Whoever sends by it
/// reads all of it; this is what must not even be stored.
fn names_a_login(table: &str) -> bool {
    let top = usize::from(table.trim_start().starts_with('{'));
    let (mut depth, mut quote, mut key) = (0_usize, None, String::new());
    let mut rest = table.chars().peekable();
    while let Some(found) = rest.next() {
        match (quote, found) {
            (Some('"'), '\\') => drop(rest.next()),
            (Some(open), _) if open == found => quote = None,
            (None, '"' | '\'') => quote = Some(found),
            (None, '#') => while rest.next_if(|next| *next != '\n').is_some() {},
            (None, '{' | '[') => depth += 1,
            (None, '}' | ']') => depth = depth.saturating_sub(1),
            (None, '=') => {
                let plain = matches!(key.trim(), "url" | "secret") && depth == top;
                while rest.next_if(|next| next.is_whitespace()).is_some() {}
                if plain && rest.peek() != Some(&'{') {
                    return true;
                }
                key.clear();
            }
            (None, ',' | '\n') => key.clear(),
            // A quoted key is a key.
            _ => key.push(found),
        }
        if depth > top || matches!(found, '{') {
            key.clear();
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefixes(texts: &[&str]) -> Vec<Prefix> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn a_new_prefix_leaves_the_former_one_accepted() {
        let change = |prefix: &str| PolicyChange { prefix: prefix.parse().ok(), ..PolicyChange::default() };
        let acme = Policy::default().with(&change("acme")).unwrap();
        assert_eq!((acme.prefix.as_str(), &acme.older_prefixes), ("acme", &prefixes(&["lk"])));
        let back = acme.with(&change("lk")).unwrap();
        assert_eq!((back.prefix.as_str(), &back.older_prefixes), ("lk", &prefixes(&["acme"])));
        assert_eq!(back.with(&change("lk")).unwrap(), back, "the same again changes nothing");
        assert_eq!(Policy::default().differences(&acme), ["prefix: lk -> acme", "older_prefixes: none -> lk"]);
    }

    #[test]
    fn settings_that_contradict_each_other_or_a_bound_change_nothing() {
        let none = PolicyChange::default;
        let cases = [
            (PolicyChange { max_tokens: Some(0), ..none() }, "max_tokens"),
            (PolicyChange { max_tokens: Some(MAX_TOKENS_MAX + 1), ..none() }, "max_tokens"),
            (PolicyChange { expiry_max: Some(Seconds::days(30)), ..none() }, "expiry_default"),
            (PolicyChange { expiry_default: Some(Seconds(1)), ..none() }, "expiry_default"),
            (PolicyChange { expiry_max: Some(Seconds::days(3661)), ..none() }, "expiry_max"),
            (PolicyChange { name_max: Some(0), ..none() }, "name_max"),
            (PolicyChange { name_max: Some(65), ..none() }, "name_max"),
            (PolicyChange { receivers: [("ops".to_owned(), None)].into(), ..none() }, "receivers"),
            (
                PolicyChange {
                    older_prefixes: Some(prefixes(&["a", "b", "c", "d", "e", "f", "g", "h", "i"])),
                    ..none()
                },
                "older_prefixes",
            ),
        ];
        for (change, setting) in cases {
            assert_eq!(Policy::default().with(&change).unwrap_err().setting(), setting, "{change:?}");
        }
        let both =
            PolicyChange { expiry_max: Some(Seconds::days(30)), expiry_default: Some(Seconds::days(30)), ..none() };
        assert!(Policy::default().with(&both).is_ok());
    }

    #[test]
    fn an_address_that_is_a_login_is_never_stored_itself() {
        for bad in [
            "{ type = \"slack\", url = \"https://hooks.example.com/x\" }",
            "type = \"slack\"\nurl='https://hooks.example.com/x'",
            "{ type = \"webhook\", url = { env = \"URL\" }, secret = \"whsec_x\" }",
            "\"url\" = \"https://hooks.example.com/x\"",
            "on = [\"leaked\"] # url\nsecret = '''x'''",
            "{ link = \"{\", url = \"https://hooks.example.com/x\" }",
        ] {
            assert!(names_a_login(bad), "{bad}");
        }
        for good in [
            "{ type = \"slack\", url = { env = \"SLACK_WEBHOOK_URL\" } }",
            "type = \"webhook\"\nurl = { secret = \"latchkey/url\" }\nsecret = { secret = \"latchkey/x\" }",
            "{ type = \"eventbridge\", bus = \"ops\", endpoint = \"http://127.0.0.1:1\", on = [\"leaked\"] }",
            "{ type = \"email\", from = \"url = x@example.com\", to = [\"secret=@example.com\"] }",
            "# url = \"no\"\ntype = \"slack\"",
        ] {
            assert!(!names_a_login(good), "{good}");
        }
    }
}
