//! Events of an HTTP API (payload format 2.0) as requests, and replies as it wants them. Function URLs send the same.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

use crate::api::{Request, Response};

/// An event that is none of an HTTP API. It never tells what stood in the event, which may hold a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum EventError {
    #[error("the event has a form that this function does not support ({kind:?} at line {line}, column {column})")]
    Form { kind: &'static str, line: usize, column: usize },
    #[error("the event's body is marked as base64, but is not")]
    Body,
}

impl From<serde_json::Error> for EventError {
    fn from(error: serde_json::Error) -> Self {
        let kind = match error.classify() {
            serde_json::error::Category::Data => "data",
            serde_json::error::Category::Syntax => "syntax",
            serde_json::error::Category::Eof | serde_json::error::Category::Io => "end",
        };
        Self::Form { kind, line: error.line(), column: error.column() }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    /// The route that the gateway took the request by, for instance `GET /v1/me`.
    #[serde(default)]
    route_key: String,
    raw_path: String,
    #[serde(default)]
    raw_query_string: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    request_context: Context,
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Context {
    http: Http,
    #[serde(default)]
    request_id: String,
    #[serde(default)]
    stage: String,
    domain_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Http {
    method: String,
    source_ip: Option<String>,
}

/// The request in an event.
pub(super) fn request(event: &str) -> Result<Request, EventError> {
    let event: Event = serde_json::from_str(event)?;
    let body = match event.body {
        Some(body) if event.is_base64_encoded => STANDARD.decode(body).map_err(|_| EventError::Body)?,
        Some(body) => body.into_bytes(),
        None => Vec::new(),
    };
    let context = event.request_context;
    let (base, path) = split(&event.raw_path, &event.route_key, &context.stage);
    Ok(Request {
        method: context.http.method,
        origin: context.domain_name.map(|domain| format!("https://{domain}{base}")),
        path: path.to_owned(),
        query: event.raw_query_string,
        headers: event.headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect(),
        body,
        // A forwarded header could say anything; this is the address that the gateway saw.
        source: context.http.source_ip.and_then(|address| address.parse().ok()),
        id: context.request_id,
    })
}

/// A path as what stands before it, and what it is below that: the stage, unless it is `$default`, and the key by which a
/// domain of one's own is mapped to it. The gateway knows the route below both, and says which it took; so what is below is
/// as long as that route is, and nobody has to be told the key.
fn split<'a>(path: &'a str, route_key: &str, stage: &str) -> (&'a str, &'a str) {
    let route = route_key.split_once(' ').map(|(_, route)| route).filter(|route| !route.contains("+}"));
    if let Some(route) = route {
        return split_by_route(path, route).unwrap_or(("", path));
    }
    let below = path.strip_prefix('/').and_then(|path| path.strip_prefix(stage)).filter(|rest| rest.starts_with('/'));
    match below {
        Some(below) if !stage.is_empty() => path.split_at(path.len() - below.len()),
        _ => ("", path),
    }
}

fn split_by_route<'a>(path: &'a str, route: &str) -> Option<(&'a str, &'a str)> {
    let words = || route.split('/').skip(1).filter(|word| !word.is_empty());
    if words().next().is_none() {
        // The root: below it is nothing, or the `/` that browsers need to find what is beside it.
        return Some(path.split_at(path.strip_suffix('/').unwrap_or(path).len()));
    }
    let (mut begin, mut rest) = (path.len(), path);
    for word in words().collect::<Vec<_>>().into_iter().rev() {
        let (before, held) = rest.rsplit_once('/')?;
        let fits = if word.starts_with('{') { !held.is_empty() } else { held == word };
        if !fits {
            return None;
        }
        (begin, rest) = (before.len(), before);
    }
    Some(path.split_at(begin))
}

/// What the gateway is answered.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GatewayReply {
    status_code: u16,
    headers: BTreeMap<&'static str, String>,
    body: String,
    is_base64_encoded: bool,
}

impl Drop for GatewayReply {
    fn drop(&mut self) {
        self.body.zeroize();
    }
}

impl From<Response> for GatewayReply {
    fn from(mut response: Response) -> Self {
        let mut headers: BTreeMap<&'static str, String> = BTreeMap::new();
        for (name, value) in response.headers.drain(..) {
            // The form has one value a name; a list means the same (RFC 9110, 5.3).
            headers
                .entry(name)
                .and_modify(|held| {
                    held.push_str(", ");
                    held.push_str(&value);
                })
                .or_insert(value);
        }
        let (body, is_base64_encoded) = match String::from_utf8(std::mem::take(&mut response.body)) {
            Ok(text) => (text, false),
            Err(bytes) => (STANDARD.encode(bytes.as_bytes()), true),
        };
        Self { status_code: response.status, headers, body, is_base64_encoded }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    // The form of AWS's own example, shortened.
    fn event() -> Value {
        json!({
            "version": "2.0",
            "routeKey": "POST /v1/introspect",
            "rawPath": "/v1/introspect",
            "rawQueryString": "a=1&b=x%20y",
            "cookies": ["c=1"],
            "headers": {"Authorization": "Bearer lk_secret", "x-forwarded-for": "6.6.6.6"},
            "queryStringParameters": {"a": "1"},
            "requestContext": {
                "accountId": "123456789012",
                "apiId": "api-id",
                "http": {
                    "method": "POST", "path": "/v1/introspect", "protocol": "HTTP/1.1",
                    "sourceIp": "192.0.2.1", "userAgent": "agent",
                },
                "requestId": "the-id",
                "stage": "$default",
                "timeEpoch": 1_583_348_638_390_u64,
            },
            "body": "eyJhIjoxfQ==",
            "isBase64Encoded": true,
        })
    }

    #[test]
    fn an_event_is_the_request_that_the_gateway_saw() {
        let request = request(&event().to_string()).unwrap();
        assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/v1/introspect"));
        assert_eq!(request.query, "a=1&b=x%20y");
        assert_eq!(request.body, br#"{"a":1}"#);
        assert_eq!(request.source, Some([192, 0, 2, 1].into()), "never a forwarded header");
        assert_eq!(request.id, "the-id");
        assert!(request.headers.contains(&("authorization".to_owned(), "Bearer lk_secret".to_owned())));
    }

    #[test]
    fn an_event_without_a_body_has_an_empty_one() {
        let mut event = event();
        event.as_object_mut().unwrap().remove("body");
        event["isBase64Encoded"] = json!(false);
        assert!(request(&event.to_string()).unwrap().body.is_empty());
    }

    #[test]
    fn the_stage_is_not_part_of_the_path_but_only_as_a_whole_part() {
        let path = |path, stage: &str| split(path, "$default", stage).1;
        assert_eq!(path("/prod/v1/me", "prod"), "/v1/me");
        assert_eq!(path("/production/v1/me", "prod"), "/production/v1/me");
        assert_eq!(path("/v1/me", "$default"), "/v1/me");
        assert_eq!(path("/v1/me", ""), "/v1/me");
        assert_eq!(path("//v1/me", ""), "//v1/me");
    }

    #[test]
    fn what_a_mapping_of_a_domain_puts_before_a_route_is_not_part_of_the_path() {
        for (path, route, base, below) in [
            ("/tokens/v1/me", "GET /v1/me", "/tokens", "/v1/me"),
            ("/a/b/v1/users/ada/tokens", "GET /v1/users/{user}/tokens", "/a/b", "/v1/users/ada/tokens"),
            ("/v1/me", "GET /v1/me", "", "/v1/me"),
            ("/prod/v1/me", "GET /v1/me", "/prod", "/v1/me"),
            ("/v1/v1/me", "GET /v1/me", "/v1", "/v1/me"),
            ("/tokens/", "GET /", "/tokens", "/"),
            ("/tokens", "GET /", "/tokens", ""),
            ("/", "GET /", "", "/"),
            // What does not end as the route does is nobody's, and is left as it is.
            ("/tokens/v1/me/", "GET /v1/me", "", "/tokens/v1/me/"),
            ("/tokens/v1/you", "GET /v1/me", "", "/tokens/v1/you"),
            ("/tokensv1/me", "GET /v1/me", "", "/tokensv1/me"),
            ("/x/v1/users//tokens", "GET /v1/users/{user}/tokens", "", "/x/v1/users//tokens"),
            ("me", "GET /v1/me", "", "me"),
            ("/prod/v1/me", "ANY /{proxy+}", "/prod", "/v1/me"),
        ] {
            assert_eq!(split(path, route, "prod"), (base, below), "{path} by {route}");
        }
        let mut event = event();
        event["rawPath"] = json!("/tokens/v1/introspect");
        event["requestContext"]["domainName"] = json!("api.example.com");
        let request = request(&event.to_string()).unwrap();
        assert_eq!(request.origin.as_deref(), Some("https://api.example.com/tokens"));
        assert_eq!(request.path, "/v1/introspect");
    }

    #[test]
    fn what_cannot_be_read_is_not_repeated() {
        let wrong = json!({"rawPath": {"lk_secret": "lk_secret"}}).to_string();
        let error = request(&wrong).unwrap_err();
        assert!(!error.to_string().contains("lk_secret") && !format!("{error:?}").contains("lk_secret"));
        let mut event = event();
        event["body"] = json!("lk_secret!");
        assert_eq!(request(&event.to_string()).unwrap_err(), EventError::Body);
    }

    #[test]
    fn a_reply_has_one_value_a_header() {
        let headers = vec![("allow", "GET".to_owned()), ("allow", "PUT".to_owned())];
        let reply = GatewayReply::from(Response { status: 405, headers, body: b"{}".to_vec() });
        assert_eq!(
            serde_json::to_value(reply).unwrap(),
            json!({"statusCode": 405, "headers": {"allow": "GET, PUT"}, "body": "{}", "isBase64Encoded": false})
        );
    }
}
