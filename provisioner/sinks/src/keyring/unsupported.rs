//! Systems whose keyring is not supported.

use zeroize::Zeroizing;

use super::{KeyringError, Session, Settings};

pub(super) struct Store(std::convert::Infallible);

impl Store {
    pub(super) fn open(_: &Settings, _: &Session) -> Result<Self, KeyringError> {
        Err(KeyringError::Unsupported)
    }

    pub(super) fn get(&self, _name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeyringError> {
        match self.0 {}
    }

    pub(super) fn set(&self, _name: &str, _value: &[u8], _label: &str) -> Result<(), KeyringError> {
        match self.0 {}
    }

    pub(super) fn delete(&self, _name: &str) -> Result<(), KeyringError> {
        match self.0 {}
    }
}
