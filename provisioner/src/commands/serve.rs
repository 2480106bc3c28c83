//! `provision serve`: the HTTP API on this machine.

use std::net::SocketAddr;
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
use crate::server::{AccessLog, Certificate, Front, Limits, Proxies, Server};
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
    let front = front(&arguments)?;
    let scheme = if front.certificate.is_some() { "https" } else { "http" };
    let listener = listen(arguments.address()).await?;
    let counters = match arguments.metrics {
        Some(address) => Some(listen(address).await?),
        None => None,
    };
    let address = listener.local_addr()?;
    let server = Server::new(Api::new(operated.clone()), Limits::of_this_process(), front);
    // Now that it listens, whoever reads this line may ask.
    let base = arguments.base_path.as_ref().map_or("", |base| base.as_str());
    printer.result(&format!("{scheme}://{address}{base}"))?;
    let whom = if address.ip().is_loopback() { "on this machine only" } else { "for other machines too" };
    printer.talk(&format!("Serving {whom}; press Ctrl-C to stop"));
    if let Some(counters) = counters {
        printer.talk(&format!("Counters are at http://{}/metrics", counters.local_addr()?));
        tokio::spawn(server.clone().serve_metrics(counters));
    }
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

async fn listen(address: SocketAddr) -> Result<tokio::net::TcpListener, Fault> {
    tokio::net::TcpListener::bind(address).await.map_err(|error| {
        Fault::new(format!("cannot listen on {address}: {error}"))
            .hint("choose another port with `--port N` or `--listen`")
    })
}

/// How callers reach the server. Secrets cross no network in plain text.
fn front(arguments: &Serve) -> Result<Front, Fault> {
    let certificate = match (&arguments.tls_cert, &arguments.tls_key) {
        (Some(certificate), Some(key)) => {
            Some(Certificate::read(certificate, key).map_err(|error| Fault::new(error.to_string()))?)
        }
        _ => None,
    };
    let address = arguments.address();
    if certificate.is_none() && arguments.behind.is_empty() && !address.ip().is_loopback() {
        let fault = format!("refusing to serve plain HTTP on {address}: tokens would cross the network in plain text");
        return Err(Fault::new(fault).hint(
            "pass `--tls-cert FILE --tls-key FILE`, or `--behind CIDR` with the network of a proxy that speaks https",
        ));
    }
    let log = AccessLog::open(arguments.access_log.as_deref());
    let log = log.map_err(|error| Fault::new(format!("cannot write the access log: {error}")))?;
    Ok(Front {
        certificate,
        proxies: Proxies { networks: arguments.behind.clone(), header: arguments.forwarded },
        base: arguments.base_path.clone().unwrap_or_default(),
        pace: arguments.pace,
        log,
        ..Front::default()
    })
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
