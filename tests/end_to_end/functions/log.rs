//! What functions say: one JSON line an invocation, and never a secret.

use serde_json::{Value, json};
use tests::lambda::{Endpoint, events};

use super::{ALL, function, token};

#[tokio::test(flavor = "multi_thread")]
async fn an_authorizer_logs_caller_token_outcome_and_metrics() {
    let endpoint = Endpoint::plain().await;
    let created = token(&endpoint).await;
    let started = function("authorize", &endpoint).start().await;
    started.invoke(&events::authorizer(created.secret.expose())).await.unwrap();
    started.invoke(&events::authorizer("Bearer nonsense")).await.unwrap();
    let log = started.log(2).await;
    let (allowed, refused) = (&log[0], &log[1]);
    assert_eq!(allowed["request_id"], events::REQUEST_ID);
    assert_eq!((&allowed["caller"], &allowed["token"]), (&json!("ana"), &json!(created.token.id.as_str())));
    assert_eq!(
        (&allowed["check"], &allowed["outcome"], &allowed["cold"]),
        (&json!("valid"), &json!("allowed"), &json!(true))
    );
    assert_eq!(
        (&refused["check"], &refused["outcome"], &refused["cold"]),
        (&json!("malformed"), &json!("refused"), &json!(false))
    );
    for line in &log {
        assert_eq!((&line["function"], &line["level"]), (&json!("authorize"), &json!("info")));
        let metrics = line["_aws"]["CloudWatchMetrics"].as_array().unwrap();
        let names: Vec<&Value> =
            metrics.iter().flat_map(|set| set["Metrics"].as_array().unwrap()).map(|metric| &metric["Name"]).collect();
        assert_eq!(names, ["latency_ms", "throttles", "checks"]);
        for name in names {
            assert!(line[name.as_str().unwrap()].is_number());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_function_ever_says_a_secret() {
    let endpoint = Endpoint::plain().await;
    let created = token(&endpoint).await;
    let secret = created.secret.expose();
    let canary = &secret[secret.len() - 40..];
    let body = json!({"token": secret, "name": "x", "secret": secret});
    let broken = |key: &str| {
        let mut event = events::request("POST", "/v1/introspect", Some(secret), Some(&body));
        event[key] = json!([secret]);
        event
    };
    for name in ALL {
        let started = function(name, &endpoint).start().await;
        let mut answered = 0;
        for event in [
            events::request("POST", "/v1/introspect", Some(secret), Some(&body)),
            events::request("GET", &format!("/v1/{secret}"), Some(secret), None),
            events::request("GET", "/v1/me", Some(&format!("{secret} {secret}")), Some(&json!([secret]))),
            events::authorizer(&format!("Bearer {secret}")),
            events::rest_token(secret),
            broken("headers"),
            broken("rawPath"),
            broken("identitySource"),
            broken("requestContext"),
            json!(secret),
            json!([{"a": secret}]),
        ] {
            // Whether it is understood is another test's matter.
            let (Ok(answer) | Err(answer)) = started.invoke(&event).await;
            answered += 1;
            assert!(answer.get("errorMessage").is_none() || !answer.to_string().contains(canary), "{name}: {answer}");
        }
        let log = started.log(answered).await;
        assert!(log.len() >= answered, "{name}: a line an invocation");
        let said = started.lines().join("\n");
        assert!(!said.contains(canary), "{name}: {said}");
    }
}
