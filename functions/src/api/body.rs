//! Bodies that are still on their way: a front keeps one back until it is asked for, which is once a caller may send it.

use std::pin::Pin;

use super::problem::Problem;

/// The longest body that is read, in bytes.
pub const BODY_MAX: usize = 64 * 1024;

/// The same where a caller is checked together with what the body asks about: a secret, which whoever asks may have
/// got from anybody, and three short fields.
pub(super) const PRESENTED_BODY_MAX: usize = 8 * 1024;

/// The body of a request, as far as it has arrived.
pub trait IncomingBody: Send {
    /// Reads it to its end, which comes after `max` bytes at the latest.
    fn read(&mut self, max: usize) -> BodyFuture<'_>;
}

/// A body on its way. On the heap, so that what answers requests is compiled once and not for each front.
pub type BodyFuture<'a> = Pin<Box<dyn Future<Output = Result<Vec<u8>, BodyFault>> + Send + 'a>>;

/// Why a body could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyFault {
    /// It is longer than allowed, or was announced to be.
    TooLong,
    /// It did not arrive in time.
    TooSlow,
    /// It ended early, or is badly encoded.
    Broken,
}

impl BodyFault {
    pub(super) fn problem(self, max: usize) -> Problem {
        match self {
            Self::TooLong => {
                Problem::new(413, "too_large", format!("the body of this request can have at most {max} bytes"))
            }
            Self::TooSlow => Problem::new(408, "request_timeout", "the body did not arrive in time; send it again"),
            Self::Broken => Problem::invalid_request("the body ended early or is badly encoded"),
        }
    }
}

/// A body that is here.
pub(super) struct ArrivedBody(pub(super) Vec<u8>);

impl IncomingBody for ArrivedBody {
    fn read(&mut self, max: usize) -> BodyFuture<'_> {
        let read = if self.0.len() > max { Err(BodyFault::TooLong) } else { Ok(std::mem::take(&mut self.0)) };
        Box::pin(std::future::ready(read))
    }
}
