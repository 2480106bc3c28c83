//! The login keychain of macOS.

use security_framework::base::Error;
use security_framework::passwords::{delete_generic_password, get_generic_password, set_generic_password};
use zeroize::Zeroizing;

use super::{Session, Settings};
use crate::SinkError;

const NOT_FOUND: i32 = -25_300;
/// `errSecInteractionNotAllowed`, `errSecAuthFailed`, `errSecUserCanceled`, `errSecNoSuchKeychain`
const SHUT: [i32; 4] = [-25_308, -25_293, -128, -25_294];

/// This user's keychain.
pub(super) struct Store {
    service: String,
}

impl Store {
    /// The keychain, which macOS opens by itself.
    pub(super) fn open(settings: &Settings, _: &Session) -> Result<Self, SinkError> {
        Ok(Self { service: settings.service.clone() })
    }

    /// The value of an entry.
    pub(super) fn get(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, SinkError> {
        match get_generic_password(&self.service, name) {
            Ok(value) => Ok(Some(Zeroizing::new(value))),
            Err(error) if error.code() == NOT_FOUND => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    /// Sets the value of an entry. The keychain shows its service and account; it has no label of its own.
    pub(super) fn set(&self, name: &str, value: &[u8], _label: &str) -> Result<(), SinkError> {
        set_generic_password(&self.service, name, value).map_err(failed)
    }

    /// Deletes an entry.
    pub(super) fn delete(&self, name: &str) -> Result<(), SinkError> {
        match delete_generic_password(&self.service, name) {
            Err(error) if error.code() != NOT_FOUND => Err(failed(error)),
            _ => Ok(()),
        }
    }
}

fn failed(error: Error) -> SinkError {
    if SHUT.contains(&error.code()) {
        return SinkError::Denied {
            reason: format!("the keychain is locked, or refuses this program (`{}`)", error.code()),
            hint: "unlock it: `security unlock-keychain`, and allow `provision` when macOS asks".to_owned(),
        };
    }
    SinkError::Unreachable { reason: format!("the keychain failed (`{}`)", error.code()) }
}
