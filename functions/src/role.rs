//! Roles and permissions.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One permission, `resource:action`, lower-case kebab; `*` only as a whole part.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(schemars::JsonSchema), schemars(with = "String"))]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(
    feature = "api",
    schemars(extend("pattern" = r"^([a-z]([a-z0-9-]{0,62}[a-z0-9])?|\*):([a-z]([a-z0-9-]{0,62}[a-z0-9])?|\*)$"))
)]
pub struct Permission {
    resource: String,
    action: String,
}

/// A text that is not a permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a permission is `resource:action` in lower-case letters, digits and `-`; `*` may stand for a whole part")]
pub struct PermissionError;

const PART_MAX: usize = 64;

/// The resources whose permissions Latchkey itself asks for.
pub const OWN_RESOURCES: [&str; 4] = ["admin", "manifests", "manifests-read", "tokens"];

fn is_part(text: &str) -> bool {
    let kebab = || {
        let bytes = text.as_bytes();
        (1..=PART_MAX).contains(&bytes.len())
            && bytes[0].is_ascii_lowercase()
            && bytes[bytes.len() - 1] != b'-'
            && bytes.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-')
    };
    text == "*" || kebab()
}

impl Permission {
    /// The part before the colon.
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// The part after the colon.
    pub fn action(&self) -> &str {
        &self.action
    }

    /// Whether holding `self` allows `other`, as a user's service asks.
    pub fn covers(&self, other: &Self) -> bool {
        let part = |mine: &str, theirs: &str| mine == "*" || mine == theirs;
        part(&self.resource, &other.resource) && part(&self.action, &other.action)
    }

    /// Whether holding `self` gives `other`, as Latchkey itself asks: `*` as a resource does not reach into its
    /// [own ones](OWN_RESOURCES), unless it is `*:*`.
    pub fn holds(&self, other: &Self) -> bool {
        let reaches = self.resource != "*" || self.action == "*" || !OWN_RESOURCES.contains(&other.resource());
        reaches && self.covers(other)
    }

    /// What both allow; `None` when there is nothing.
    pub fn meet(&self, other: &Self) -> Option<Self> {
        let part = |mine: &str, theirs: &str| match (mine, theirs) {
            ("*", any) | (any, "*") => Some(any.to_owned()),
            (mine, theirs) => (mine == theirs).then(|| mine.to_owned()),
        };
        Some(Self { resource: part(&self.resource, &other.resource)?, action: part(&self.action, &other.action)? })
    }
}

impl FromStr for Permission {
    type Err = PermissionError;

    fn from_str(text: &str) -> Result<Self, PermissionError> {
        let (resource, action) = text.split_once(':').ok_or(PermissionError)?;
        if !is_part(resource) || !is_part(action) {
            return Err(PermissionError);
        }
        Ok(Self { resource: resource.to_owned(), action: action.to_owned() })
    }
}

impl TryFrom<String> for Permission {
    type Error = PermissionError;
    fn try_from(text: String) -> Result<Self, PermissionError> {
        text.parse()
    }
}

impl From<Permission> for String {
    fn from(permission: Permission) -> Self {
        permission.to_string()
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.resource, self.action)
    }
}

/// A set of permissions. The empty set allows nothing, never everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Permissions(BTreeSet<Permission>);

impl Permissions {
    /// Whether the set allows `wanted`.
    ///
    /// ```
    /// use latchkey::role::{Permission, PermissionError, Permissions};
    ///
    /// let held: Permissions = ["documents:read".parse::<Permission>()?, "invoices:*".parse()?].into_iter().collect();
    /// assert!(held.allow(&"documents:read".parse()?));
    /// assert!(held.allow(&"invoices:write".parse()?));
    /// assert!(!held.allow(&"documents:write".parse()?));
    /// assert!(!held.allow(&"invoice:write".parse()?), "a star stands for a whole part only");
    /// assert_eq!("documents".parse::<Permission>(), Err(PermissionError));
    /// # Ok::<(), PermissionError>(())
    /// ```
    pub fn allow(&self, wanted: &Permission) -> bool {
        self.0.iter().any(|held| held.covers(wanted))
    }

    /// Whether everything that `other` allows lies within the set.
    pub fn cover(&self, other: &Self) -> bool {
        other.0.iter().all(|wanted| self.allow(wanted))
    }

    /// Whether the set gives `wanted`; see [`Permission::holds`].
    pub fn hold(&self, wanted: &Permission) -> bool {
        self.0.iter().any(|held| held.holds(wanted))
    }

    /// Whether the set gives everything that `other` does; see [`Permission::holds`].
    pub fn contain(&self, other: &Self) -> bool {
        other.0.iter().all(|wanted| self.hold(wanted))
    }

    /// What both sets allow.
    pub fn narrow(&self, other: &Self) -> Self {
        let met = self.0.iter().flat_map(|mine| other.0.iter().filter_map(|theirs| mine.meet(theirs)));
        met.collect()
    }

    /// Adds all of `other`.
    pub fn extend(&mut self, other: &Self) {
        self.0.extend(other.0.iter().cloned());
    }

    /// The permissions in order.
    pub fn iter(&self) -> impl Iterator<Item = &Permission> {
        self.0.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        Self(permissions.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn part() -> impl Strategy<Value = &'static str> {
        prop_oneof![Just("*"), Just("a"), Just("b"), Just("c")]
    }

    fn permission() -> impl Strategy<Value = Permission> {
        (part(), part()).prop_map(|(resource, action)| format!("{resource}:{action}").parse().unwrap())
    }

    fn set() -> impl Strategy<Value = Permissions> {
        proptest::collection::vec(permission(), 0..5).prop_map(Permissions::from_iter)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn what_is_read_prints_as_it_was_written(text in prop_oneof!["[a-z0-9*:-]{0,8}", "[a-z-]{0,66}:[a-z*]{0,2}", "\\PC{0,6}"]) {
            let part = "([a-z]|[a-z][a-z0-9-]{0,62}[a-z0-9]|\\*)";
            let good = regex::Regex::new(&format!("^{part}:{part}$")).unwrap().is_match(&text);
            match text.parse::<Permission>() {
                Ok(permission) => prop_assert!(good && permission.to_string() == text),
                Err(_) => prop_assert!(!good),
            }
        }

        #[test]
        fn what_two_sets_share_permits_exactly_what_both_permit(one in set(), other in set(), wanted in permission()) {
            let both = one.narrow(&other);
            prop_assert_eq!(both.allow(&wanted), one.allow(&wanted) && other.allow(&wanted));
            prop_assert!(one.cover(&both) && other.cover(&both), "nobody gains");
        }

        #[test]
        fn covering_is_reflexive_and_transitive(one in set(), two in set(), three in set(), wanted in permission()) {
            prop_assert!(one.cover(&one));
            if one.cover(&two) {
                prop_assert!(!two.allow(&wanted) || one.allow(&wanted));
                prop_assert!(!two.cover(&three) || one.cover(&three));
            }
        }

        #[test]
        fn a_union_permits_what_either_permits(one in set(), other in set(), wanted in permission()) {
            let mut all = one.clone();
            all.extend(&other);
            prop_assert_eq!(all.allow(&wanted), one.allow(&wanted) || other.allow(&wanted));
        }

        #[test]
        fn the_empty_set_permits_nothing(wanted in permission(), one in set()) {
            let none = Permissions::default();
            prop_assert!(!none.allow(&wanted));
            prop_assert!(one.cover(&none));
            prop_assert!(one.narrow(&none).is_empty());
        }
    }

    #[test]
    fn a_star_stands_for_a_whole_part_only() {
        let allows = |held: &str, wanted: &str| {
            let held: Permission = held.parse().unwrap();
            held.covers(&wanted.parse().unwrap())
        };
        assert!(allows("documents:*", "documents:read"));
        assert!(allows("*:read", "documents:read"));
        assert!(!allows("documents:read", "documents:*"));
        assert!(!allows("documents:read", "documents:read-all"));
        assert!(!allows("*:read", "documents:write"));
        for bad in ["documents", "documents:", ":read", "doc*:read", "Documents:read", "a:b:c", "documents:read "] {
            assert!(bad.parse::<Permission>().is_err(), "{bad}");
        }
    }
}
