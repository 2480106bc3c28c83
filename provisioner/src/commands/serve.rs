//! `provision serve`: the HTTP API on this machine.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use latchkey::api::Api;
use latchkey::service::Service;

use super::arguments::{RunFlags, Serve};
use super::clock;
use super::exit::Code;
use super::exit::Fault;
use super::interrupt::Signals;
use super::open::{self, IfMissing};
use super::schedule::{Schedule, What};
use crate::output::Printer;
use crate::plan::Stop;
use crate::server::{Limits, Server};
use crate::service::Client;

/// How often counted uses are written.
const FLUSH_EVERY: Duration = Duration::from_mins(1);

/// How many seconds a run that rotates waits for another one of the same manifest.
const LEASE_WAIT: u64 = 90;

/// Serves until it is interrupted.
pub(super) async fn run(printer: Printer, service: Option<String>, arguments: Serve) -> Result<Code, Fault> {
    let client = match &arguments.rotate {
        None => open::nearest(service.as_deref(), IfMissing::Create).await?,
        Some(file) => {
            let manifest = open::load(printer, Some(file), &arguments.allow)?;
            open::client(&open::address(service.as_deref(), Some(&manifest))?, IfMissing::Create).await?
        }
    };
    let Some((operated, _)) = client.operated() else {
        return Err(Fault::new("this needs the table of the service, not a server")
            .hint("pass the table itself: `--service table:NAME` or `--service embedded:FILE`"));
    };
    clock::accept(printer, &client, &arguments.clock).await?;
    if let Some(behind) = client.protocol().clock_behind().await? {
        // Checks, revocation and lists go on.
        let stop = Stop::Clock(behind);
        printer.warning(&format!("{stop}; nothing is created, rotated or retired; {}", stop.hint()));
    }
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, arguments.port)).await;
    let listener = listener.map_err(|error| {
        Fault::new(format!("cannot listen on port {}: {error}", arguments.port))
            .hint("choose another port with `--port N`")
    })?;
    let address = listener.local_addr()?;
    let server = Server::new(Api::new(operated.clone()), Limits::of_this_process());
    // Now that it listens, whoever reads this line may ask.
    printer.result(&format!("http://{address}"))?;
    printer.talk("Serving on this machine only; press Ctrl-C to stop");
    let flushing = tokio::spawn(flush(operated.clone()));
    let (ending, told) = tokio::sync::watch::channel(false);
    let interrupting = tokio::spawn(async move {
        interrupted().await;
        let _ = ending.send(true);
    });
    // Both end by the same signal; a run that rotates ends after the pushes in flight.
    tokio::join!(server.serve(listener, told), rotate(printer, (service, &client), arguments));
    interrupting.abort();
    flushing.abort();
    let flushed = operated.flush_usage().await;
    flushed.map_err(|error| Fault::new(format!("cannot store the last uses: {error}")))?;
    Ok(Code::Done)
}

/// Rotates what is due of the manifest that `--rotate` names, until it is interrupted.
async fn rotate(printer: Printer, (service, client): (Option<String>, &Client), arguments: Serve) {
    let Serve { rotate: Some(file), allow, every, .. } = arguments else { return };
    let how = RunFlags { wait: LEASE_WAIT, ..RunFlags::default() };
    let what = What::Manifest { file: Some(file), allow, how };
    let schedule = Schedule { printer, service, what, every };
    schedule.run(Some(client), &Signals::watch(printer)).await;
}

async fn flush(service: Arc<Service>) {
    loop {
        tokio::time::sleep(FLUSH_EVERY).await;
        if let Err(error) = service.flush_usage().await {
            tracing::warn!(%error, "counted uses were not stored; they are kept for the next attempt");
        }
        if let Err(error) = service.reread_settings().await {
            tracing::warn!(%error, "the settings were not read again");
        }
        if let Err(error) = service.note_time().await {
            tracing::warn!(%error, "the time was not noted");
        }
    }
}

/// Waits for Ctrl-C, or for the signal that stops services.
async fn interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminated) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminated.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
