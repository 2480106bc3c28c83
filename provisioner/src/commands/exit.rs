//! Exit codes, and faults of a command.

use std::io;

use crate::service::remote::is_unauthorized;
use crate::service::{Refusal, ServiceError};

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// Done, or nothing to do.
    Done,
    /// An error; `token verify`: not valid.
    Error,
    /// `plan --detailed-exitcode`: there are changes; `status --detailed-exitcode`: something needs attention; `token
    /// verify`: could not tell.
    Changes,
    /// Incomplete; another run continues.
    Partly,
    /// Stopped by a guard.
    Guard,
    /// Another run holds the lease, or the plan is stale.
    Busy,
    /// Ctrl-C, or a signal like it, at a prompt.
    Interrupted,
}

impl Code {
    /// All of them, by number.
    pub const ALL: [Self; 7] =
        [Self::Done, Self::Error, Self::Changes, Self::Partly, Self::Guard, Self::Busy, Self::Interrupted];

    /// What it means, for people.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done, or nothing to do",
            Self::Error => "an error, also in the command line; of `token verify`: not valid",
            Self::Changes => {
                "of `plan --detailed-exitcode`: there are changes; of `status --detailed-exitcode`: something needs \
                 attention; of `token verify`: could not tell"
            }
            Self::Partly => "incomplete: a part was done, or what failed may pass; another run continues",
            Self::Guard => "stopped by a guard, or not confirmed: nothing was changed",
            Self::Busy => "another run of the manifest is active, or the plan is stale: nothing was changed",
            Self::Interrupted => "ended by Ctrl-C",
        }
    }

    /// As the shell sees it.
    pub fn number(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Error => 1,
            Self::Changes => 2,
            Self::Partly => 3,
            Self::Guard => 4,
            Self::Busy => 5,
            Self::Interrupted => 130,
        }
    }
}

/// Why a command could not do what it was asked, with what to do about it.
#[derive(Debug)]
pub struct Fault {
    /// What went wrong, in one sentence.
    pub message: String,
    /// What more there is to know, a line each.
    pub details: Vec<String>,
    /// What to do.
    pub hint: Option<String>,
    /// The exit code.
    pub code: Code,
}

impl Fault {
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), details: Vec::new(), hint: None, code: Code::Error }
    }

    /// The same with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same with more to know.
    #[must_use]
    pub fn details(mut self, details: Vec<String>) -> Self {
        self.details = details;
        self
    }

    /// The message with all there is to know.
    pub fn whole(&self) -> String {
        std::iter::once(&self.message).chain(&self.details).cloned().collect::<Vec<_>>().join("; ")
    }

    /// The same with another exit code.
    #[must_use]
    pub fn code(mut self, code: Code) -> Self {
        self.code = code;
        self
    }
}

impl From<ServiceError> for Fault {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::Unavailable(_) => {
                Self::new(error.to_string()).hint("nothing was lost; try again when the service answers")
            }
            ServiceError::Refused(refusal) => Self { hint: hint(&refusal), ..Self::new(refusal.to_string()) },
            error => Self::new(error.to_string()),
        }
    }
}

/// What to do about a refusal, where that is the same for every command.
fn hint(refusal: &Refusal) -> Option<String> {
    Some(match refusal.code.as_str() {
        "insufficient_scope" => match refusal.text("permission") {
            Some(permission) => format!("use a token with the permission `{permission}`"),
            None => "use a token with that permission".to_owned(),
        },
        "not_granted" => {
            let manifest = refusal.text("manifest").unwrap_or("NAME");
            format!("name all that the manifest grants: `provision manifest grant {manifest} ..`")
        }
        "clock_behind" => {
            "set the clock of the table's machine, for example by NTP; if it is right, pass `--clock-is-right` there"
                .to_owned()
        }
        code if is_unauthorized(code) => "the token has expired or was revoked in the meantime".to_owned(),
        _ => return None,
    })
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::Interrupted {
            return Self::new("interrupted at a question: what it asked about was not done").code(Code::Interrupted);
        }
        Self::new(format!("cannot print the result: {error}"))
    }
}
