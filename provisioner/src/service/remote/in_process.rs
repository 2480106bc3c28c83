//! The API in this process, without a socket: so that what a server answers and what the service does can be compared
//! call by call.

use std::net::IpAddr;

use async_trait::async_trait;
use jiff::tz::TimeZone;
use latchkey::api::{Api, Request};
use latchkey::entropy::SystemEntropy;
use latchkey::secret::TokenId;
use zeroize::Zeroizing;

use latchkey_sinks::transport::{Incoming, NoAnswer, Outgoing, Transport};

/// An API, asked from an address.
#[derive(Debug)]
pub struct InProcess {
    api: Api,
    source: Option<IpAddr>,
}

impl InProcess {
    /// An API that sees requests come from `source`.
    pub fn new(api: Api, source: Option<IpAddr>) -> Self {
        Self { api, source }
    }
}

#[async_trait]
impl Transport for InProcess {
    async fn send(&self, request: &Outgoing) -> Result<Incoming, NoAnswer> {
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        let asked = Request {
            method: request.method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: request.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
            body: request.body.to_vec(),
            source: self.source,
            origin: None,
            id: request_id(),
        };
        let mut response = self.api.handle(asked).await.response;
        let mut headers: Vec<(String, String)> =
            response.headers.drain(..).map(|(name, value)| (name.to_owned(), value)).collect();
        headers.push(("date".to_owned(), http_date(self.api.service().now())));
        let body = Zeroizing::new(std::mem::take(&mut response.body));
        Ok(Incoming { status: response.status, headers, body, sent: 1 })
    }
}

/// An instant as the header `Date` has it, RFC 9110 section 5.6.7.
pub fn http_date(at: jiff::Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// A new id for a request.
pub fn request_id() -> String {
    TokenId::mint(&SystemEntropy).map_or_else(|_| "-".to_owned(), |id| id.to_string())
}
