//! The access log: a JSON object for each request, on a line of its own. It has routes in place of paths, and ids in place
//! of tokens: what a caller writes into an address is not in it.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use latchkey::api::Record;
use latchkey::mutex::Mutex;
use serde::Serialize;

use crate::output::log_line;

/// Where it goes.
#[derive(Debug)]
pub(crate) enum AccessLog {
    /// Nowhere.
    Off,
    /// To stdout.
    Stdout,
    /// To the end of a file.
    File(Mutex<File>),
}

/// One request.
#[derive(Debug, Serialize)]
pub(super) struct Line<'a> {
    pub(super) at: Timestamp,
    pub(super) request: &'a str,
    /// Who asked, as far as that is known.
    pub(super) from: Option<IpAddr>,
    pub(super) method: &'a str,
    pub(super) route: Option<&'a str>,
    pub(super) status: u16,
    pub(super) bytes: usize,
    #[serde(rename = "ms", serialize_with = "milliseconds")]
    pub(super) took: Duration,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) caller: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) check: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) internal: Option<&'a str>,
}

fn milliseconds<S: serde::Serializer>(took: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((took.as_secs_f64() * 1e6).round() / 1e3)
}

impl<'a> Line<'a> {
    /// The parts that a record of the API has.
    pub(super) fn about(self, record: &'a Record) -> Self {
        Self {
            route: record.route.as_deref(),
            caller: record.caller.as_deref(),
            token: record.token.as_ref().map(latchkey::secret::TokenId::as_str),
            check: record.check,
            code: record.code,
            internal: record.internal.as_deref(),
            ..self
        }
    }
}

impl AccessLog {
    /// The log that a user asks for: `-` is stdout.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub(crate) fn open(wish: Option<&Path>) -> io::Result<Self> {
        match wish {
            None => Ok(Self::Off),
            Some(path) if path.as_os_str() == "-" => Ok(Self::Stdout),
            Some(path) => {
                let mut options = OpenOptions::new();
                options.create(true).append(true);
                // Addresses of callers are nobody else's business.
                #[cfg(unix)]
                std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o640);
                Ok(Self::File(Mutex::new(options.open(path)?)))
            }
        }
    }

    pub(super) fn is_on(&self) -> bool {
        !matches!(self, Self::Off)
    }

    /// Writes a line. What cannot be written is lost, and keeps nobody waiting.
    pub(super) fn write(&self, line: &Line<'_>) {
        let Ok(mut text) = serde_json::to_vec(line) else { return };
        text.push(b'\n');
        // One call a line, so that lines of several processes do not mix.
        let written = match self {
            Self::Off => return,
            Self::Stdout => log_line(&text),
            Self::File(file) => file.lock().write_all(&text),
        };
        if let Err(error) = written {
            tracing::warn!(%error, "a line of the access log was not written");
        }
    }
}
