//! Why the service did not do what it was asked, told apart by what the tool does about it, however it was reached.

use std::fmt;

use latchkey::service::{
    ChangeError, CreateError, Denied, EditError, GrantError, PublishError, RoleError, UserError,
};
use latchkey::table::TableError;
use latchkey::version::VersionError;
use serde_json::{Map, Value, json};

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

/// What a rule says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// A stable word for programs, the same that the HTTP API gives.
    pub code: String,
    /// A sentence for people.
    pub message: String,
    /// What more there is to know, by name.
    pub more: Map<String, Value>,
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
        Self { code: code.into(), message: message.into(), more: Map::new(), request: None }
    }

    /// A detail that is text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.more.get(name).and_then(Value::as_str)
    }

    fn with(mut self, name: &str, value: Value) -> Self {
        self.more.insert(name.to_owned(), value);
        self
    }
}

impl ServiceError {
    /// A refusal without details.
    pub fn refused(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Refused(Box::new(Refusal::new(code, message)))
    }

    /// The refusal, if it is one.
    #[must_use]
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
        Self::Unavailable(error.to_string())
    }
}

impl From<Denied> for ServiceError {
    fn from(error: Denied) -> Self {
        Self::refused("forbidden", error.to_string())
    }
}

impl From<PublishError> for ServiceError {
    fn from(error: PublishError) -> Self {
        match error {
            PublishError::Table(error) => error.into(),
            PublishError::Denied(error) => error.into(),
            PublishError::TooLarge => Self::refused("refused", error.to_string()),
        }
    }
}

impl From<GrantError> for ServiceError {
    fn from(error: GrantError) -> Self {
        match error {
            GrantError::Table(error) => error.into(),
            GrantError::Denied(error) => error.into(),
            error => Self::refused("refused", error.to_string()),
        }
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
            ChangeError::Table(error) => error.into(),
            ChangeError::Denied(error) => error.into(),
            ChangeError::Rule(error) => Self::refused("refused", error.to_string()),
            error => Self::Gone(error.to_string()),
        }
    }
}

impl From<CreateError> for ServiceError {
    fn from(error: CreateError) -> Self {
        let message = error.to_string();
        match error {
            CreateError::Table(error) => error.into(),
            CreateError::Denied(error) => error.into(),
            CreateError::NameTaken { managed_by, .. } => {
                Refusal::new("name_taken", message).with("managed_by", json!(managed_by)).into()
            }
            CreateError::LimitReached { .. } => Self::refused("token_limit_reached", message),
            CreateError::NoSuchUser(_) => Self::refused("no_such_user", message),
            CreateError::Suspended(_) => Self::refused("user_suspended", message),
            CreateError::RoleNotHeld { roles, .. } => {
                Refusal::new("role_not_held", message).with("roles", json!(roles)).into()
            }
            CreateError::ExpiryInPast(_) => Self::refused("expiry_in_past", message),
            CreateError::ExpiryTooLate { until, .. } => {
                Refusal::new("expiry_too_late", message).with("until", json!(until)).into()
            }
            _ => Self::refused("refused", message),
        }
    }
}

impl From<RoleError> for ServiceError {
    fn from(error: RoleError) -> Self {
        let message = error.to_string();
        match error {
            RoleError::Table(error) => error.into(),
            RoleError::InUse { .. } => Self::refused("in_use", message),
            RoleError::NoSuchRole(role) => Refusal::new("no_such_role", message).with("role", json!(role)).into(),
            _ => Self::refused("refused", message),
        }
    }
}

impl From<UserError> for ServiceError {
    fn from(error: UserError) -> Self {
        let message = error.to_string();
        match error {
            UserError::Table(error) => error.into(),
            UserError::InUse { .. } => Self::refused("in_use", message),
            UserError::NoSuchUser(_) => Self::refused("no_such_user", message),
            UserError::NoSuchRole(role) => Refusal::new("no_such_role", message).with("role", json!(role)).into(),
            _ => Self::refused("refused", message),
        }
    }
}
