//! All secrets at once: what a plan of many tokens rests on. `ListSecrets` shows the labels of versions as
//! `DescribeSecret` does, a hundred secrets a call, but may be some minutes old.

use std::collections::{BTreeSet, HashMap};

use super::calls::Calls;
use super::description::Description;
use super::entries::writable;
use crate::plural::count;
use crate::{ListedEntry, SinkError};

/// Fewer secrets than that are asked for one by one.
pub(super) const WORTH_A_LIST: usize = 20;
/// More secrets than anybody moves in at once.
const PAGES_MAX: usize = 100;

/// What a list shows of the secrets that were asked for.
pub(super) struct Listed {
    found: HashMap<String, Description>,
    /// It went to its end, so that what it does not show is not there, or was made just now.
    whole: bool,
}

impl Listed {
    /// Whether it tells of a secret, be it that there is none.
    pub(super) fn tells_of(&self, name: &str) -> bool {
        self.whole || self.found.contains_key(name)
    }

    /// What it shows of a secret.
    pub(super) fn get(&self, name: &str) -> Option<&Description> {
        self.found.get(name)
    }
}

/// The secrets among `names` that a list shows; `None` where it is not worth it, or not allowed.
pub(super) async fn survey(calls: &Calls, names: &BTreeSet<&str>) -> Option<Listed> {
    if names.len() < WORTH_A_LIST {
        return None;
    }
    let prefix = common_prefix(names);
    // In an account full of others' secrets a list costs more than it saves.
    let pages = 2 + names.len() / 10;
    let (mut found, mut next) = (HashMap::with_capacity(names.len()), None);
    for _ in 0..pages {
        let (listed, more) = match calls.list(prefix, next).await {
            Ok(page) => page,
            Err(error) => {
                tracing::debug!(%error, "the secrets cannot be listed");
                return None;
            }
        };
        found.extend(listed.into_iter().filter(|(name, _)| names.contains(name.as_str())));
        next = more;
        if next.is_none() {
            return Some(Listed { found, whole: true });
        }
    }
    Some(Listed { found, whole: false })
}

/// All secrets whose names begin so, page by page.
pub(super) async fn entries(calls: &Calls, prefix: &str) -> Result<Vec<ListedEntry>, SinkError> {
    let (mut found, mut next) = (Vec::new(), None);
    for _ in 0..PAGES_MAX {
        let (listed, more) = calls.list(prefix, next).await?;
        // AWS compares the words of a name, without case.
        let named = listed.into_iter().filter(|(name, _)| name.starts_with(prefix));
        found.extend(named.map(|(name, description)| {
            let refused = writable(calls, &name, &description).and_then(|()| description.ending(&name)).err();
            ListedEntry { obstacle: refused.as_ref().map(ListedEntry::obstacle), ..ListedEntry::plain(name) }
        }));
        next = more;
        if next.is_none() {
            return Ok(found);
        }
    }
    Err(SinkError::Refused {
        reason: format!("there are more than {}", count(PAGES_MAX * 100, "secret")),
        hint: "pass what the names of yours begin with".to_owned(),
    })
}

/// What all names begin with, as far as a filter of AWS takes it: whole words.
fn common_prefix<'n>(names: &BTreeSet<&'n str>) -> &'n str {
    let (Some(first), Some(last)) = (names.first(), names.last()) else { return "" };
    // Sorted, so what the first and the last have in common all have.
    let length = first.bytes().zip(last.bytes()).take_while(|(one, other)| one == other).count();
    let common = &first[..length];
    common.rfind('/').map_or("", |end| &common[..=end])
}

impl Description {
    /// Why nobody can read or write it, if it is scheduled for deletion.
    pub(super) fn ending(&self, name: &str) -> Result<(), SinkError> {
        let Some(date) = &self.deletion else { return Ok(()) };
        Err(SinkError::BeingDeleted {
            reason: format!("the secret `{name}` is scheduled for deletion on {date}"),
            hint: format!("restore it with `aws secretsmanager restore-secret --secret-id {name}`"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_never_leaves_a_name_out() {
        let prefix = |names: &[&str]| common_prefix(&names.iter().copied().collect()).to_owned();
        assert_eq!(prefix(&["prod/web/a", "prod/web/b", "prod/worker"]), "prod/");
        assert_eq!(prefix(&["prod/web", "staging/web"]), "");
        assert_eq!(prefix(&["prod/web/token-1", "prod/web/token-2"]), "prod/web/");
        assert_eq!(prefix(&[]), "");
    }
}
