//! One connection that stays, as an application has it.

use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::Value;

/// A caller with a secret.
#[derive(Debug)]
pub struct Client {
    address: String,
    authorization: String,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Client {
    /// A caller of the server at `url`.
    pub fn of(url: &str, secret: &str) -> Self {
        let address = url.trim_start_matches("http://").to_owned();
        Self { address, authorization: format!("Bearer {secret}"), sender: None }
    }

    /// Sends a request; the status and the body of its answer.
    pub async fn ask(&mut self, method: &str, target: &str, body: Option<&Value>) -> (u16, Value) {
        self.try_ask(method, target, body).await.expect("an answer")
    }

    /// The same; an error if the connection was closed before the answer.
    pub async fn try_ask(&mut self, method: &str, target: &str, body: Option<&Value>) -> hyper::Result<(u16, Value)> {
        let mut sender = if let Some(sender) = self.sender.take() {
            sender
        } else {
            let connection = tokio::net::TcpStream::connect(&self.address).await.expect("the server listens");
            let (sender, connection) = http1::handshake(TokioIo::new(connection)).await?;
            tokio::spawn(connection);
            sender
        };
        let mut request = Request::builder().method(method).uri(target).header("host", &self.address);
        request = request.header("authorization", &self.authorization);
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let bytes = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        sender.ready().await?;
        let answer = sender.send_request(request.body(Full::new(bytes)).expect("a request")).await?;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await?.to_bytes();
        self.sender = Some(sender);
        Ok((status, serde_json::from_slice(&body).unwrap_or_default()))
    }
}
