//! What a token may hold at the most, and what no manifest hands out.

use std::collections::BTreeMap;

use ipnet::IpNet;

use super::CreateError;
use crate::name::{RoleName, TokenName, UserName};
use crate::place::Place;
use crate::role::{Permission, Permissions};
use crate::token::{ALLOWED_IPS_MAX, DESCRIPTION_MAX, LABELS_MAX, VERIFICATION_MAX};

/// The most parts of a place.
const PARTS_MAX: usize = 12;
/// The most bytes that the parts of a place take.
const PLACE_MAX: usize = 1024;

/// Never by manifest: `admin:*`, `manifests:*`, and `*` as a resource.
pub(super) fn refuse_for_manifests(permissions: &Permissions) -> Result<(), CreateError> {
    not_by_manifest(permissions).map_or(Ok(()), |permission| Err(CreateError::NotByManifest(permission.to_string())))
}

/// The first permission that no manifest may hand out.
pub(super) fn not_by_manifest(permissions: &Permissions) -> Option<&Permission> {
    permissions.iter().find(|permission| matches!(permission.resource(), "*" | "admin" | "manifests"))
}

pub(super) fn check_text(description: Option<&str>, labels: &BTreeMap<String, String>) -> Result<(), CreateError> {
    if description.is_some_and(|text| text.len() > DESCRIPTION_MAX || text.chars().any(char::is_control)) {
        return Err(CreateError::TooLarge("a description has at most 256 bytes, on one line"));
    }
    // DynamoDB takes no name in a map that is empty.
    if labels.contains_key("") {
        return Err(CreateError::TooLarge("a label needs a name"));
    }
    if labels.iter().map(|(label, value)| label.len() + value.len() + 8).sum::<usize>() > LABELS_MAX {
        return Err(CreateError::TooLarge("the labels of a token take at most 512 bytes together"));
    }
    Ok(())
}

/// What a place may be: it is stored with the token, whose record has to stay small.
pub(super) fn check_places(places: &[Place]) -> Result<(), CreateError> {
    let fits = |place: &Place| {
        let kind = place.kind.as_bytes();
        let word = kind.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-');
        let length: usize = place.parts.iter().map(|(part, value)| part.len() + value.len()).sum();
        word && (1..=32).contains(&kind.len())
            && (1..=PARTS_MAX).contains(&place.parts.len())
            && place.parts.iter().all(|(part, _)| !part.is_empty())
            && length <= PLACE_MAX
    };
    if places.iter().all(fits) {
        return Ok(());
    }
    Err(CreateError::TooLarge("a place has a kind in lower case, and 1 to 12 parts of at most 1024 bytes together"))
}

pub(super) fn check_verification(
    user: &UserName,
    name: &TokenName,
    roles: &[RoleName],
    allowed_ips: &[IpNet],
) -> Result<(), CreateError> {
    if allowed_ips.len() > ALLOWED_IPS_MAX {
        return Err(CreateError::TooLarge("a token has at most 20 allowed networks"));
    }
    let names =
        user.as_str().len() + name.as_str().len() + roles.iter().map(|role| role.as_str().len() + 1).sum::<usize>();
    let networks: usize = allowed_ips.iter().map(|network| network.to_string().len() + 1).sum();
    if names + networks > VERIFICATION_MAX {
        return Err(CreateError::TooLarge(
            "user, name, roles and allowed networks of a token take at most 680 bytes together",
        ));
    }
    Ok(())
}
