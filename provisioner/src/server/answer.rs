//! One request: how the API gets it, and how its reply is sent.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::header::{CONNECTION, HOST, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::http::uri::Authority;
use hyper::{Request, Response, StatusCode};
use jiff::Timestamp;
use latchkey::api::{BodyFault, BodyFuture, IncomingBody, Problem, Record, Reply};
use tokio::sync::watch;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::Server;
use super::base::Inside;
use super::log::Line;
use super::metrics;
use super::waiting::Connection;
use crate::service::remote::{http_date, request_id};

/// Answers a request of a connection; also whether it came as a whole.
pub(super) async fn answer(
    server: &Server,
    connection: &Connection,
    from: SocketAddr,
    ending: &watch::Receiver<bool>,
    request: Request<Incoming>,
) -> (Response<Full<Bytes>>, bool) {
    let started = Instant::now();
    let (parts, body) = request.into_parts();
    let is_whole = body.is_end_stream();
    let mut body = ArrivingBody { body, connection, within: server.limits.body_within, is_whole };
    let (source, id) = (server.front.proxies.client(from.ip(), &parts.headers), request_id());
    let Reply { response, record } = match before(server, (from.ip(), source), ending, &parts, &id).await {
        Before::Path(path) => {
            let origin = origin(server, from.ip(), &parts);
            let request = asked(&parts, path, (source, origin), &id);
            server.api.handle_incoming(request, &mut body).await
        }
        Before::Reply(reply) => reply,
    };
    let at = server.api.service().now();
    tell(server, &parts, &Told { source, id: &id, started, response: &response, record: &record, at });
    let mut response = send(response, &http_date(at));
    if !body.is_whole {
        // What is left of it is not read, so no other request can follow.
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    (response, body.is_whole)
}

/// What is known before the API is asked.
enum Before<'a> {
    /// The path as the API has it.
    Path(&'a str),
    /// What is answered without it.
    Reply(Reply),
}

async fn before<'a>(
    server: &Server,
    (peer, source): (IpAddr, Option<IpAddr>),
    ending: &watch::Receiver<bool>,
    parts: &'a Parts,
    id: &str,
) -> Before<'a> {
    let path = parts.uri.path();
    let is_ending = *ending.borrow();
    if parts.method == hyper::Method::GET
        && let Some(response) = server.health.answer(path, server.api.service(), is_ending).await
    {
        return Before::Reply(Reply { response, record: route("health") });
    }
    let problem = |problem: Problem| {
        let record = Record { code: Some(problem.code), ..Record::default() };
        Before::Reply(Reply { response: problem.response(id), record })
    };
    // Whoever else asks in plain text does so past the proxy: the token has crossed the network already, and must not
    // be used.
    if server.front.certificate.is_none() && !peer.to_canonical().is_loopback() && !server.front.proxies.contain(peer) {
        let detail = "this server speaks plain HTTP, with its proxies only: ask the proxy, by https";
        return problem(Problem::new(403, "not_by_proxy", detail));
    }
    let wait = server.pace.as_ref().and_then(|pace| pace.count(source.unwrap_or(peer), Instant::now()).err());
    if let Some(wait) = wait {
        server.front.metrics.paced();
        let seconds = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1);
        let detail = format!("this address asks more than this server allows: wait {seconds} s");
        return problem(Problem::new(429, "too_many_requests", detail).retry_after(seconds));
    }
    match server.front.base.inside(path) {
        Inside::Path(path) => Before::Path(path),
        Inside::Base => {
            let headers = vec![("location", format!("{}/", server.front.base.as_str()))];
            let response = latchkey::api::Response { status: 308, headers, body: Vec::new() };
            Before::Reply(Reply { response, record: route("base") })
        }
        Inside::Nothing => problem(Problem::new(404, "not_found", "there is no such path")),
    }
}

fn route(name: &str) -> Record {
    Record { route: Some(name.to_owned()), ..Record::default() }
}

/// Where whoever asked sees this server.
fn origin(server: &Server, peer: IpAddr, parts: &Parts) -> Option<String> {
    let named = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    let named = named.or_else(|| parts.uri.authority().map(Authority::as_str));
    let encrypted = server.front.certificate.is_some();
    let (scheme, host) = server.front.proxies.origin(peer, &parts.headers, (encrypted, named))?;
    Some(format!("{scheme}://{host}{}", server.front.base.as_str()))
}

fn asked(
    parts: &Parts,
    path: &str,
    (source, origin): (Option<IpAddr>, Option<String>),
    id: &str,
) -> latchkey::api::Request {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    latchkey::api::Request {
        method: parts.method.as_str().to_owned(),
        path: path.to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect(),
        body: Vec::new(),
        source,
        origin,
        id: id.to_owned(),
    }
}

/// What is told of a request.
struct Told<'a> {
    source: Option<IpAddr>,
    id: &'a str,
    started: Instant,
    response: &'a latchkey::api::Response,
    record: &'a Record,
    at: Timestamp,
}

fn tell(server: &Server, parts: &Parts, told: &Told<'_>) {
    let Told { source, id, started, response, record, at } = told;
    let took = started.elapsed();
    tracing::info!(
        request = id,
        route = record.route,
        caller = record.caller,
        status = response.status,
        code = record.code,
        internal = record.internal,
        "answered"
    );
    server.front.metrics.answered(record.route.as_deref(), response.status, record.check, took);
    if server.front.log.is_on() {
        let line = Line {
            at: *at,
            request: id,
            from: *source,
            method: parts.method.as_str(),
            route: None,
            status: response.status,
            bytes: response.body.len(),
            took,
            caller: None,
            token: None,
            check: None,
            code: None,
            internal: None,
        };
        server.front.log.write(&line.about(record));
    }
}

/// Answers a request for the counters.
pub(super) fn metrics(server: &Server, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    if request.uri().path() != "/metrics" {
        *response.status_mut() = StatusCode::NOT_FOUND;
        return response;
    }
    let calls = server.api.service().table().counted().calls;
    *response.body_mut() = Full::new(server.front.metrics.text(calls).into());
    response.headers_mut().insert(hyper::header::CONTENT_TYPE, HeaderValue::from_static(metrics::KIND));
    response
}

fn send(mut response: latchkey::api::Response, date: &str) -> Response<Full<Bytes>> {
    // It may hold a secret, and is wiped once it is sent.
    let body = Bytes::from_owner(Zeroizing::new(std::mem::take(&mut response.body)));
    let mut built = Response::new(Full::new(body));
    *built.status_mut() = StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let date = ("date", date.to_owned());
    for (name, value) in response.headers.drain(..).chain([date]) {
        if let Ok(value) = HeaderValue::from_str(&value) {
            built.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    built
}

/// A body that is read when the API asks for it. Who has announced that a request expects `100 Continue` is told so then.
struct ArrivingBody<'a> {
    body: Incoming,
    connection: &'a Connection,
    within: Duration,
    is_whole: bool,
}

impl IncomingBody for ArrivingBody<'_> {
    fn read(&mut self, max: usize) -> BodyFuture<'_> {
        Box::pin(self.receive(max))
    }
}

impl ArrivingBody<'_> {
    async fn receive(&mut self, max: usize) -> Result<Vec<u8>, BodyFault> {
        if self.is_whole {
            return Ok(Vec::new());
        }
        let announced = usize::try_from(self.body.size_hint().lower()).unwrap_or(usize::MAX);
        if announced > max {
            return Err(BodyFault::TooLong);
        }
        // Until it is here the server waits for its caller.
        self.connection.waits_on();
        let read = tokio::time::timeout(self.within, collect(&mut self.body, announced, max)).await;
        if !self.connection.is_served() {
            return Err(BodyFault::Broken);
        }
        let body = read.map_err(|_| BodyFault::TooSlow)??;
        self.is_whole = true;
        Ok(body)
    }
}

async fn collect(body: &mut Incoming, announced: usize, max: usize) -> Result<Vec<u8>, BodyFault> {
    let mut collected = Vec::with_capacity(announced);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| BodyFault::Broken)?.into_data() else { continue };
        if collected.len() + data.len() > max {
            return Err(BodyFault::TooLong);
        }
        collected.extend_from_slice(&data);
    }
    Ok(collected)
}
