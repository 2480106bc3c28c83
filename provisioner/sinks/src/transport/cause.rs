//! What came between a request and its answer, in words that are the same for the same fault: whether a connection that
//! the other side gave up shows as a reset, as a broken pipe or as an answer that never came is a matter of timing.

use std::error::Error;
use std::io::{self, ErrorKind};

/// The innermost cause of an error of a connection.
pub(crate) fn innermost(error: &(dyn Error + 'static)) -> String {
    let causes = || std::iter::successors(Some(error), |error| (*error).source());
    let broke = causes().any(|cause| {
        cause.downcast_ref::<io::Error>().is_some_and(|error| is_broken(error.kind()))
            || cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_incomplete_message)
    });
    let refused = || {
        causes()
            .filter_map(|cause| cause.downcast_ref::<io::Error>())
            .any(|error| error.kind() == ErrorKind::ConnectionRefused)
    };
    if broke {
        "the connection was closed before an answer came".to_owned()
    } else if refused() {
        "connection refused".to_owned()
    } else {
        causes().last().map(ToString::to_string).unwrap_or_default()
    }
}

fn is_broken(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof
    )
}

#[cfg(test)]
mod tests {
    use std::io::{self, ErrorKind};

    use super::innermost;

    #[derive(Debug, thiserror::Error)]
    #[error("outside")]
    struct Outside(#[source] io::Error);

    #[test]
    fn a_connection_that_was_given_up_reads_the_same_however_it_shows() {
        let told = |kind| innermost(&Outside(io::Error::from(kind)));
        for kind in [ErrorKind::ConnectionReset, ErrorKind::ConnectionAborted, ErrorKind::BrokenPipe] {
            assert_eq!(told(kind), "the connection was closed before an answer came");
        }
        assert_eq!(told(ErrorKind::ConnectionRefused), "connection refused");
        assert_eq!(innermost(&Outside(io::Error::other("no such name"))), "no such name");
    }
}
