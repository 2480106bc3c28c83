//! Events of an HTTP API (payload format 2.0) as requests, and replies as it wants them. Function URLs send the same.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>

use std::collections::BTreeMap;

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
        Some(body) if event.is_base64_encoded => {
            aws_smithy_types::base64::decode(body).map_err(|_| EventError::Body)?
        }
        Some(body) => body.into_bytes(),
        None => Vec::new(),
    };
    let context = event.request_context;
    Ok(Request {
        method: context.http.method,
        path: without_stage(event.raw_path, &context.stage),
        query: event.raw_query_string,
        headers: event.headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect(),
        body,
        // A forwarded header could say anything; this is the address that the gateway saw.
        source: context.http.source_ip.and_then(|address| address.parse().ok()),
        id: context.request_id,
    })
}

/// The path below the stage: only the stage `$default` is not part of it.
fn without_stage(path: String, stage: &str) -> String {
    let below = path.strip_prefix('/').and_then(|path| path.strip_prefix(stage)).filter(|rest| rest.starts_with('/'));
    match below {
        Some(below) if !stage.is_empty() => below.to_owned(),
        _ => path,
    }
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
            Err(bytes) => (aws_smithy_types::base64::encode(bytes.as_bytes()), true),
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
        let path = |path: &str, stage: &str| without_stage(path.to_owned(), stage);
        assert_eq!(path("/prod/v1/me", "prod"), "/v1/me");
        assert_eq!(path("/production/v1/me", "prod"), "/production/v1/me");
        assert_eq!(path("/v1/me", "$default"), "/v1/me");
        assert_eq!(path("/v1/me", ""), "/v1/me");
        assert_eq!(path("//v1/me", ""), "//v1/me");
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
