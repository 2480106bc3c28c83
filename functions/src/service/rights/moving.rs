//! Who may move what a manifest declares: each side asks for its own.

use super::super::Caller;
use super::Denied;
use crate::moving::Moving;
use crate::name::ManifestName;

impl Caller {
    /// Demands that the caller may agree that another manifest takes what `owner` declares. `permission` is what lets an
    /// admin do so.
    pub(in crate::service) fn may_agree(
        &self,
        owner: Option<&ManifestName>,
        moving: &Moving,
        permission: &str,
    ) -> Result<(), Denied> {
        match (&moving.to, owner) {
            (Some(_), Some(owner)) if !self.runs(owner) => self.must_have(permission),
            _ => Ok(()),
        }
    }
}
