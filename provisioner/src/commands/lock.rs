//! The advisory lease of embedded runs: a lock on a file that dies with its process. Safety never rests on it.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use latchkey::name::ManifestName;

use super::exit::{Code, Fault};
use crate::deadline::Deadline;
use crate::output::Printer;

const POLL: Duration = Duration::from_millis(100);

/// A held lease.
#[derive(Debug)]
pub(super) struct Lease {
    _file: Option<File>,
}

/// With the feature `test-clock` this environment variable leaves the lease out, to show that safety does not rest on
/// it.
#[cfg(feature = "test-clock")]
const NO_LEASE: &str = "LATCHKEY_TEST_NO_LEASE";

/// Waits for the lease of a manifest on an embedded table.
pub(super) async fn lease(
    printer: Printer,
    table: &Path,
    manifest: &ManifestName,
    wait: Duration,
) -> Result<Lease, Fault> {
    #[cfg(feature = "test-clock")]
    if std::env::var_os(NO_LEASE).is_some() {
        return Ok(Lease { _file: None });
    }
    let mut path = table.as_os_str().to_owned();
    path.push(format!(".{manifest}.lock"));
    let path = PathBuf::from(path);
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let failed = |error: std::io::Error| Fault::new(format!("cannot lock `{}`: {error}", path.display()));
    let file = options.open(&path).map_err(failed)?;
    let until = Deadline::after(wait);
    let mut told = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Lease { _file: Some(file) }),
            Err(TryLockError::WouldBlock) if !until.has_passed() => {
                if !told {
                    printer.talk(&format!("waiting for another run of `{manifest}` ..."));
                    told = true;
                }
                tokio::time::sleep(POLL).await;
            }
            Err(TryLockError::WouldBlock) => {
                return Err(Fault::new(format!(
                    "another run of `{manifest}` has not ended after {} s",
                    wait.as_secs()
                ))
                .hint("nothing was changed; wait for it, or give it longer with `--wait SECONDS`")
                .code(Code::Busy));
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
    }
}
