//! Why the service did not do what it was asked, distinguished by what the tool does about it, however it was reached.

use std::fmt;

use latchkey::api::Problem;
use latchkey::protocol::VersionError;
use latchkey::service::{
    ChangeError, CreateError, Denied, EditError, GrantError, LeaseError, NoteError, PublishError, RoleError,
    SettingsError, UserError,
};
use latchkey::table::TableError;
use serde_json::{Map, Value};

/// Why the service did not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ServiceError {
    /// A rule refuses; asking again gives the same answer.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// A rule of versions refuses.
    #[error("{0}")]
    Version(#[from] VersionError),
    /// The token is gone, or its name belongs to another token by now.
    #[error("{0}")]
    Gone(String),
    /// The service, or its table, did not answer.
    #[error("{0}")]
    Unavailable(String),
}

/// The answer of a rule that refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// A stable word for programs, the same that the HTTP API gives.
    pub code: String,
    /// A sentence for people.
    pub message: String,
    /// What more there is to know, by name.
    pub more: Map<String, Value>,
    /// The faulty fields, as JSON pointers.
    pub fields: Vec<String>,
    /// Under which id a server logged it.
    pub request: Option<String>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)?;
        self.request.iter().try_for_each(|id| write!(formatter, " (request {id})"))
    }
}

impl Refusal {
    /// One without details.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), more: Map::new(), fields: Vec::new(), request: None }
    }

    /// A detail that is text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.more.get(name).and_then(Value::as_str)
    }

    /// Whether a field is faulty.
    pub fn is_about(&self, pointer: &str) -> bool {
        self.fields.iter().any(|field| field == pointer)
    }
}

impl ServiceError {
    /// A refusal without details.
    pub fn refused(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Refused(Box::new(Refusal::new(code, message)))
    }

    /// The refusal, if it is one.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }
}

impl From<Refusal> for ServiceError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

impl From<TableError> for ServiceError {
    fn from(error: TableError) -> Self {
        match error {
            TableError::Clock(_) => told(error.to_string(), error.into()),
            error => Self::Unavailable(error.to_string()),
        }
    }
}

/// What the service in this process refuses, under the names that the API has for it.
fn told(message: String, problem: Problem) -> ServiceError {
    let fields = problem.errors.into_iter().map(|fault| fault.pointer).collect();
    let (code, more) = (problem.code.to_owned(), problem.more);
    Refusal { code, message, more, fields, request: None }.into()
}

impl From<Denied> for ServiceError {
    fn from(error: Denied) -> Self {
        told(error.to_string(), error.into())
    }
}

impl From<ChangeError<VersionError>> for ServiceError {
    fn from(error: ChangeError<VersionError>) -> Self {
        match error {
            ChangeError::Rule(error) => Self::Version(error),
            ChangeError::Table(error) => error.into(),
            ChangeError::Denied(error) => error.into(),
            error => Self::Gone(error.to_string()),
        }
    }
}

impl From<ChangeError<std::convert::Infallible>> for ServiceError {
    fn from(error: ChangeError<std::convert::Infallible>) -> Self {
        match error {
            ChangeError::Table(error) => error.into(),
            ChangeError::Denied(error) => error.into(),
            error => Self::Gone(error.to_string()),
        }
    }
}

impl From<ChangeError<EditError>> for ServiceError {
    fn from(error: ChangeError<EditError>) -> Self {
        match error {
            ChangeError::Rule(EditError::Places(error)) => Self::Version(error),
            ChangeError::Rule(EditError::Create(error)) => error.into(),
            ChangeError::Rule(error) => told(error.to_string(), error.into()),
            ChangeError::Table(error) => error.into(),
            ChangeError::Denied(error) => error.into(),
            error => Self::Gone(error.to_string()),
        }
    }
}

impl From<SettingsError> for ServiceError {
    fn from(error: SettingsError) -> Self {
        match error {
            SettingsError::Table(error) => error.into(),
            SettingsError::Revision { .. } => Self::Gone(error.to_string()),
            error => told(error.to_string(), error.into()),
        }
    }
}

impl From<RoleError> for ServiceError {
    fn from(error: RoleError) -> Self {
        match error {
            RoleError::Table(error) => error.into(),
            RoleError::Revision { .. } => Self::Gone(error.to_string()),
            error => told(error.to_string(), error.into()),
        }
    }
}

/// An error that contains a failure of the table, or else a refusal.
macro_rules! refusals {
    ($($error:ident),*) => {
        $(impl From<$error> for ServiceError {
            fn from(error: $error) -> Self {
                match error {
                    $error::Table(error) => error.into(),
                    error => told(error.to_string(), error.into()),
                }
            }
        })*
    };
}

refusals!(CreateError, UserError, GrantError, NoteError, PublishError, LeaseError);
