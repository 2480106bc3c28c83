//! Problems, as RFC 9457 has them: a stable code, a sentence for the caller, and what only the log sees.

use serde_json::{Map, Value, json};

use super::codes::ProblemCode;
use super::http::{RepeatedHeader, Response};

/// One fault in a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldFault {
    /// Where, as a JSON pointer (RFC 6901) into the body; `?name` for a parameter of the query, `{name}` of the path.
    pub pointer: String,
    /// What is wrong.
    pub detail: String,
}

/// What a caller is told to show, RFC 6750 section 3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    /// No token came.
    Missing,
    /// A token came that is not valid.
    Invalid,
    /// The same by HTTP Basic.
    Basic,
    /// The request cannot be read.
    Request,
    /// The token lacks a permission.
    Scope(String),
}

/// Why a request was not done.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// A stable word for programs.
    pub code: &'static str,
    /// A sentence for people.
    pub detail: String,
    /// Faults of fields.
    pub errors: Vec<FieldFault>,
    /// More members, for programs.
    pub more: Map<String, Value>,
    /// For the log only.
    pub internal: Option<String>,
    pub(super) challenge: Option<Challenge>,
    pub(super) allow: Option<String>,
    /// In seconds.
    pub(super) retry_after: Option<u32>,
}

impl Problem {
    /// A problem of a status, with a stable code and a sentence.
    pub fn new(status: u16, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            errors: Vec::new(),
            more: Map::new(),
            internal: None,
            challenge: None,
            allow: None,
            retry_after: None,
        }
    }

    /// The same, and how many seconds to wait before asking again.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The same with a member more.
    pub(super) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.more.insert(name.to_owned(), value.into());
        self
    }

    pub(super) fn challenge(mut self, challenge: Challenge) -> Self {
        self.challenge = Some(challenge);
        self
    }

    /// 400: something about the request as a whole.
    pub(super) fn invalid_request(detail: impl Into<String>) -> Self {
        Self::new(400, "invalid_request", detail)
    }

    /// 422: faults of fields.
    pub(super) fn fields(errors: Vec<FieldFault>) -> Self {
        let detail = match errors.as_slice() {
            [one] => format!("`{}`: {}", one.pointer, one.detail),
            many => format!("{} fields are invalid, see `errors`", many.len()),
        };
        Self { errors, ..Self::new(422, "invalid_field", detail) }
    }

    /// 422: one field.
    pub(super) fn field(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::fields(vec![FieldFault { pointer: pointer.into(), detail: detail.into() }])
    }

    /// 404: nothing there that the caller may see.
    pub(crate) fn not_found() -> Self {
        Self::new(404, "not_found", "not found, or this token is not allowed to see it")
    }

    /// 500, whose cause only the log has.
    pub(super) fn internal(internal: String) -> Self {
        Self {
            internal: Some(internal),
            ..Self::new(500, "internal", "internal error; the log has the cause under this request id")
        }
    }

    /// The reply.
    pub fn response(&self, request_id: &str) -> Response {
        debug_assert!(ProblemCode::lists(self), "`{}` is not in the list of codes as it is here: {self:?}", self.code);
        let mut body = Map::new();
        body.insert("type".to_owned(), "about:blank".into());
        body.insert("title".to_owned(), title(self.status).into());
        body.insert("status".to_owned(), self.status.into());
        body.insert("code".to_owned(), self.code.into());
        body.insert("detail".to_owned(), self.detail.clone().into());
        body.insert("request_id".to_owned(), request_id.into());
        if !self.errors.is_empty() {
            let error = |fault: &FieldFault| json!({"pointer": fault.pointer, "detail": fault.detail});
            body.insert("errors".to_owned(), self.errors.iter().map(error).collect());
        }
        body.extend(self.more.clone());
        let mut headers =
            vec![("content-type", "application/problem+json".to_owned()), ("cache-control", "no-store".to_owned())];
        if let Some(challenge) = &self.challenge {
            headers.push(("www-authenticate", challenge.header()));
        }
        if let Some(allow) = &self.allow {
            headers.push(("allow", allow.clone()));
        }
        if let Some(seconds) = self.retry_after {
            headers.push(("retry-after", seconds.to_string()));
        }
        Response { status: self.status, headers, body: Value::Object(body).to_string().into_bytes() }
    }
}

impl From<RepeatedHeader> for Problem {
    fn from(repeated: RepeatedHeader) -> Self {
        Self::invalid_request(repeated.to_string())
    }
}

impl Challenge {
    fn header(&self) -> String {
        let realm = "Bearer realm=\"latchkey\"";
        match self {
            // RFC 6750: without a token, no error code.
            Self::Missing => realm.to_owned(),
            Self::Invalid => format!("{realm}, error=\"invalid_token\", error_description=\"the token is not valid\""),
            Self::Request => format!("{realm}, error=\"invalid_request\""),
            Self::Basic => "Basic realm=\"latchkey\", charset=\"UTF-8\"".to_owned(),
            Self::Scope(scope) => format!("{realm}, error=\"insufficient_scope\", scope=\"{scope}\""),
        }
    }
}

fn title(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        503 => "Service Unavailable",
        _ => "Internal Server Error",
    }
}
