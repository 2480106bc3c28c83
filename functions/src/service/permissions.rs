//! What roles allow. It is read by key, only for the roles that a token names, so that no number of roles makes a check
//! slower. Checks keep what they read for some seconds; whoever decides what a caller gains reads it anew.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::Service;
use crate::lifetime::Seconds;
use crate::mutex::Mutex;
use crate::name::RoleName;
use crate::role::Permissions;
use crate::table::{Consistency, TableError, decode, keys};

/// What roles allow may be this old in a check; everything about tokens and users acts at once.
const FRESH: Seconds = Seconds(5);
/// How many roles a process keeps; with more it forgets all, which costs reads and nothing else.
const KEPT_MAX: usize = 4096;

/// What roles allow, each with the time when it was read; a role that is not there allows nothing.
#[derive(Debug, Default)]
pub(super) struct RolesRead {
    kept: Mutex<BTreeMap<RoleName, (Timestamp, Permissions)>>,
    /// Whoever reads holds it, so that many checks at once read a role once.
    flight: tokio::sync::Mutex<()>,
}

impl RolesRead {
    fn all(&self, roles: &[RoleName], now: Timestamp) -> Option<Permissions> {
        let kept = self.kept.lock();
        let mut all = Permissions::default();
        for role in roles {
            all.extend(kept.get(role).filter(|(read, _)| is_fresh(*read, now)).map(|(_, permissions)| permissions)?);
        }
        Some(all)
    }

    fn keep(&self, read: BTreeMap<RoleName, Permissions>, now: Timestamp) {
        let mut kept = self.kept.lock();
        if kept.len() + read.len() > KEPT_MAX {
            kept.clear();
        }
        kept.extend(read.into_iter().map(|(role, permissions)| (role, (now, permissions))));
    }

    fn forget(&self, role: &RoleName) {
        self.kept.lock().remove(role);
    }
}

fn is_fresh(read: Timestamp, now: Timestamp) -> bool {
    read <= now && FRESH.after(read) > now
}

fn together(read: &BTreeMap<RoleName, Permissions>) -> Permissions {
    let mut all = Permissions::default();
    for permissions in read.values() {
        all.extend(permissions);
    }
    all
}

impl Service {
    /// What a list of roles allows in a check, at most 5 seconds old. A role that does not exist allows nothing.
    ///
    /// # Errors
    /// When the roles cannot be read.
    pub(super) async fn permissions_in_check(&self, roles: &[RoleName]) -> Result<Permissions, TableError> {
        if let Some(all) = self.roles.all(roles, self.now()) {
            return Ok(all);
        }
        let _flight = self.roles.flight.lock().await;
        let now = self.now();
        if let Some(all) = self.roles.all(roles, now) {
            return Ok(all);
        }
        let read = self.read_roles(roles, Consistency::Eventual).await?;
        let all = together(&read);
        self.roles.keep(read, now);
        Ok(all)
    }

    /// What a list of roles allows now. A role that does not exist allows nothing.
    ///
    /// # Errors
    /// When the roles cannot be read.
    pub async fn permissions_of(&self, roles: &[RoleName]) -> Result<Permissions, TableError> {
        Ok(together(&self.permissions_by_role(roles).await?))
    }

    /// What each of the roles allows now, those that do not exist included.
    pub(super) async fn permissions_by_role(
        &self,
        roles: &[RoleName],
    ) -> Result<BTreeMap<RoleName, Permissions>, TableError> {
        self.read_roles(roles, Consistency::Strong).await
    }

    async fn read_roles(
        &self,
        roles: &[RoleName],
        consistency: Consistency,
    ) -> Result<BTreeMap<RoleName, Permissions>, TableError> {
        let mut read: BTreeMap<RoleName, Permissions> =
            roles.iter().map(|role| (role.clone(), Permissions::default())).collect();
        if read.is_empty() {
            return Ok(read);
        }
        tracing::trace!(roles = read.len(), ?consistency, "roles are read");
        let keys: Vec<_> = read.keys().map(keys::role).collect();
        for role in self.table.get_each_with(&keys, consistency, decode::<super::Role>).await? {
            read.insert(role.name, role.permissions);
        }
        Ok(read)
    }

    /// Forgets what a role allows, after this process changed it.
    pub(super) fn forget_role(&self, role: &RoleName) {
        self.roles.forget(role);
    }
}
