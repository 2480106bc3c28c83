//! Events as API Gateway sends them.

use serde_json::{Value, json};

/// The gateway's id of every request here.
pub const REQUEST_ID: &str = "JKJaXmPLvHcESHA=";
/// Where every request here comes from.
pub const SOURCE: &str = "203.0.113.7";
/// The method that a REST API's authorizer is asked about.
pub const METHOD_ARN: &str = "arn:aws:execute-api:us-east-1:123456789012:abcdef123/prod/GET/documents/7";

/// A request to an HTTP API, payload format 2.0.
pub fn request(method: &str, path: &str, secret: Option<&str>, body: Option<&Value>) -> Value {
    let mut headers = json!({"host": "abcdef123.execute-api.us-east-1.amazonaws.com", "x-forwarded-for": "10.0.0.1"});
    if let Some(secret) = secret {
        headers["authorization"] = json!(format!("Bearer {secret}"));
    }
    let mut event = json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": headers,
        "requestContext": context(method, path),
        "isBase64Encoded": false,
    });
    if let Some(body) = body {
        event["headers"]["content-type"] = json!("application/json");
        event["body"] = json!(body.to_string());
    }
    event
}

/// A question to an authorizer of an HTTP API, payload format 2.0.
pub fn authorizer(presented: &str) -> Value {
    json!({
        "version": "2.0",
        "type": "REQUEST",
        "routeArn": METHOD_ARN,
        "identitySource": [presented],
        "routeKey": "GET /documents/{id}",
        "rawPath": "/documents/7",
        "rawQueryString": "",
        "headers": {"authorization": presented, "x-forwarded-for": "10.0.0.1"},
        "requestContext": context("GET", "/documents/7"),
    })
}

/// A question to a `TOKEN` authorizer of a REST API.
pub fn rest_token(presented: &str) -> Value {
    json!({"type": "TOKEN", "authorizationToken": presented, "methodArn": METHOD_ARN})
}

/// A question to a `REQUEST` authorizer of a REST API.
pub fn rest_request(presented: &str) -> Value {
    json!({
        "type": "REQUEST",
        "methodArn": METHOD_ARN,
        "resource": "/documents/{id}",
        "path": "/documents/7",
        "httpMethod": "GET",
        "headers": {"Authorization": presented, "X-Forwarded-For": "10.0.0.1"},
        "queryStringParameters": {},
        "requestContext": {"requestId": REQUEST_ID, "stage": "prod", "identity": {"sourceIp": SOURCE}},
    })
}

fn context(method: &str, path: &str) -> Value {
    json!({
        "accountId": "123456789012",
        "apiId": "abcdef123",
        "domainName": "abcdef123.execute-api.us-east-1.amazonaws.com",
        "http": {
            "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": SOURCE, "userAgent": "tests",
        },
        "requestId": REQUEST_ID,
        "routeKey": "$default",
        "stage": "$default",
        "time": "22/Nov/2026:12:00:00 +0000",
        "timeEpoch": 1_795_348_800_000_u64,
    })
}
