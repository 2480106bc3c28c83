//! One setting: what it is called, how its value reads, and what a change of it means for what there is.

use latchkey::policy::{Policy, PolicyChange};
use latchkey::secret::Prefix;
use latchkey_sinks::plural::count;

use super::exit::Fault;
use super::reach::listed;
use crate::notify::{self, NAME_RULE};
use crate::service::{Client, ServiceError};

/// A setting by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Setting<'a> {
    Prefix,
    OlderPrefixes,
    MaxTokens,
    ExpiryDefault,
    ExpiryMax,
    NameMax,
    /// All receivers.
    Notify,
    Receiver(&'a str),
}

/// Those with a value of their own.
pub(super) const VALUES: [Setting<'static>; 6] = [
    Setting::Prefix,
    Setting::OlderPrefixes,
    Setting::MaxTokens,
    Setting::ExpiryDefault,
    Setting::ExpiryMax,
    Setting::NameMax,
];

impl<'a> Setting<'a> {
    /// Reads the name of a setting.
    pub(super) fn parse(key: &'a str) -> Result<Self, Fault> {
        if let Some(name) = key.strip_prefix("notify.") {
            let fault = || Fault::new(format!("`{name}` cannot be a receiver's name")).hint(NAME_RULE);
            return if notify::is_name(name) { Ok(Self::Receiver(name)) } else { Err(fault()) };
        }
        let known = key.replace('-', "_");
        if known == "notify" {
            return Ok(Self::Notify);
        }
        VALUES.into_iter().find(|setting| setting.name() == known).ok_or_else(|| {
            let names: Vec<String> = VALUES.iter().map(|setting| format!("`{}`", setting.name())).collect();
            let near = VALUES.iter().min_by_key(|setting| strsim::damerau_levenshtein(setting.name(), &known));
            let near = near.filter(|setting| strsim::damerau_levenshtein(setting.name(), &known) <= 3);
            Fault::new(format!("`{key}` is not a setting")).hint(near.map_or_else(
                || format!("there are {} and `notify.NAME`, a receiver of notices", names.join(", ")),
                |setting| format!("did you mean `{}`?", setting.name()),
            ))
        })
    }

    /// What it is called.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Prefix => "prefix",
            Self::OlderPrefixes => "older_prefixes",
            Self::MaxTokens => "max_tokens",
            Self::ExpiryDefault => "expiry_default",
            Self::ExpiryMax => "expiry_max",
            Self::NameMax => "name_max",
            Self::Notify | Self::Receiver(_) => "notify",
        }
    }

    /// Its value.
    pub(super) fn of(self, policy: &Policy) -> String {
        match self {
            Self::Prefix => policy.prefix.as_str().to_owned(),
            Self::OlderPrefixes if policy.older_prefixes.is_empty() => "none".to_owned(),
            Self::OlderPrefixes => policy.older_prefixes.iter().map(Prefix::as_str).collect::<Vec<_>>().join(","),
            Self::MaxTokens => policy.max_tokens.to_string(),
            Self::ExpiryDefault => policy.expiry_default.to_string(),
            Self::ExpiryMax => policy.expiry_max.to_string(),
            Self::NameMax => policy.name_max.to_string(),
            Self::Notify => if policy.notices.on { "on" } else { "off" }.to_owned(),
            Self::Receiver(name) => policy.notices.receivers.get(name).cloned().unwrap_or_else(|| "none".to_owned()),
        }
    }

    /// The change that gives it a value, of those that have one of their own.
    pub(super) fn to(self, value: &str) -> Result<PolicyChange, Fault> {
        let key = self.name();
        let bad = |rule: String| Fault::new(format!("`{value}` cannot be `{key}`, so nothing was changed")).hint(rule);
        let number = |rule: &str| bad(format!("{rule} is a whole number"));
        let none = PolicyChange::default();
        Ok(match self {
            Self::Prefix => {
                PolicyChange { prefix: Some(value.parse().map_err(|error| bad(format!("{error}")))?), ..none }
            }
            Self::OlderPrefixes => {
                let texts = value.split(',').map(str::trim).filter(|text| !text.is_empty() && *text != "none");
                let read: Result<Vec<Prefix>, _> = texts.map(str::parse).collect();
                let older = read.map_err(|error: latchkey::secret::PrefixError| bad(error.to_string()))?;
                PolicyChange { older_prefixes: Some(older), ..none }
            }
            Self::MaxTokens => {
                PolicyChange { max_tokens: Some(value.parse().map_err(|_| number("a limit of tokens"))?), ..none }
            }
            Self::ExpiryDefault => {
                PolicyChange { expiry_default: Some(value.parse().map_err(|error| bad(format!("{error}")))?), ..none }
            }
            Self::ExpiryMax => {
                PolicyChange { expiry_max: Some(value.parse().map_err(|error| bad(format!("{error}")))?), ..none }
            }
            Self::NameMax => {
                PolicyChange { name_max: Some(value.parse().map_err(|_| number("a length of names"))?), ..none }
            }
            Self::Notify | Self::Receiver(_) => {
                return Err(Fault::new("a receiver of notices has a name: `notify.NAME`"));
            }
        })
    }

    /// The change that takes it back to what it is where nobody has set it.
    pub(super) fn reset(self, policy: &Policy) -> Result<PolicyChange, Fault> {
        let none = PolicyChange::default();
        match self {
            Self::Notify => {
                let receivers = policy.notices.receivers.keys().map(|name| (name.clone(), None)).collect();
                Ok(PolicyChange { notices: Some(false), receivers, ..none })
            }
            Self::Receiver(name) if policy.notices.receivers.contains_key(name) => {
                Ok(PolicyChange { receivers: [(name.to_owned(), None)].into(), ..none })
            }
            Self::Receiver(name) => {
                Err(Fault::new(format!("the settings have no `notify.{name}`")).hint("see `provision settings show`"))
            }
            value => value.to(&value.of(&Policy::default())),
        }
    }
}

/// The prefixes that are no longer accepted: all secrets that start with one stop being valid.
pub(super) fn refused(old: &Policy, new: &Policy) -> Vec<String> {
    let accepted = old.older_prefixes.iter().chain([&old.prefix]);
    let gone = accepted.filter(|prefix| !new.accepts(prefix.as_str()));
    gone.map(|prefix| format!("`{}_`", prefix.as_str())).collect()
}

/// What a change means for what there is already, a sentence.
pub(super) async fn meaning(setting: Setting<'_>, client: &Client, new: &Policy) -> Result<Option<String>, Fault> {
    Ok(Some(match setting {
        Setting::Prefix => {
            format!("new secrets start with `{}_`; those that exist keep theirs and stay valid", new.prefix.as_str())
        }
        Setting::OlderPrefixes if new.older_prefixes.is_empty() => {
            format!("only secrets that start with `{}_` are valid", new.prefix.as_str())
        }
        Setting::OlderPrefixes => "secrets with these prefixes stay valid, and none is created with them".to_owned(),
        Setting::MaxTokens => return Ok(Some(over(client, new.max_tokens).await?)),
        Setting::ExpiryDefault => "tokens that exist keep their expiry".to_owned(),
        Setting::ExpiryMax => {
            "tokens that exist keep their expiry; a manifest whose `expires_in` is longer is refused \
                               when it creates or changes a token"
                .to_owned()
        }
        Setting::NameMax => "tokens that exist keep their names".to_owned(),
        Setting::Notify | Setting::Receiver(_) => return Ok(None),
    }))
}

/// Who has more active tokens than a limit.
async fn over(client: &Client, limit: u32) -> Result<String, Fault> {
    let users = match client.all_users().await {
        Ok(users) => users,
        Err(ServiceError::Refused(_)) => {
            return Ok("users with more tokens keep them, and get no new one until they have fewer".to_owned());
        }
        Err(error) => return Err(error.into()),
    };
    let over: Vec<String> = users
        .iter()
        .filter(|user| user.max_tokens.is_none() && user.active > limit)
        .map(|user| user.name.to_string())
        .collect();
    Ok(match over.len() {
        0 => "nobody has more; users with a limit of their own keep it".to_owned(),
        many => format!(
            "{} more ({}): the tokens stay valid, and no new one is created until there are fewer",
            if many == 1 { "1 user has".to_owned() } else { format!("{} have", count(many, "user")) },
            listed(&over)
        ),
    })
}
