//! A server, asked over HTTP with a token's rights.
//!
//! Nearly every call may be sent again when no answer came: reports and promotions say the same twice, staging replaces
//! what nobody has, and what deletes something names what it means. A create may not, so after one whose outcome is
//! unknown the server is asked what there is.

mod answers;
pub(super) mod call;
mod in_process;
pub(super) mod plans;
pub(super) mod tokens;

use std::sync::Arc;

use jiff::Timestamp;
use latchkey::api::wire;
use latchkey::clock::{Clock, ClockBehind, SystemClock};
use latchkey::mutex::Mutex;
use latchkey::name::UserName;
use latchkey::role::Permissions;
use latchkey::secret::Secret;
use zeroize::Zeroizing;

use super::{Connection, ServerTime, ServiceError};
use call::Call;
use latchkey_sinks::deadline::Elapsed;
use latchkey_sinks::transport::Transport;

pub use in_process::{InProcess, http_date, request_id};

/// A server that knows who asks.
#[derive(Debug)]
pub struct Remote {
    pub(super) line: Line,
    /// Whose token it is, and what it allowed when the run began.
    who: wire::Me,
    /// What the server said of its clock last.
    behind: Mutex<Option<ClockBehind>>,
}

/// The line to a server: how requests get there, as whom, and what its time is.
pub(super) struct Line {
    name: String,
    transport: Arc<dyn Transport>,
    token: Zeroizing<String>,
    time: ServerTime,
    elapsed: Elapsed,
}

impl std::fmt::Debug for Line {
    // The token is a secret.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Line").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Line {
    fn new(name: &str, transport: Arc<dyn Transport>, token: &str, elapsed: Elapsed) -> Self {
        let (name, token) = (name.to_owned(), Zeroizing::new(token.to_owned()));
        Self { name, transport, token, time: ServerTime::new(elapsed), elapsed }
    }

    fn now(&self) -> Timestamp {
        self.time.now().unwrap_or_else(|| SystemClock.now())
    }
}

impl Remote {
    /// Asks a server who we are, so that a token that is not valid is reported before anything is begun. `name` is what
    /// people call the server, `elapsed` the clock of deadlines.
    ///
    /// # Errors
    /// When the server does not answer, or does not accept the token.
    pub async fn connect(
        name: &str,
        transport: Arc<dyn Transport>,
        secret: &Secret,
        elapsed: Elapsed,
    ) -> Result<Self, ServiceError> {
        let line = Line::new(name, transport, secret.expose(), elapsed);
        let who: wire::Me = line.repeat(Call::new("GET", "/v1/me")).await?;
        Ok(Self { line, who, behind: Mutex::default() })
    }

    /// Who the server says that we are.
    pub fn who(&self) -> &wire::Me {
        &self.who
    }

    /// Asks a server who a secret is. This is a use of it.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn who_is(
        name: &str,
        transport: Arc<dyn Transport>,
        presented: &str,
        elapsed: Elapsed,
    ) -> Result<Result<wire::Me, String>, ServiceError> {
        check(&Line::new(name, transport, "", elapsed), presented).await
    }
}

impl Connection for Remote {
    fn me(&self) -> Option<&UserName> {
        Some(&self.who.user)
    }

    fn own_rights(&self) -> Option<(&Permissions, Timestamp)> {
        Some((&self.who.permissions, self.who.works_until))
    }
}

pub(super) async fn check(line: &Line, presented: &str) -> Result<Result<wire::Me, String>, ServiceError> {
    // What has not the form of a secret is sent nowhere.
    if let Err(error) = Secret::parse(presented) {
        return Ok(Err(format!("not a secret of this service: {error}")));
    }
    match line.repeat(Call::new("GET", "/v1/me").bearer(presented)).await {
        Ok(me) => Ok(Ok(me)),
        Err(ServiceError::Refused(refusal)) if is_unauthorized(&refusal.code) => {
            Ok(Err(format!("`{}` does not accept it", line.name)))
        }
        Err(error) => Err(error),
    }
}

/// Whether a code means that a token is not valid.
pub fn is_unauthorized(code: &str) -> bool {
    matches!(code, "unauthenticated" | "invalid_token")
}
