//! Systems whose keyring is not supported.

use zeroize::Zeroizing;

use super::{Session, Settings};
use crate::SinkError;

pub(super) struct Store(std::convert::Infallible);

impl Store {
    pub(super) fn open(_: &Settings, _: &Session) -> Result<Self, SinkError> {
        Err(SinkError::Refused {
            reason: "the keyring of this operating system is not supported".to_owned(),
            hint: "use another type of sink here".to_owned(),
        })
    }

    pub(super) fn get(&self, _name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, SinkError> {
        match self.0 {}
    }

    pub(super) fn set(&self, _name: &str, _value: &[u8], _label: &str) -> Result<(), SinkError> {
        match self.0 {}
    }

    pub(super) fn delete(&self, _name: &str) -> Result<(), SinkError> {
        match self.0 {}
    }
}
