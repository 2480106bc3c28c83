//! One request: how the API gets it, and how its reply is sent.

use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::header::{CONNECTION, HeaderName, HeaderValue};
use hyper::{Request, Response, StatusCode};
use latchkey::api::{BodyFault, IncomingBody, Reply};
use zeroize::Zeroizing;

use super::Server;
use super::waiting::Connection;
use crate::service::remote::{http_date, request_id};

/// Answers a request of a connection; also whether it came as a whole.
pub(super) async fn answer(
    server: &Server,
    connection: &Connection,
    from: SocketAddr,
    request: Request<Incoming>,
) -> (Response<Full<Bytes>>, bool) {
    let (parts, body) = request.into_parts();
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let request = latchkey::api::Request {
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect(),
        body: Vec::new(),
        // Never a forwarded header: whoever asks could write what they like there.
        source: Some(from.ip()),
        id: request_id(),
    };
    let id = request.id.clone();
    let is_whole = body.is_end_stream();
    let mut body = ArrivingBody { body, connection, within: server.limits.body_within, is_whole };
    let Reply { response, record } = server.api.handle_incoming(request, &mut body).await;
    tracing::info!(
        request = id,
        route = record.route,
        caller = record.caller,
        status = response.status,
        code = record.code,
        internal = record.internal,
        "answered"
    );
    let mut response = send(response, &http_date(server.api.service().now()));
    if !body.is_whole {
        // What is left of it is not read, so no other request can follow.
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    (response, body.is_whole)
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
    async fn read(&mut self, max: usize) -> Result<Vec<u8>, BodyFault> {
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
