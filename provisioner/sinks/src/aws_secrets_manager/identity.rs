//! Whose Secrets Manager is asked: account, region and endpoint tell it from all others.

use std::fmt;

use latchkey::place::Place;

use super::{KIND, rights};

/// Which of all Secrets Managers is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    /// The account's number; `-` where an endpoint override leaves it open.
    pub(super) account: String,
    pub(super) region: String,
    /// The endpoint, when it is not AWS's own.
    pub(super) endpoint: Option<String>,
    /// The function by which AWS may rotate what is written here.
    pub(super) rotation_function: String,
}

impl Identity {
    /// Where an entry lands.
    pub(super) fn place(&self, name: &str, json_key: Option<&str>) -> Place {
        let mut parts = vec![("account", self.account.as_str()), ("region", &self.region)];
        parts.extend(self.endpoint.as_deref().map(|endpoint| ("endpoint", endpoint)));
        parts.push(("name", name));
        parts.extend(json_key.map(|key| ("json_key", key)));
        Place::new(KIND, &parts, true)
    }

    /// Whether this is the function whose rotations are ours, in any version of it.
    pub(super) fn is_rotated_by(&self, function: &str) -> bool {
        let parts: Vec<&str> = function.split(':').collect();
        let [_, _, "lambda", region, account, "function", name, ..] = parts[..] else { return false };
        let own_account = self.account == "-" || self.account == account;
        own_account && self.region == region && self.rotation_function == name
    }

    /// The ARN pattern of a secret, which may be named by its ARN.
    pub(super) fn pattern(&self, name: &str) -> String {
        if name.starts_with("arn:") {
            return name.to_owned();
        }
        let account = if self.account == "-" { "*" } else { &self.account };
        rights::pattern(&self.region, account, name)
    }

    /// The service, for messages.
    pub(super) fn service(&self) -> String {
        match &self.endpoint {
            Some(endpoint) => format!("Secrets Manager at `{endpoint}`"),
            None => format!("Secrets Manager in `{}`", self.region),
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "account `{}`, region `{}`", self.account, self.region)?;
        self.endpoint.iter().try_for_each(|endpoint| write!(formatter, ", endpoint `{endpoint}`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_spells_out_all_that_tells_it_from_others() {
        let mut identity = Identity {
            account: "1".to_owned(),
            region: "eu-west-1".to_owned(),
            endpoint: None,
            rotation_function: "latchkey-rotate".to_owned(),
        };
        let plain = identity.place("a", None);
        assert_eq!(plain.part("endpoint"), None);
        let shared = identity.place("a", Some("k"));
        identity.endpoint = Some("http://127.0.0.1:1".to_owned());
        let elsewhere = identity.place("a", None);
        assert_ne!(plain.id(), shared.id());
        assert_ne!(plain.id(), elsewhere.id());
        assert_eq!(identity.pattern("a"), "arn:aws:secretsmanager:eu-west-1:1:secret:a-??????");
    }

    #[test]
    fn only_the_named_function_of_this_account_and_region_rotates_what_is_ours() {
        let rotation_function = "latchkey-rotate".to_owned();
        let identity =
            Identity { account: "1".to_owned(), region: "eu-west-1".to_owned(), endpoint: None, rotation_function };
        assert!(identity.is_rotated_by("arn:aws:lambda:eu-west-1:1:function:latchkey-rotate"));
        assert!(identity.is_rotated_by("arn:aws:lambda:eu-west-1:1:function:latchkey-rotate:live"));
        for other in [
            "arn:aws:lambda:eu-west-1:1:function:rotate",
            "arn:aws:lambda:eu-west-1:2:function:latchkey-rotate",
            "arn:aws:lambda:us-east-1:1:function:latchkey-rotate",
            "latchkey-rotate",
            "",
        ] {
            assert!(!identity.is_rotated_by(other), "{other}");
        }
    }
}
