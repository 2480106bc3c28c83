//! Why a receiver did not take a notice. No address, no text of an answer: the host and a code.

use latchkey_sinks::SinkError;

/// Why a receiver did not take a notice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// What it is reached with could not be read, or is not what it should be.
    #[error("{reason}")]
    Login {
        /// What is wrong.
        reason: String,
        /// What to do.
        hint: String,
    },
    /// Nothing came back in time: it may have arrived, and is sent again with the same id.
    #[error("`{host}` did not answer")]
    Silent {
        /// Who was asked.
        host: String,
    },
    /// It answered something else than that it took it.
    #[error("`{host}` answered {status}")]
    Status {
        /// Who was asked.
        host: String,
        /// The status of the answer.
        status: u16,
    },
    /// EventBridge took the request and refused the event.
    #[error("`{host}` refused the event: {code}")]
    Refused {
        /// Who was asked.
        host: String,
        /// Its code.
        code: String,
    },
}

impl Failure {
    /// What the reader can do about it.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Login { hint, .. } => Some(hint),
            Self::Status { status: 300..=399, .. } => {
                Some("redirects are not followed: use the address that it leads to")
            }
            Self::Status { status: 401 | 403 | 404 | 410, .. } => {
                Some("check its address, secret and permissions: it does not accept this sender")
            }
            Self::Silent { .. } | Self::Status { .. } | Self::Refused { .. } => None,
        }
    }
}

impl From<SinkError> for Failure {
    fn from(error: SinkError) -> Self {
        let hint = error.hint().unwrap_or("try again").to_owned();
        Self::Login { reason: error.to_string(), hint }
    }
}
