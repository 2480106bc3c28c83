//! The connections: what is asked goes to the sign-in or to the vault, and meets the trouble that was ordered.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use latchkey::mutex::Mutex;
use latchkey_sinks::conformance::{On, Trouble};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::{Reply, State, TENANT, sign_in};

/// A request, taken apart.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: BTreeMap<String, String>,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Bytes,
}

/// The connection ends here.
#[derive(Debug)]
pub(super) struct Dropped;

impl fmt::Display for Dropped {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the connection is dropped on order")
    }
}

impl std::error::Error for Dropped {}

pub(super) async fn serve(state: Arc<Mutex<State>>) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    let address = listener.local_addr().expect("a bound listener has an address");
    let listening = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let state = Arc::clone(&state);
            let service = service_fn(move |request| {
                let state = Arc::clone(&state);
                async move { respond(&state, request).await }
            });
            // An error here is a dropped connection, on order or by the client.
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    (address, listening)
}

async fn respond(state: &Mutex<State>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Dropped> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Dropped)?.to_bytes();
    let text = |value: &hyper::header::HeaderValue| value.to_str().unwrap_or_default().to_owned();
    let call = Call {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: form(parts.uri.query().unwrap_or_default()),
        headers: parts.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
        body,
    };
    let reply = state.lock().answer(&call)?;
    let mut response = Response::builder().status(reply.status).header("content-type", "application/json");
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    let body = reply.body.map(|body| body.to_string()).unwrap_or_default();
    response.body(Full::from(body)).map_err(|_| Dropped)
}

/// The fields of a form or a query.
pub(super) fn form(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (decoded(name), decoded(value))).collect()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut left = text.bytes();
    while let Some(byte) = left.next() {
        if byte == b'%' {
            let hex: Vec<u8> = left.by_ref().take(2).collect();
            let hex = std::str::from_utf8(&hex).ok().and_then(|hex| u8::from_str_radix(hex, 16).ok());
            bytes.push(hex.unwrap_or(b'?'));
        } else {
            bytes.push(if byte == b'+' { b' ' } else { byte });
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

impl State {
    fn answer(&mut self, call: &Call) -> Result<Reply, Dropped> {
        self.requests.push(format!("{} {}", call.method, call.path));
        let query: Vec<String> = call.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let _ = writeln!(self.said, "{} {} {}", call.method, call.path, query.join("&"));
        if let Some(reply) = sign_in::answer(self, call) {
            return Ok(reply);
        }
        let body = (!call.body.is_empty()).then(|| serde_json::from_slice::<Value>(&call.body).unwrap_or_default());
        let operation = match self.contract.check_request(&call.method, &call.path, &call.query, body.as_ref()) {
            Ok(operation) => operation,
            Err(differs) => {
                self.violations.insert(format!("request {} {}: {differs}", call.method, call.path));
                return Ok(Reply::error(400, "BadParameter", ""));
            }
        };
        let reply = self.vault(call, body.as_ref())?;
        if let Err(differs) = self.contract.check_reply(&operation, reply.status, reply.body.as_ref()) {
            self.violations.insert(format!("reply to {} {}: {differs}", call.method, call.path));
        }
        Ok(reply)
    }

    /// What the vault answers, to those who are signed in.
    fn vault(&mut self, call: &Call, body: Option<&Value>) -> Result<Reply, Dropped> {
        let bearer = call.headers.get("authorization").and_then(|header| header.strip_prefix("Bearer "));
        if bearer.is_none() {
            return Ok(self.challenge());
        }
        let on = if call.method == "GET" { On::Read } else { On::Write };
        let trouble = self.troubles.iter().position(|(kind, _)| *kind == on).map(|at| self.troubles.remove(at).1);
        match trouble {
            Some(Trouble::Throttled(seconds)) => {
                let mut reply = Reply::error(429, "Throttled", "");
                reply.headers.extend(seconds.map(|seconds| ("retry-after", seconds.to_string())));
                return Ok(reply);
            }
            Some(Trouble::Broken(status)) => return Ok(Reply::error(status, "InternalError", "")),
            Some(Trouble::Unheard) => return Err(Dropped),
            Some(Trouble::LoginExpired) => self.tokens.clear(),
            Some(Trouble::Forbidden) => return Ok(Reply::error(403, "Forbidden", "ForbiddenByRbac")),
            Some(Trouble::Unanswered) | None => {}
        }
        let now = (self.now)();
        let good = bearer.and_then(|token| self.tokens.get(token)).is_some_and(|end| *end > now);
        if !good {
            return Ok(self.challenge());
        }
        let reply = self.route(call, body);
        if trouble == Some(Trouble::Unanswered) { Err(Dropped) } else { Ok(reply) }
    }

    fn challenge(&self) -> Reply {
        let own = format!("Bearer authorization=\"{}/{TENANT}\", resource=\"https://vault.azure.net\"", self.url);
        let mut reply = Reply::error(401, "Unauthorized", "");
        reply.headers.push(("www-authenticate", self.rules.challenge.clone().unwrap_or(own)));
        reply
    }

    /// Whether the rights say no.
    fn forbidden(&self, action: &str) -> Option<Reply> {
        self.rules.forbidden.get(action).map(|inner| Reply::error(403, "Forbidden", inner))
    }

    fn route(&mut self, call: &Call, body: Option<&Value>) -> Reply {
        let path: Vec<&str> = call.path.split('/').skip(1).collect();
        let action = match (call.method.as_str(), path.as_slice()) {
            ("GET", ["secrets" | "deletedsecrets"] | ["secrets", _, "versions"]) => "list",
            ("GET", _) => "get",
            ("DELETE", ["deletedsecrets", _]) => "purge",
            ("DELETE", _) => "delete",
            ("POST", _) => "recover",
            _ => "set",
        };
        if let Some(reply) = self.forbidden(action) {
            return reply;
        }
        // As the client calls it: something may stand between.
        let base = format!("http://{}", call.headers.get("host").map_or("", String::as_str));
        let now = (self.now)();
        self.secrets.pass();
        if let Some(name) = path.get(1)
            && !(1..=127).contains(&name.len())
        {
            return Reply::error(400, "BadParameter", "");
        }
        let polls = self.rules.polls;
        let (reply, changed) = match (call.method.as_str(), path.as_slice()) {
            ("GET", [kind @ ("secrets" | "deletedsecrets")]) => (self.page(kind, call, &base), false),
            ("GET", ["secrets", name, "versions"]) => (self.secrets.version_page(name, call, &base), false),
            ("GET", ["secrets", name]) => (self.secrets.get(name, None, &base), false),
            ("GET", ["secrets", name, version]) => (self.secrets.get(name, Some(version), &base), false),
            ("GET", ["deletedsecrets", name]) => (self.secrets.get_deleted(name, &base), false),
            ("PUT", ["secrets", name]) => self.put(name, body.unwrap_or(&Value::Null), &base),
            ("PATCH", ["secrets", name, version]) => {
                self.secrets.patch(name, version, body.unwrap_or(&Value::Null), now, &base)
            }
            ("DELETE", ["secrets", name]) => match self.secrets.delete(name, now, polls) {
                Ok(()) => (self.secrets.deleted_reply(name, &base), true),
                Err(reply) => (reply, false),
            },
            ("DELETE", ["deletedsecrets", _]) if self.rules.purge_protection => {
                (Reply::error(403, "Forbidden", "PurgeProtectionEnabled"), false)
            }
            ("POST", ["deletedsecrets", name, "recover"]) => match self.secrets.recover(name, polls) {
                Ok(()) => (self.secrets.recovering_reply(name, &base), true),
                Err(reply) => (reply, false),
            },
            _ => (Reply::error(400, "BadParameter", ""), false),
        };
        self.changes += usize::from(changed);
        reply
    }

    fn put(&mut self, name: &str, body: &Value, base: &str) -> (Reply, bool) {
        let tags: BTreeMap<String, String> = body["tags"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
            .collect();
        let _ = writeln!(self.said, "{tags:?} {} {}", body["contentType"], body["attributes"]);
        let value = body["value"].as_str().unwrap_or_default();
        let long = |tag: &str| tag.chars().count() > 256;
        if value.len() > 25_600 || tags.len() > 15 || tags.iter().any(|(name, value)| long(name) || long(value)) {
            return (Reply::error(400, "BadParameter", ""), false);
        }
        if let Some(words) = self.rules.demands_expiry.filter(|_| body["attributes"]["exp"].is_null()) {
            let mut reply = Reply::error(403, "Forbidden", "");
            if let Some(body) = &mut reply.body {
                body["error"]["message"] = Value::from(words);
            }
            return (reply, false);
        }
        match self.secrets.set((name, value), tags, body, (self.now)()) {
            Ok(()) => (self.secrets.get(name, None, base), true),
            Err(reply) => (reply, false),
        }
    }

    fn page(&self, kind: &str, call: &Call, base: &str) -> Reply {
        let mut reply =
            if kind == "secrets" { self.secrets.page(call, base) } else { self.secrets.deleted_page(call, base) };
        if let (Some(link), Some(body)) = (&self.rules.next_link, &mut reply.body) {
            body["nextLink"] = Value::from(link.as_str());
        }
        reply
    }
}
