//! How functions start, with everything there and with something missing.

use serde_json::json;
use tests::lambda::{Endpoint, Extensions, Function, events};

use super::{ALL, function, token};

#[tokio::test(flavor = "multi_thread")]
async fn every_function_starts_answers_and_asks_for_more() {
    let endpoint = Endpoint::plain().await;
    let created = token(&endpoint).await;
    for name in ALL {
        let started = function(name, &endpoint).start().await;
        started.runtime.polled(1).await;
        assert!(started.runtime.has_extension(), "{name}: Lambda tells it when the end comes");
        let before = endpoint.calls();
        assert!(before >= 1, "{name}: settings are read before the first poll");
        let event = match name {
            "authorize" => events::authorizer(&format!("Bearer {}", created.secret.expose())),
            _ => events::request("GET", "/v1/nothing", None, None),
        };
        for round in 1..=2 {
            let answer = started.invoke(&event).await.unwrap_or_else(|error| panic!("{name}: {error}"));
            match name {
                "authorize" => assert_eq!(answer["isAuthorized"], true, "{name}"),
                _ => assert!(answer["statusCode"].is_number() && answer["body"].is_string(), "{name}: {answer}"),
            }
            started.runtime.polled(round + 1).await;
        }
        assert_eq!(started.runtime.faults(), [""; 0], "{name}");
    }
}

/// A domain of one's own that is mapped to the API by a key, in front of which headers come as callers wrote them.
#[tokio::test(flavor = "multi_thread")]
async fn requests_by_a_domain_with_a_mapping_key_are_answered() {
    let endpoint = Endpoint::plain().await;
    let created = token(&endpoint).await;
    let event = |route: &str, path: &str| {
        let mut event = events::request("GET", path, None, None);
        event["routeKey"] = json!(route);
        event["headers"] =
            json!({ "Host": "api.example.com", "AUTHORIZATION": format!("Bearer {}", created.secret.expose()) });
        event["requestContext"]["domainName"] = json!("api.example.com");
        event
    };
    let list = function("list", &endpoint).start().await;
    let me = list.invoke(&event("GET /v1/me", "/tokens/v1/me")).await.unwrap();
    assert_eq!(me["statusCode"], 200, "{me}");
    // What the key stands for is the gateway's to say, and nothing that is asked for.
    for (route, path) in
        [("GET /v1/me", "/tokens/v1/you"), ("$default", "/tokens/v1/me"), ("GET /v1/me", "/tokens/v1/me/")]
    {
        let answer = list.invoke(&event(route, path)).await.unwrap();
        assert_eq!(answer["statusCode"], 404, "{route} {path}: {answer}");
    }
    let introspect = function("introspect", &endpoint).start().await;
    let metadata = "/.well-known/oauth-authorization-server";
    let told = introspect.invoke(&event(&format!("GET {metadata}"), &format!("/tokens{metadata}"))).await.unwrap();
    let told: serde_json::Value = serde_json::from_str(told["body"].as_str().unwrap()).unwrap();
    assert_eq!(told["introspection_endpoint"], "https://api.example.com/tokens/v1/introspect", "{told}");
    let page = function("dashboard", &endpoint).start().await;
    let found = page.invoke(&event("GET /", "/tokens/")).await.unwrap();
    assert!(found["statusCode"] == 200 && found["headers"]["content-type"].as_str().unwrap().starts_with("text/html"));
    let moved = page.invoke(&event("GET /", "/tokens")).await.unwrap();
    assert_eq!(
        (&moved["statusCode"], &moved["headers"]["location"]),
        (&json!(308), &json!("https://api.example.com/tokens/"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_extensions_api_a_function_works_all_the_same() {
    let endpoint = Endpoint::plain().await;
    let created = token(&endpoint).await;
    for extensions in [Extensions::Missing, Extensions::Hang] {
        let started = function("authorize", &endpoint).extensions(extensions).start().await;
        let answer = started.invoke(&events::authorizer(created.secret.expose())).await.unwrap();
        assert_eq!(answer["isAuthorized"], true, "{extensions:?}");
        assert_eq!(started.runtime.faults(), [""; 0]);
        assert!(!started.runtime.has_extension());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_variable_that_is_missing_is_named_and_ends_the_function() {
    let endpoint = Endpoint::plain().await;
    for missing in ["LATCHKEY_TABLE", "AWS_REGION", "AWS_ACCESS_KEY_ID"] {
        let mut started = function("list", &endpoint).without(missing).start().await;
        assert_eq!(started.ended().await.code(), Some(1));
        let log = started.log(1).await;
        assert_eq!((&log[0]["level"], &log[0]["function"]), (&json!("error"), &json!("list")));
        assert!(log[0]["internal"].as_str().unwrap().contains(missing), "{log:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_comes_late_is_found_by_the_first_invocation() {
    let endpoint = Endpoint::plain().await;
    let created = token(&endpoint).await;
    // It starts with a table that is not there, and is asked once it is.
    let late = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let started = Function::new("authorize", endpoint.table, &format!("http://{late}")).start().await;
    started.runtime.polled(1).await;
    let upstream = endpoint.url.strip_prefix("http://").unwrap().to_owned();
    let listener = tokio::net::TcpListener::bind(late).await.unwrap();
    let relay = tokio::spawn(async move {
        while let Ok((mut here, _)) = listener.accept().await {
            let mut there = tokio::net::TcpStream::connect(&upstream).await.unwrap();
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut here, &mut there).await });
        }
    });
    let answer = started.invoke(&events::authorizer(created.secret.expose())).await.unwrap();
    assert_eq!(answer["isAuthorized"], true);
    let log = started.log(2).await;
    assert_eq!(log[0]["level"], "warn", "the failed read before the first poll is told");
    relay.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_of_the_api_says_503_when_the_table_does_not_answer() {
    let unreachable = "http://127.0.0.1:1";
    for name in ["create", "introspect"] {
        let started = Function::new(name, "latchkey", unreachable).start().await;
        let event = events::request("POST", "/v1/introspect", Some("lk_x"), Some(&json!({"token": "lk_y"})));
        let answer = started.invoke(&event).await.unwrap();
        assert_eq!(answer["statusCode"], 503, "{answer}");
        let problem: serde_json::Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        assert_eq!(problem["code"], "unavailable");
        assert_eq!(problem["request_id"], events::REQUEST_ID);
        let log = started.log(2).await;
        assert_eq!((&log[1]["level"], &log[1]["status"]), (&json!("error"), &json!(503)));
        assert!(!started.lines().concat().contains("lk_"));
    }
}
