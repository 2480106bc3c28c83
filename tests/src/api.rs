//! The HTTP API in this process, and actors who call it.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use latchkey::api::{Api, Function, Record, Request, Response};
use serde_json::Value;

static REQUESTS: AtomicU64 = AtomicU64::new(0);

/// Somebody who calls the API.
#[derive(Debug, Clone)]
pub struct Actor {
    api: Api,
    /// The value of `Authorization`.
    pub authorization: Option<String>,
    /// From which address.
    pub source: IpAddr,
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    /// The reply itself.
    pub response: Response,
    /// What the log would say.
    pub record: Record,
    /// The body, `null` when there is none.
    pub body: Value,
}

impl Reply {
    pub fn status(&self) -> u16 {
        self.response.status
    }

    /// The problem's code, empty when there is no problem.
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// A field of the body.
    pub fn text(&self, pointer: &str) -> &str {
        self.body.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no {pointer} in {}", self.body))
    }

    /// The same, which has to have a status.
    #[must_use]
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.response.status, status, "{}", self.body);
        self
    }
}

impl Actor {
    pub fn anonymous(api: &Api) -> Self {
        let source = IpAddr::from([192, 0, 2, 7]);
        Self { api: api.clone(), authorization: None, source }
    }

    /// Whoever has a secret.
    pub fn with(api: &Api, secret: &str) -> Self {
        Self { authorization: Some(format!("Bearer {secret}")), ..Self::anonymous(api) }
    }

    /// Sends a request with headers of its own.
    pub async fn send(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut all: Vec<(String, String)> =
            headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        all.extend(self.authorization.clone().map(|value| ("authorization".to_owned(), value)));
        let number = REQUESTS.fetch_add(1, Ordering::Relaxed);
        let request = Request {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: all,
            body: body.to_vec(),
            source: Some(self.source),
            origin: Some("https://tokens.example.com".to_owned()),
            id: format!("request-{number}"),
        };
        let latchkey::api::Reply { response, record } = self.api.handle(request).await;
        let text = &response.body;
        // The page alone is not JSON.
        let is_page = response.header("content-security-policy").is_some();
        let body = if text.is_empty() || is_page { Value::Null } else { serde_json::from_slice(text).expect("JSON") };
        Reply { response, record, body }
    }

    /// Sends a request without a body.
    pub async fn get(&self, target: &str) -> Reply {
        self.send("GET", target, &[], b"").await
    }

    /// Sends a request with a JSON body, or without one when it is `null`.
    pub async fn json(&self, method: &str, target: &str, body: &Value) -> Reply {
        if body.is_null() {
            return self.send(method, target, &[], b"").await;
        }
        self.send(method, target, &[("content-type", "application/json")], body.to_string().as_bytes()).await
    }
}

/// The routes of the API, without those of the page, which answer no JSON.
pub fn routes() -> impl Iterator<Item = &'static latchkey::api::Route> {
    let all = Function::ALL.into_iter().filter(|function| *function != Function::DASHBOARD);
    all.flat_map(Function::routes)
}
