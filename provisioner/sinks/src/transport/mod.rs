//! How a request gets to a server and its answer back, once: to a Latchkey server, or to the vendor of a sink.

mod address;
mod cause;
mod http;

use std::fmt;

use async_trait::async_trait;
use zeroize::{Zeroize, Zeroizing};

pub use address::{Address, AddressError, is_loopback, scheme_and_host};
pub(crate) use cause::innermost;
pub use http::Http;

/// A request on its way out. Its header and body may contain secrets.
pub struct Outgoing {
    /// The method, in capitals.
    pub method: &'static str,
    /// The path with the query, as it is sent.
    pub target: String,
    /// Names in lower case and values.
    pub headers: Vec<(&'static str, String)>,
    /// The body; JSON where it is not empty.
    pub body: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A target may be a secret too: a deploy hook is.
        write!(formatter, "Outgoing({})", self.method)
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        self.headers.iter_mut().for_each(|(_, value)| value.zeroize());
        self.target.zeroize();
    }
}

/// An answer. Its body may contain a secret.
pub struct Incoming {
    pub status: u16,
    /// Names in lower case and values.
    pub headers: Vec<(String, String)>,
    pub body: Zeroizing<Vec<u8>>,
    /// How often its request had been sent by then.
    pub sent: u32,
}

impl fmt::Debug for Incoming {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Incoming({}, {} bytes)", self.status, self.body.len())
    }
}

impl Incoming {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(held, _)| held.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// Why no answer came. Whether the request took effect nobody knows.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct NoAnswer(pub String);

/// The longest answer that is read, in bytes: 10,000 entries of a vendor, and room.
pub const ANSWER_MAX: usize = 16 * 1024 * 1024;

/// One way to a server. It sends a request once, follows no redirect and tries nothing again.
#[async_trait]
pub trait Transport: Send + Sync + fmt::Debug {
    /// Sends a request and waits for its answer.
    async fn send(&self, request: &Outgoing) -> Result<Incoming, NoAnswer>;
}

/// Percent-encodes all but what RFC 3986 leaves unreserved.
pub fn percent_encode(text: &str, into: &mut String) {
    use std::fmt::Write as _;
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            into.push(char::from(byte));
        } else {
            let _ = write!(into, "%{byte:02X}");
        }
    }
}
