//! What can go wrong in a sink, told apart by what it means for a run and by what a person does about it.

#![warn(missing_docs)]

/// What went wrong in a sink. No text in it ever contains a value, nor what a vendor echoes of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SinkError {
    /// Nothing answered, or nothing of use. A write may or may not have arrived.
    #[error("{reason}")]
    Unreachable {
        /// What was tried and what came back.
        reason: String,
    },
    /// The login is missing, wrong or expired.
    #[error("{reason}")]
    Login {
        /// What was refused.
        reason: String,
        /// What to do.
        hint: String,
    },
    /// The login is valid but not allowed to do this, or the file system refuses.
    #[error("{reason}")]
    Denied {
        /// What was refused.
        reason: String,
        /// What to do.
        hint: String,
    },
    /// The sink, or a rule of ours about it, refuses this entry whoever asks.
    #[error("{reason}")]
    Refused {
        /// What was refused.
        reason: String,
        /// What to do.
        hint: String,
    },
    /// The vault is deleting the entry: no consumer can read it, and nobody can write it until it is restored.
    #[error("{reason}")]
    BeingDeleted {
        /// When it goes.
        reason: String,
        /// What to do.
        hint: String,
    },
    /// Somebody else wrote between look and write; nothing was written.
    #[error("it was changed after it was read, so nothing was written")]
    Changed,
    /// The time that the announcement allowed ran out before the write could start; nothing was written.
    #[error("the time allowed for this write ran out before it could start")]
    Late,
    /// What went wrong with a write that was sent at most once, and refused before it had any effect: nothing of it can
    /// arrive. Only where the vendor's own code says so.
    #[error("{0}")]
    Rejected(Box<SinkError>),
    /// What is here is not what was delivered to: another file system is found under the same name.
    #[error("{reason}")]
    OtherFiles {
        /// How that shows.
        reason: String,
        /// What to do.
        hint: String,
    },
    /// The place is on another machine.
    #[error("it is on another machine (`{machine}`)")]
    OtherMachine {
        /// Its name, as it is in the place.
        machine: String,
    },
}

impl SinkError {
    /// What the reader can do about it, where there is something particular.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Login { hint, .. }
            | Self::Denied { hint, .. }
            | Self::Refused { hint, .. }
            | Self::BeingDeleted { hint, .. }
            | Self::OtherFiles { hint, .. } => Some(hint),
            Self::Rejected(error) => error.hint(),
            _ => None,
        }
    }

    /// Whether asking again can give another answer although nobody changes anything.
    pub fn passes(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::BeingDeleted { .. } | Self::Changed | Self::Late => true,
            Self::Rejected(error) => error.passes(),
            Self::Login { .. }
            | Self::Denied { .. }
            | Self::Refused { .. }
            | Self::OtherFiles { .. }
            | Self::OtherMachine { .. } => false,
        }
    }

    /// The same, of a write that had no effect and never will.
    #[must_use]
    pub fn rejected(self) -> Self {
        match self {
            Self::Rejected(_) => self,
            error => Self::Rejected(Box::new(error)),
        }
    }

    /// What went wrong, and whether it is certain that nothing of the write can arrive.
    pub fn of_write(self) -> (Self, bool) {
        match self {
            Self::Rejected(error) => (*error, true),
            error => (error, false),
        }
    }
}
