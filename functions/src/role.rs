//! Roles and permissions.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The most permissions that a role may have.
pub const PERMISSIONS_MAX: usize = 100;

/// The most roles that a token or a user may have.
pub const ROLES_MAX: usize = 20;

/// One permission, `resource:action`, lower-case kebab; `*` only as a whole part.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Permission {
    resource: String,
    action: String,
}

/// A text that is not a permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a permission is `resource:action` in lower-case letters, digits and `-`; `*` may stand for a whole part")]
pub struct PermissionError;

const PART_MAX: usize = 64;

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
    #[must_use]
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// The part after the colon.
    #[must_use]
    pub fn action(&self) -> &str {
        &self.action
    }

    /// Whether holding `self` permits `other`.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        let part = |mine: &str, theirs: &str| mine == "*" || mine == theirs;
        part(&self.resource, &other.resource) && part(&self.action, &other.action)
    }

    /// What both permit; `None` when there is nothing.
    #[must_use]
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

/// A set of permissions. The empty set permits nothing, never everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Permissions(BTreeSet<Permission>);

impl Permissions {
    /// Whether the set permits `wanted`.
    #[must_use]
    pub fn allow(&self, wanted: &Permission) -> bool {
        self.0.iter().any(|held| held.covers(wanted))
    }

    /// Whether everything that `other` permits lies within the set.
    #[must_use]
    pub fn cover(&self, other: &Self) -> bool {
        other.0.iter().all(|wanted| self.allow(wanted))
    }

    /// What both sets permit.
    #[must_use]
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
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        Self(permissions.into_iter().collect())
    }
}
