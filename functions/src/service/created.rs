//! What a manifest may create by a token: which names of users and roles, and how many. Without a bound a job's token
//! could occupy names that people need, and fill the table.

use super::{Denied, Grant, Service};
use crate::name::{ManifestName, RoleName, UserName};
use crate::table::keys::{self, Key};
use crate::table::{Condition, TableError, Update, Write, count, number};

/// How many users, and how many roles, a manifest may create by a token where its grant does not say it.
pub const NEW_MAX: u32 = 100;

/// A user or a role to be created.
#[derive(Debug, Clone, Copy)]
pub(super) enum New<'a> {
    User(&'a UserName),
    Role(&'a RoleName),
}

impl New<'_> {
    fn name(self) -> String {
        match self {
            Self::User(name) => name.to_string(),
            Self::Role(name) => name.to_string(),
        }
    }

    /// The attribute that counts.
    fn attribute(self) -> &'static str {
        match self {
            Self::User(_) => "users",
            Self::Role(_) => "roles",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Role(_) => "role",
        }
    }

    /// Whether a grant names it, and how many of its kind it allows.
    fn bounds(self, grant: &Grant) -> (bool, u32) {
        match self {
            Self::User(name) => (grant.creates_user(name), grant.max_users.unwrap_or(NEW_MAX)),
            Self::Role(name) => (grant.creates_role(name), grant.max_roles.unwrap_or(NEW_MAX)),
        }
    }
}

impl Grant {
    /// Whether it lets its manifest create a user of that name.
    pub fn creates_user(&self, name: &UserName) -> bool {
        self.users.contains(name) || self.new_users.iter().any(|pattern| pattern.matches(name.as_str()))
    }

    /// Whether it lets its manifest create a role of that name.
    pub fn creates_role(&self, name: &RoleName) -> bool {
        self.roles.contains(name) || self.new_roles.iter().any(|pattern| pattern.matches(name.as_str()))
    }
}

impl Service {
    /// Demands that a manifest's grant lets it create something, and gives the write that counts it.
    pub(super) async fn admit_new<E>(&self, manifest: &ManifestName, grant: &Grant, new: New<'_>) -> Result<Write, E>
    where
        E: From<Denied> + From<TableError>,
    {
        let (named, most) = new.bounds(grant);
        if !named {
            return Err(foreign(manifest, new).into());
        }
        let key = keys::created(manifest);
        let count = self.counted(&key, new).await?;
        if count >= most {
            let what = format!("more than {most} {}s of its own", new.word());
            return Err(Denied::NotGranted { manifest: manifest.clone(), what }.into());
        }
        Ok(recount(key, new, (count, count + 1)))
    }

    async fn counted(&self, key: &Key, what: New<'_>) -> Result<u32, TableError> {
        let item = self.table.get(key).await?;
        Ok(item.and_then(|item| number(&item, what.attribute())).unwrap_or(0))
    }

    /// The write that counts one fewer, where any was counted.
    pub(super) async fn count_gone(
        &self,
        manifest: Option<&ManifestName>,
        gone: New<'_>,
    ) -> Result<Option<Write>, TableError> {
        let Some(manifest) = manifest else { return Ok(None) };
        let key = keys::created(manifest);
        let count = self.counted(&key, gone).await?;
        Ok((count > 0).then(|| recount(key, gone, (count, count - 1))))
    }
}

/// Sets a count that nobody has changed since it was read.
fn recount(key: Key, what: New<'_>, (was, will): (u32, u32)) -> Write {
    let mut update = Update::default();
    update.set(what.attribute(), count(will));
    let unchanged = Condition::is(what.attribute(), count(was));
    let condition = if was == 0 { Condition::absent(what.attribute()).or(unchanged) } else { unchanged };
    Write::Update { key, update, condition }
}

/// The refusal of a name that is neither the manifest's own nor one that it may create: the same whether somebody
/// else's is there or nothing is.
pub(super) fn foreign(manifest: &ManifestName, what: New<'_>) -> Denied {
    let what = format!("anything to the {} `{}`, which is not its own", what.word(), what.name());
    Denied::NotGranted { manifest: manifest.clone(), what }
}
