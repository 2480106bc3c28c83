//! Who may move what a manifest declares: each side asks for its own.

use super::super::Caller;
use super::Denied;
use crate::moving::Moving;
use crate::name::ManifestName;

impl Caller {
    /// Demands that the caller may give a role or user to a manifest, whose job then acts on it: who runs the manifest
    /// does. What is there already stays.
    pub(in crate::service) fn may_give(
        &self,
        owner: Option<&ManifestName>,
        manifest: Option<&ManifestName>,
    ) -> Result<(), Denied> {
        match manifest {
            Some(manifest) if owner != Some(manifest) => self.may_join(manifest),
            _ => Ok(()),
        }
    }

    /// Demands that the caller may agree that another manifest takes what `owner` declares. `permission` is what lets an
    /// admin do so.
    pub(in crate::service) fn may_agree(
        &self,
        owner: Option<&ManifestName>,
        moving: &Moving,
        permission: &str,
    ) -> Result<(), Denied> {
        let decides = moving.to.is_some() || moving.release;
        match owner {
            Some(owner) if decides && !self.runs(owner) => self.must_have(permission),
            _ => Ok(()),
        }
    }
}
