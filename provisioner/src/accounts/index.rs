//! The list of logins: which servers and accounts there are, without their tokens.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use latchkey::name::{TokenName, UserName};
use latchkey::secret::TokenId;
use serde::{Deserialize, Serialize};

use super::{Entry, Keep, Server, StoreError, folders};
use latchkey_sinks::files::{FileError, Site, read_plain, write_atomic};

const FILE: &str = "logins.json";
/// Thousands of logins.
const SIZE_MAX: usize = 1024 * 1024;
const LOCK_WAIT: Duration = Duration::from_secs(10);

/// All logins of this user.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Index {
    /// The server that is asked where nothing else names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    current: Option<String>,
    #[serde(default)]
    servers: BTreeMap<String, ServerLogins>,
}

/// The logins of one server.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ServerLogins {
    /// The account that is used.
    pub(crate) account: UserName,
    pub(crate) accounts: BTreeMap<UserName, Known>,
}

/// What is known of a login.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Known {
    pub(crate) user: UserName,
    pub(crate) token: TokenName,
    pub(crate) id: TokenId,
    /// When the token expires, as of the login.
    pub(crate) expires: Timestamp,
    pub(crate) kept: Keep,
}

impl Index {
    /// The account that is used at a server.
    pub(crate) fn active(&self, server: &Server) -> Option<(UserName, Known)> {
        let logins = self.at(server)?;
        Some((logins.account.clone(), logins.accounts.get(&logins.account)?.clone()))
    }

    /// The logins of a server.
    pub(crate) fn at(&self, server: &Server) -> Option<&ServerLogins> {
        self.servers.get(&server.to_string())
    }

    /// What is known of a login.
    pub(crate) fn known(&self, entry: &Entry) -> Option<&Known> {
        self.at(&entry.server)?.accounts.get(&entry.account)
    }

    /// The login that another token would replace, while its token is valid.
    pub(crate) fn other_token(&self, entry: &Entry, id: &TokenId, now: Timestamp) -> Option<Known> {
        self.known(entry).filter(|known| known.id != *id && known.expires > now).cloned()
    }

    /// All servers that somebody logged in to, by name.
    pub(crate) fn servers(&self) -> impl Iterator<Item = (&str, &ServerLogins)> {
        self.servers.iter().map(|(name, logins)| (name.as_str(), logins))
    }

    /// The server that is asked where nothing else names one.
    pub(crate) fn current(&self) -> Option<Server> {
        self.current.as_ref()?.parse().ok()
    }

    /// Adds a login, which is used from now on.
    pub(crate) fn add(&mut self, server: &Server, account: &UserName, known: Known) {
        let logins = self.servers.entry(server.to_string());
        let logins = logins.or_insert_with(|| ServerLogins { account: account.clone(), accounts: BTreeMap::new() });
        logins.accounts.insert(account.clone(), known);
        self.switch(server, account);
    }

    /// Uses another account from now on, and its server where nothing else names one.
    pub(crate) fn switch(&mut self, server: &Server, account: &UserName) {
        if let Some(logins) = self.servers.get_mut(&server.to_string()) {
            logins.account = account.clone();
        }
        self.current = Some(server.to_string());
    }

    /// Removes a login; the account that is used there instead, if any is left.
    pub(crate) fn remove(&mut self, server: &Server, account: &UserName) -> Option<UserName> {
        let name = server.to_string();
        let logins = self.servers.get_mut(&name)?;
        logins.accounts.remove(account);
        let next = logins.accounts.keys().next().cloned();
        match &next {
            Some(next) if logins.account == *account => logins.account = next.clone(),
            Some(_) => return Some(logins.account.clone()),
            None => {
                self.servers.remove(&name);
                if self.current.as_deref() == Some(&name) {
                    // With one server left nobody has to choose.
                    self.current = self.servers.keys().next().filter(|_| self.servers.len() == 1).cloned();
                }
            }
        }
        next
    }

    fn is_sound(&self) -> bool {
        let is_name = |name: &String| name.parse::<Server>().is_ok_and(|server| server.to_string() == *name);
        self.servers.keys().chain(&self.current).all(is_name)
            && self.servers.values().all(|logins| logins.accounts.contains_key(&logins.account))
    }
}

/// All logins; none where there is no folder for them.
pub(crate) fn read() -> Result<Index, StoreError> {
    let Ok(folder) = folders::settings() else { return Ok(Index::default()) };
    let path = folder.join(FILE);
    let contents = match read_plain(&path, SIZE_MAX) {
        Err(FileError::NoFolder { .. }) => None,
        read => read?,
    };
    let Some(contents) = contents else { return Ok(Index::default()) };
    let index = serde_json::from_slice::<Index>(&contents.bytes).ok().filter(Index::is_sound);
    index.ok_or_else(|| StoreError::Broken(path.display().to_string()))
}

/// Changes the list, alone among all processes of this user.
pub(crate) fn change<T>(edit: impl FnOnce(&mut Index) -> T) -> Result<T, StoreError> {
    let path = settled()?;
    let _lock = Site::plain(&path)?.lock(LOCK_WAIT)?;
    let mut index = read()?;
    let answer = edit(&mut index);
    let text = serde_json::to_vec_pretty(&index).map_err(|_| StoreError::Broken(path.display().to_string()))?;
    write_atomic(&path, &text, 0o600)?;
    Ok(answer)
}

/// The list's path, in a folder that is there.
fn settled() -> Result<PathBuf, StoreError> {
    let folder = folders::settings()?;
    folders::create(&folder)?;
    Ok(folder.join(FILE))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Known {
        Known {
            user: "ana".parse().unwrap(),
            token: "laptop".parse().unwrap(),
            id: serde_json::from_str("\"da048wyt53rcasq3\"").unwrap(),
            expires: Timestamp::UNIX_EPOCH,
            kept: Keep::Keyring,
        }
    }

    #[test]
    fn the_account_in_use_is_the_last_one_and_another_when_that_goes() {
        let (one, other): (Server, Server) = ("a.test".parse().unwrap(), "b.test:8080".parse().unwrap());
        let (ana, bob): (UserName, UserName) = ("ana".parse().unwrap(), "bob".parse().unwrap());
        let mut index = Index::default();
        index.add(&one, &ana, known());
        index.add(&one, &bob, known());
        index.add(&other, &ana, known());
        assert_eq!(index.active(&one).unwrap().0, bob);
        assert_eq!(index.current(), Some(other.clone()));
        index.switch(&one, &ana);
        assert_eq!((index.active(&one).unwrap().0, index.current()), (ana.clone(), Some(one.clone())));
        assert_eq!(index.remove(&one, &bob), Some(ana.clone()));
        assert_eq!(index.remove(&one, &ana), None);
        assert_eq!((index.at(&one).is_none(), index.current()), (true, Some(other.clone())));
        assert_eq!((index.remove(&other, &ana), index.current()), (None, None));
    }

    #[test]
    fn a_list_that_somebody_broke_is_none() {
        let good = r#"{"account":"ana","accounts":{"ana":{"user":"ana","token":"t","id":"da048wyt53rcasq3","expires":"2027-01-01T00:00:00Z","kept":"file"}}}"#;
        let sound = |text: &str| serde_json::from_str::<Index>(text).is_ok_and(|index| index.is_sound());
        assert!(sound(&format!(r#"{{"current":"a.test","servers":{{"a.test":{good}}}}}"#)));
        for bad in [
            format!(r#"{{"servers":{{"a\u001b.test":{good}}}}}"#),
            format!(r#"{{"servers":{{"A.test":{good}}}}}"#),
            format!(r#"{{"servers":{{"a.test":{}}}}}"#, good.replace(r#"{"account":"ana""#, r#"{"account":"bob""#)),
            format!(r#"{{"current":"x y","servers":{{"a.test":{good}}}}}"#),
        ] {
            assert!(!sound(&bad), "{bad}");
        }
    }
}
