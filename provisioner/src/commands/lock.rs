//! The advisory lease of a run: on an embedded table a lock on a file that dies with its process, elsewhere a record of
//! the service that is renewed during the run. Safety never depends on it.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use latchkey::name::ManifestName;
use latchkey::token::TokenKey;

use super::arguments::RunFlags;
use super::exit::{Code, Fault};
use crate::embedded;
use crate::manifest::ServiceAddress;
use crate::output::Printer;
use crate::service::remote::request_id;
use crate::service::{Client, LeaseHolder, Take};
use latchkey_sinks::deadline::Deadline;
use latchkey_sinks::files::{FileError, Site};

const POLL_FILE: Duration = Duration::from_millis(100);
const POLL_SERVICE: Duration = Duration::from_secs(1);
/// A third of a lease's length: two renewals may fail.
const RENEW_EVERY: Duration = Duration::from_secs(20);

/// A held lease.
#[derive(Debug)]
pub(super) enum Lease {
    /// Left out, to show that safety does not depend on it.
    #[cfg_attr(not(feature = "test-clock"), expect(dead_code, reason = "only tests leave it out"))]
    None,
    /// A lock on this file.
    File(#[expect(dead_code, reason = "closing it gives it back")] File),
    /// A record of the service.
    Service(Renewed),
}

/// A lease that a task renews.
#[derive(Debug)]
pub(super) struct Renewed {
    client: Client,
    manifest: ManifestName,
    holder: String,
    renewing: tokio::task::JoinHandle<()>,
}

/// With the feature `test-clock` this environment variable leaves the lease out, to show that safety does not depend
/// on it.
#[cfg(feature = "test-clock")]
const NO_LEASE: &str = "LATCHKEY_TEST_NO_LEASE";

/// Waits for the lease of a manifest. A run that loses it to another is stopped.
pub(super) async fn lease(
    printer: Printer,
    (address, client): (&ServiceAddress, &Client),
    (manifest, take): (&ManifestName, Take<'_>),
    how: &RunFlags,
    stop: &Arc<AtomicBool>,
) -> Result<Lease, Fault> {
    #[cfg(feature = "test-clock")]
    if std::env::var_os(NO_LEASE).is_some() {
        return Ok(Lease::None);
    }
    let wait = Duration::from_secs(how.wait);
    match address {
        ServiceAddress::Embedded(_) if how.steal => Err(Fault::new("the lease of an embedded table cannot be stolen")
            .hint("it is released when the process that holds it exits: stop that process, or wait for it")),
        ServiceAddress::Embedded(table) => of_file(printer, table.as_path(), manifest, wait).await,
        _ => of_service(printer, client, (manifest, take), wait, stop).await,
    }
}

async fn of_file(printer: Printer, table: &Path, manifest: &ManifestName, wait: Duration) -> Result<Lease, Fault> {
    let fault = |error: FileError| Fault::new(error.to_string()).hint(error.hint());
    let site = Site::plain(table).map_err(fault)?;
    let end = format!(".{manifest}.lock");
    let mut path = site.path().as_os_str().to_owned();
    path.push(&end);
    embedded::check_untracked(&[PathBuf::from(&path)]).map_err(super::open::not_opened)?;
    let file = site.open_lock(&end).map_err(fault)?;
    let failed = |error: std::io::Error| fault(FileError::from_io("lock", Path::new(&path), &error));
    let until = Deadline::after(wait);
    let mut told = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Lease::File(file)),
            Err(TryLockError::WouldBlock) if !until.has_passed() => {
                tell(printer, &format!("waiting for another run of `{manifest}` ..."), &mut told);
                tokio::time::sleep(POLL_FILE).await;
            }
            Err(TryLockError::WouldBlock) => {
                return Err(Fault::new(format!(
                    "another run of `{manifest}` is still active after {} s",
                    wait.as_secs()
                ))
                .hint("nothing was changed; try again later, or wait longer with `--wait SECONDS`")
                .code(Code::Busy));
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
    }
}

fn tell(printer: Printer, text: &str, told: &mut bool) {
    if !std::mem::replace(told, true) {
        printer.talk(text);
    }
}

async fn of_service(
    printer: Printer,
    client: &Client,
    (manifest, take): (&ManifestName, Take<'_>),
    wait: Duration,
    stop: &Arc<AtomicBool>,
) -> Result<Lease, Fault> {
    let holder = request_id();
    let until = Deadline::after(wait);
    let mut told = false;
    loop {
        match client.take_lease(manifest, &holder, take).await? {
            Ok(()) => break,
            Err(LeaseHolder { by, .. }) if !until.has_passed() => {
                let dead = "if it is dead, its lease expires within a minute, or pass `--steal`";
                tell(printer, &format!("waiting for another run of `{manifest}`, by `{by}` ...; {dead}"), &mut told);
                tokio::time::sleep(POLL_SERVICE.min(until.left())).await;
            }
            Err(LeaseHolder { by, .. }) => {
                return Err(Fault::new(format!(
                    "another run of `{manifest}`, by `{by}`, is still active after {} s",
                    wait.as_secs()
                ))
                .hint("nothing was changed; wait longer with `--wait SECONDS`; if it is dead, its lease expires within a minute, or pass `--steal`")
                .code(Code::Busy));
            }
        }
    }
    let token = if let Take::ToMove(token) = take { Some(token.clone()) } else { None };
    let (client, manifest) = (client.clone(), manifest.clone());
    let renewing = renew(printer, client.clone(), (manifest.clone(), token), holder.clone(), stop.clone());
    Ok(Lease::Service(Renewed { client, manifest, holder, renewing: tokio::spawn(renewing) }))
}

async fn renew(
    printer: Printer,
    client: Client,
    (manifest, token): (ManifestName, Option<TokenKey>),
    holder: String,
    stop: Arc<AtomicBool>,
) {
    let take = token.as_ref().map_or(Take::Own { steal: false }, Take::ToMove);
    loop {
        tokio::time::sleep(RENEW_EVERY).await;
        match client.take_lease(&manifest, &holder, take).await {
            Ok(Ok(())) => {}
            Ok(Err(LeaseHolder { by, .. })) => {
                printer.warning(&format!(
                    "`{by}` took over the lease of `{manifest}`: this run stops after the pushes in flight"
                ));
                stop.store(true, Ordering::Relaxed);
                return;
            }
            // The next one may go better; two runs at once are safe, and only slow each other down.
            Err(error) => tracing::debug!(%error, "the lease was not renewed"),
        }
    }
}

impl Lease {
    /// Gives it back, so that the next run need not wait.
    pub(super) async fn free(self) {
        if let Self::Service(Renewed { client, manifest, holder, renewing }) = self {
            renewing.abort();
            if let Err(error) = client.free_lease(&manifest, &holder).await {
                tracing::debug!(%error, "the lease was not released; it expires within a minute");
            }
        }
    }
}
