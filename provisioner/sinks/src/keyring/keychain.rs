//! The login keychain of macOS.

use security_framework::base::Error;
use security_framework::passwords::{delete_generic_password, get_generic_password, set_generic_password};
use zeroize::Zeroizing;

use super::{KeyringError, Session, Settings};

const NOT_FOUND: i32 = -25_300;
/// `errSecInteractionNotAllowed`, `errSecAuthFailed`, `errSecUserCanceled`, `errSecNoSuchKeychain`
const SHUT: [i32; 4] = [-25_308, -25_293, -128, -25_294];

/// This user's keychain.
pub(super) struct Store {
    service: String,
}

impl Store {
    /// The keychain, which macOS opens by itself.
    pub(super) fn open(settings: &Settings, _: &Session) -> Result<Self, KeyringError> {
        Ok(Self { service: settings.service.clone() })
    }

    /// The value of an entry.
    pub(super) fn get(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeyringError> {
        match get_generic_password(&self.service, name) {
            Ok(value) => Ok(Some(Zeroizing::new(value))),
            Err(error) if error.code() == NOT_FOUND => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    /// Sets the value of an entry. The keychain shows its service and account; it has no label of its own.
    pub(super) fn set(&self, name: &str, value: &[u8], _label: &str) -> Result<(), KeyringError> {
        set_generic_password(&self.service, name, value).map_err(failed)
    }

    /// Deletes an entry.
    pub(super) fn delete(&self, name: &str) -> Result<(), KeyringError> {
        match delete_generic_password(&self.service, name) {
            Err(error) if error.code() != NOT_FOUND => Err(failed(error)),
            _ => Ok(()),
        }
    }
}

fn failed(error: Error) -> KeyringError {
    if SHUT.contains(&error.code()) {
        return KeyringError::Shut(error.code());
    }
    KeyringError::Failed(format!("the keychain failed (`{}`)", error.code()))
}
