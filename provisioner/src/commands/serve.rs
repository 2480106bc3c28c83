//! `provision serve`: the HTTP API on this machine.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use latchkey::api::{Api, BODY_MAX, Reply, Request, Response};
use latchkey::service::Service;
use zeroize::Zeroizing;

use super::arguments::Serve;
use super::clock;
use super::exit::Code;
use super::exit::Fault;
use super::open::{self, IfMissing};
use crate::output::Printer;
use crate::plan::Stop;
use crate::service::remote::{http_date, request_id};

/// How often counted uses are written.
const FLUSH_EVERY: Duration = Duration::from_mins(1);
/// How long requests under way may take to finish.
const END_WITHIN: Duration = Duration::from_secs(10);

/// Serves until it is interrupted.
pub(super) async fn run(printer: Printer, service: Option<&str>, arguments: &Serve) -> Result<Code, Fault> {
    let client = open::nearest(service, IfMissing::Create).await?;
    let Some((service, _)) = client.operated() else {
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
    let router = Router::new().fallback(answer).with_state(Api::new(service.clone()));
    let server = axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>());
    // Now that it listens, whoever reads this line may ask.
    printer.result(&format!("http://{address}"))?;
    printer.talk("Serving on this machine only; press Ctrl-C to stop");
    let flushing = tokio::spawn(flush(service.clone()));
    let (ending, mut ended) = tokio::sync::watch::channel(false);
    let graceful = server.with_graceful_shutdown(async move {
        interrupted().await;
        let _ = ending.send(true);
    });
    let served = tokio::select! {
        served = async { graceful.await } => served,
        () = async {
            let _ = ended.wait_for(|ended| *ended).await;
            tokio::time::sleep(END_WITHIN).await;
        } => Ok(()),
    };
    flushing.abort();
    let flushed = service.flush_usage().await;
    served.map_err(|error| Fault::new(format!("the server failed: {error}")))?;
    flushed.map_err(|error| Fault::new(format!("cannot store the last uses: {error}")))?;
    Ok(Code::Done)
}

async fn flush(service: Arc<Service>) {
    loop {
        tokio::time::sleep(FLUSH_EVERY).await;
        if let Err(error) = service.flush_usage().await {
            tracing::warn!(%error, "counted uses were not stored; they are kept for the next attempt");
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

async fn answer(
    State(api): State<Api>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    request: axum::http::Request<Body>,
) -> axum::http::Response<Body> {
    let (parts, body) = request.into_parts();
    // One byte too many is enough for the API to refuse it; no more than that is read.
    let body = axum::body::to_bytes(body, BODY_MAX).await.map_or_else(|_| vec![0; BODY_MAX + 1], |body| body.to_vec());
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let request = Request {
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect(),
        body,
        // Never a forwarded header: whoever asks could write what they like there.
        source: Some(from.ip()),
        id: request_id(),
    };
    let id = request.id.clone();
    let Reply { response, record } = api.handle(request).await;
    tracing::info!(
        request = id,
        route = record.route,
        caller = record.caller,
        status = response.status,
        code = record.code,
        internal = record.internal,
        "answered"
    );
    send(response, &http_date(api.service().now()))
}

fn send(mut response: Response, date: &str) -> axum::http::Response<Body> {
    // It may hold a secret, and is wiped once it is sent.
    let body = Bytes::from_owner(Zeroizing::new(std::mem::take(&mut response.body)));
    let mut built = axum::http::Response::new(Body::from(body));
    *built.status_mut() = StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let date = ("date", date.to_owned());
    for (name, value) in response.headers.drain(..).chain([date]) {
        if let Ok(value) = HeaderValue::from_str(&value) {
            built.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    built
}
