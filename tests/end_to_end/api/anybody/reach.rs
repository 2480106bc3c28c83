//! What a secret allows, counted out, and what a caller could have given.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use jiff::Timestamp;
use latchkey::name::ManifestName;
use latchkey::role::{Permission, Permissions};
use latchkey::service::Valid;

/// What is asked of a secret, whatever spelled it.
pub(super) const PROBES: [&str; 9] = [
    "documents:read",
    "documents:write",
    "invoices:read",
    "tokens:write",
    "admin:tokens",
    "admin:users",
    "admin:roles",
    "manifests:acme",
    "manifests:other",
];
pub(super) const ADDRESSES: [[u8; 4]; 4] = [[10, 1, 0, 1], [10, 2, 0, 1], [192, 0, 2, 1], [198, 51, 100, 1]];

/// Every single thing that a secret lets its holder do: what, and from where; and until when.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Reach {
    pub(super) allowed: BTreeSet<(&'static str, [u8; 4])>,
    pub(super) what: BTreeSet<&'static str>,
    pub(super) until: Timestamp,
    pub(super) manifest: Option<ManifestName>,
}

impl Reach {
    pub(super) fn of(valid: &Valid) -> Self {
        let what = covered(&valid.permissions);
        let from = |address: &[u8; 4]| {
            valid.allowed_ips.is_empty() || valid.allowed_ips.iter().any(|net| net.contains(&IpAddr::from(*address)))
        };
        let from: Vec<[u8; 4]> = ADDRESSES.into_iter().filter(from).collect();
        let allowed = what.iter().flat_map(|what| from.iter().map(|from| (*what, *from))).collect();
        Self { allowed, what, until: valid.expires, manifest: valid.managed_by.clone() }
    }

    /// Whether everything of it is in `other`. What allows nothing may live as long as it likes.
    pub(super) fn is_within(&self, other: &Self) -> bool {
        self.what.is_empty() || (self.allowed.is_subset(&other.allowed) && self.until <= other.until)
    }
}

pub(super) fn covered(held: &Permissions) -> BTreeSet<&'static str> {
    PROBES.into_iter().filter(|probe| held.hold(&probe.parse::<Permission>().unwrap())).collect()
}

/// What a caller can give others: all of their own, or, to what a manifest has that they run, its grant.
pub(super) struct Giver {
    pub(super) own: Reach,
    pub(super) bound: bool,
    pub(super) brief: bool,
    pub(super) grants: BTreeMap<ManifestName, Permissions>,
}

impl Giver {
    /// Why an operation of theirs gained too much for a secret.
    pub(super) fn objects(&self, operation: &str, before: Option<&Reach>, after: &Reach) -> Option<&'static str> {
        if before.is_some_and(|before| after.is_within(before)) || after.what.is_empty() {
            return None;
        }
        let gained: BTreeSet<&str> = match before {
            Some(before) => after.what.difference(&before.what).copied().collect(),
            None => after.what.clone(),
        };
        let within = |grant: &Permissions| after.what.is_subset(&covered(grant));
        // Who defines a role or a user of a manifest gives what a manifest may; which one is in the request only.
        let by_grant = |grant: &Permissions| gained.is_subset(&covered(grant));
        if ["putRole", "deleteRole", "putUser", "setGrant", "deleteUser"].contains(&operation) {
            if before.is_none_or(|before| !same_networks(before, after) || before.until < after.until) {
                return Some("a role or a user changed networks or life");
            }
            let own = gained.is_subset(&self.own.what) && !self.bound && !self.brief;
            return (!own && !self.grants.values().any(by_grant)).then_some("a role was widened beyond its caller");
        }
        let granted = after.manifest.as_ref().and_then(|manifest| self.grants.get(manifest)).is_some_and(within);
        (!granted && !after.is_within(&self.own)).then_some("a token got more than its caller could")
    }
}

impl Giver {
    /// Whether they may have had something hold this from now on.
    pub(super) fn gave(&self, what: &str, gained: &BTreeSet<&'static str>) -> bool {
        let by_grant = || self.grants.values().any(|grant| gained.is_subset(&covered(grant)));
        let own = gained.is_subset(&self.own.what);
        match what.split_once(' ') {
            Some((_, kind)) if kind.starts_with("grant") => own && !self.bound && !self.brief,
            Some((_, kind)) if kind.starts_with("role") => (own && !self.bound && !self.brief) || by_grant(),
            _ => own || by_grant(),
        }
    }
}

pub(super) fn same_networks(before: &Reach, after: &Reach) -> bool {
    let from = |reach: &Reach| reach.allowed.iter().map(|(_, from)| *from).collect::<BTreeSet<_>>();
    before.what.is_empty() || after.what.is_empty() || from(after).is_subset(&from(before))
}
