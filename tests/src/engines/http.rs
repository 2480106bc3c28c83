//! One HTTP request to an engine on loopback.

use std::io;
use std::net::SocketAddr;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

/// An engine's answer.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: StatusCode,
    pub body: Bytes,
}

impl Answer {
    /// A JSON body.
    pub fn json(status: StatusCode, body: &Value) -> Self {
        Self { status, body: Bytes::from(body.to_string()) }
    }

    /// An error as AWS's JSON services spell it.
    pub fn error(status: StatusCode, code: &str, message: &str) -> Self {
        Self::json(status, &json!({ "__type": code, "message": message }))
    }

    /// The body as JSON; `null` when it is none.
    pub fn value(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Whether it is an error with this code.
    pub fn is_error(&self, code: &str) -> bool {
        self.value()["__type"] == code
    }
}

/// A request to an AWS service.
#[derive(Debug, Clone)]
pub(super) struct Call {
    /// `X-Amz-Target`; none for the query protocol.
    pub(super) target: Option<String>,
    pub(super) content_type: String,
    /// Names the account and region to moto, which checks no signature.
    pub(super) authorization: String,
    pub(super) body: Bytes,
}

/// Sends a call to an engine.
pub(super) async fn send(address: SocketAddr, call: &Call) -> io::Result<Answer> {
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(TcpStream::connect(address).await?)).await.map_err(io::Error::other)?;
    tokio::spawn(connection);
    let mut request = Request::builder().method(Method::POST).uri("/").header(HOST, address.to_string());
    request = request.header(CONTENT_TYPE, &call.content_type).header(AUTHORIZATION, &call.authorization);
    if let Some(target) = &call.target {
        request = request.header("x-amz-target", target);
    }
    let request = request.body(Full::new(call.body.clone())).map_err(io::Error::other)?;
    let answer = sender.send_request(request).await.map_err(io::Error::other)?;
    let status = answer.status();
    let body = answer.into_body().collect().await.map_err(io::Error::other)?.to_bytes();
    Ok(Answer { status, body })
}
