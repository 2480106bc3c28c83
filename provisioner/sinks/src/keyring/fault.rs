//! Why a keyring did not do what it was asked, and what a person does about it.

use crate::SinkError;

/// What went wrong with a keyring. No text in it contains a value, nor a keyring's own words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// There is no bus that a keyring could be on.
    #[error("no keyring was found: there is no D-Bus session")]
    NoBus,
    /// There is a bus, and no keyring on it.
    #[error("no keyring was found: no program on the D-Bus session is a Secret Service")]
    NoService,
    /// There is a keyring, and none that entries are put into by default.
    #[error("this user has no default keyring")]
    NoDefault,
    /// Somebody would have to type a password.
    #[error("the keyring is locked")]
    Locked,
    /// macOS's keychain is locked, or does not let this program in; with the system's code.
    #[error("the keychain is locked, or refuses this program (`{0}`)")]
    Shut(i32),
    /// Which entry a program would read is open.
    #[error("the keyring has several entries `{name}` of `{service}`")]
    Several {
        /// The service.
        service: String,
        /// The entry's name.
        name: String,
    },
    /// The keyring took a value and shows another one.
    #[error("the keyring accepted `{0}` but returns another value")]
    Otherwise(String),
    /// This system has no keyring that is supported.
    #[error("the keyring of this operating system is not supported")]
    Unsupported,
    /// Nothing of use came back.
    #[error("{0}")]
    Failed(String),
}

impl KeyringError {
    /// What to do, where that is the same for whoever asked.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::NoService => "install and start one, for instance `gnome-keyring`",
            Self::NoDefault => "log in to the desktop once, or create one in its password manager (`seahorse`)",
            Self::Locked => {
                "unlock it: log in to the desktop, or open its password manager (`seahorse`); without a desktop \
                 `gnome-keyring-daemon --unlock` reads the password from stdin"
            }
            Self::Shut(_) => "unlock it: `security unlock-keychain`, and allow `provision` when macOS asks",
            Self::Several { .. } => "delete all but one: programs may read any of them",
            Self::NoBus | Self::Otherwise(_) | Self::Unsupported | Self::Failed(_) => return None,
        })
    }
}

impl From<KeyringError> for SinkError {
    fn from(error: KeyringError) -> Self {
        let reason = error.to_string();
        let hint = match &error {
            KeyringError::Failed(_) => return Self::Unreachable { reason },
            KeyringError::NoBus => {
                "run in a desktop session; on a server use another type of sink, or `dbus-run-session` with an unlocked \
                 `gnome-keyring-daemon`"
            }
            KeyringError::Otherwise(_) => {
                "inspect the entry with the keyring's own program; the version that it should contain is valid"
            }
            KeyringError::Unsupported => "use another type of sink here",
            error => error.hint().unwrap_or_default(),
        };
        let hint = hint.to_owned();
        match error {
            KeyringError::Locked | KeyringError::Shut(_) => Self::Denied { reason, hint },
            _ => Self::Refused { reason, hint },
        }
    }
}
