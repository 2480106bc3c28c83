//! How much callers get, and for how long the server waits for them.

use std::time::Duration;

/// What is buffered of the head of a request. The API refuses more than 16 KiB of headers with a problem; beyond this the
/// head cannot be read, and the answer is a bare 431.
pub(super) const HEAD_MAX: usize = 32 * 1024;

/// How long a head may take from the first moment on, and how long a connection may be idle. Callers send heads in one
/// packet; one that stays idle longer connects again.
const HEAD_WITHIN: Duration = Duration::from_secs(15);
/// How long a body may take: 64 KiB at most, over loopback.
const BODY_WITHIN: Duration = Duration::from_secs(10);
/// How long a caller may take to receive an answer: the largest has some hundred KiB.
const ANSWER_WITHIN: Duration = Duration::from_mins(1);

/// The most connections at once. Each takes up to 100 KiB while it is read.
const CONNECTIONS_MAX: usize = 512;
/// Files that the process needs besides connections: the table and its companions, the runtime's and the standard ones.
const FILES_KEPT: usize = 64;

/// The bounds of a server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// How many connections there are at once.
    pub(super) connections: usize,
    /// How long the head of a request may take, or stay away.
    pub(super) head_within: Duration,
    /// How long its body may take.
    pub(super) body_within: Duration,
    /// How long the answer may take to be received.
    pub(super) answer_within: Duration,
}

impl Limits {
    /// As many connections as this process's limit of open files allows.
    pub(crate) fn of_this_process() -> Self {
        #[cfg(unix)]
        let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        #[cfg(not(unix))]
        let files = None;
        let files = files.and_then(|files| usize::try_from(files).ok()).unwrap_or(usize::MAX);
        Self {
            connections: connections(files),
            head_within: HEAD_WITHIN,
            body_within: BODY_WITHIN,
            answer_within: ANSWER_WITHIN,
        }
    }
}

/// Each connection may need a second file, for a table that is elsewhere.
fn connections(files: usize) -> usize {
    (files.saturating_sub(FILES_KEPT) / 2).max(files / 8).clamp(1, CONNECTIONS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_for_the_table() {
        assert_eq!([16, 64, 256, 1024, 1 << 20, usize::MAX].map(connections), [2, 8, 96, 480, 512, 512]);
        for files in 1..2000 {
            assert!(files < 8 || 2 * connections(files) < files, "{files}");
        }
    }
}
