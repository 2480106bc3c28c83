//! Where the token of a login is: in the system's keyring, or in a file if somebody asked for that.

use std::path::PathBuf;

use latchkey::name::UserName;
use latchkey::secret::{Digest, SECRET_MAX};
use serde::{Deserialize, Serialize};

use super::{Kept, Server, StoreError, change, folders};
use latchkey_sinks::files::{FileError, Site, write_atomic};
use latchkey_sinks::keyring::KeyringEntries;

const OWNER_ONLY: u32 = 0o600;

/// Where a token is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Keep {
    Keyring,
    /// Unencrypted, for its owner only.
    File,
}

/// Whose token, for which server.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) server: Server,
    pub(crate) account: UserName,
}

impl Entry {
    pub(crate) fn new(server: Server, account: UserName) -> Self {
        Self { server, account }
    }

    fn keyring(&self) -> KeyringEntries {
        keyring(&self.server)
    }

    /// Its file's name says nothing, and cannot lead elsewhere.
    fn file(&self) -> Result<PathBuf, StoreError> {
        let name = Digest::of(format!("{} {}", self.server, self.account).as_bytes()).fingerprint();
        Ok(folders::settings()?.join(format!("{name}.token")))
    }
}

impl Keep {
    /// In a sentence.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Keyring => "the system's keyring",
            Self::File => "an unencrypted file",
        }
    }

    /// The same of one token: a file is named.
    pub(crate) fn place(self, entry: &Entry) -> String {
        match (self, file_of(entry)) {
            (Self::File, Some(path)) => format!("the unencrypted file `{}`", path.display()),
            _ => self.words().to_owned(),
        }
    }

    /// Whether a token could be stored or removed, and the list of logins written: asked before anybody is asked for
    /// anything, and before anything is sent.
    pub(crate) async fn check(self, server: &Server) -> Result<(), StoreError> {
        change(|_| ())?;
        match self {
            Self::Keyring => Ok(keyring(server).open().await?),
            Self::File => Ok(folders::create(&folders::settings()?)?),
        }
    }

    /// Stores a token, and reads it back.
    pub(crate) async fn put(self, entry: &Entry, value: &[u8]) -> Result<(), StoreError> {
        if self == Self::Keyring {
            let label = format!("Latchkey: {} at {}", entry.account, entry.server);
            return Ok(entry.keyring().set(entry.account.as_str(), value, &label).await?);
        }
        folders::create(&folders::settings()?)?;
        let path = entry.file()?;
        write_atomic(&path, value, OWNER_ONLY)?;
        match self.get(entry).await? {
            Some(held) if held.as_slice() == value => Ok(()),
            _ => Err(FileError::Busy { path }.into()),
        }
    }

    /// The token that is stored; `None` when there is none.
    pub(crate) async fn get(self, entry: &Entry) -> Result<Option<Kept>, StoreError> {
        if self == Self::Keyring {
            return Ok(entry.keyring().get(entry.account.as_str()).await?);
        }
        let path = entry.file()?;
        let site = match Site::plain(&path) {
            Err(FileError::NoFolder { .. }) => return Ok(None),
            site => site?,
        };
        let Some(facts) = site.facts()? else { return Ok(None) };
        if facts.mode & 0o077 != 0 {
            return Err(StoreError::Open { path: path.display().to_string(), mode: facts.mode });
        }
        Ok(site.read(2 * SECRET_MAX)?.map(|contents| contents.bytes))
    }

    /// Deletes the token; whether there was one.
    pub(crate) async fn delete(self, entry: &Entry) -> Result<bool, StoreError> {
        if self == Self::Keyring {
            return Ok(entry.keyring().delete(entry.account.as_str()).await?);
        }
        let path = entry.file()?;
        match std::fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(FileError::from_io("write", &path, &error).into()),
        }
    }
}

/// The file that an entry would be in, as people are told.
pub(crate) fn file_of(entry: &Entry) -> Option<PathBuf> {
    entry.file().ok()
}

fn keyring(server: &Server) -> KeyringEntries {
    KeyringEntries::of_logins(&server.to_string())
}
