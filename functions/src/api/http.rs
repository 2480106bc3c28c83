//! Requests and replies as every front sees them: Lambda, the local server and the tool in the same process.

use std::fmt;
use std::net::IpAddr;

use zeroize::Zeroize;

/// One HTTP request.
#[derive(Clone, Default)]
pub struct Request {
    /// The method, in capitals.
    pub method: String,
    /// The path, percent-encoded or not; names contain no `%`, so decoding it again changes nothing.
    pub path: String,
    /// What follows `?`, as it was sent.
    pub query: String,
    /// Names in lower case and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// Where it came from, as the gateway saw it; never taken from a header.
    pub source: Option<IpAddr>,
    /// The address below which whoever asked sees the routes, for instance `https://tokens.example.com/base`, as far as
    /// the front knows it from what it trusts.
    pub origin: Option<String>,
    /// The id under which the request is logged.
    pub id: String,
}

impl fmt::Debug for Request {
    // Headers and body may hold secrets.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Request({} {}, {})", self.method, self.path, self.id)
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        self.body.zeroize();
        self.headers.iter_mut().for_each(|(_, value)| value.zeroize());
    }
}

/// A header that may come once came more than once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the header `{0}` is given more than once")]
pub(super) struct RepeatedHeader(String);

impl Request {
    /// The value of a header that may come once.
    pub(super) fn header(&self, name: &str) -> Result<Option<&str>, RepeatedHeader> {
        let mut values = self.headers.iter().filter(|(held, _)| held.eq_ignore_ascii_case(name));
        let first = values.next().map(|(_, value)| value.as_str());
        if values.next().is_some() {
            return Err(RepeatedHeader(name.to_owned()));
        }
        Ok(first)
    }
}

/// One HTTP reply.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// Names in lower case and values.
    pub headers: Vec<(&'static str, String)>,
    /// The body, empty or JSON.
    pub body: Vec<u8>,
}

impl fmt::Debug for Response {
    // The body may hold a secret.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Response({}, {} bytes)", self.status, self.body.len())
    }
}

impl Drop for Response {
    fn drop(&mut self) {
        self.body.zeroize();
    }
}

impl Response {
    /// The same with a header more.
    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(held, _)| *held == name).map(|(_, value)| value.as_str())
    }
}
