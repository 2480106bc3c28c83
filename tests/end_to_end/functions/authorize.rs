//! `authorize`, in every form in which API Gateway asks.

use std::time::Duration;

use serde_json::{Value, json};
use tests::lambda::{Endpoint, Function, events};
use tests::world::{key, new_token};

use super::{admin, function, token, valid};

fn context(id: &str) -> Value {
    json!({
        "user": "ana", "token_id": id, "name": "laptop", "roles": "writer",
        "permissions": "documents:read documents:write", "version": "1",
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_http_api_lets_a_valid_caller_in_with_its_context_and_nobody_else() {
    let endpoint = Endpoint::plain().await;
    let created = token(&endpoint).await;
    let secret = created.secret.expose();
    let started = function("authorize", &endpoint).start().await;
    let answer = started.invoke(&events::authorizer(&format!("Bearer {secret}"))).await.unwrap();
    assert_eq!(answer, json!({"isAuthorized": true, "context": context(created.token.id.as_str())}));

    let mut forged = secret.to_owned();
    let last = forged.pop().unwrap();
    forged.push(if last == 'a' { 'b' } else { 'a' });
    for presented in ["", "Bearer ", "Bearer x", "Basic YTpi", &forged, &format!("Bearer {secret} {secret}")] {
        let answer = started.invoke(&events::authorizer(presented)).await.unwrap();
        assert_eq!(answer, json!({"isAuthorized": false}), "{presented}");
    }
    endpoint.service.delete(&admin(), &key("ana", "laptop"), None).await.unwrap();
    let answer = started.invoke(&events::authorizer(secret)).await.unwrap();
    assert_eq!(answer, json!({"isAuthorized": false}), "a deleted token is refused at once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rest_api_gets_a_policy_or_unauthorized() {
    let endpoint = Endpoint::plain().await;
    let created = token(&endpoint).await;
    let secret = created.secret.expose();
    let started = function("authorize", &endpoint).start().await;
    for event in [events::rest_token, events::rest_request] {
        let policy = started.invoke(&event(&format!("Bearer {secret}"))).await.unwrap();
        assert_eq!(
            policy,
            json!({
                "principalId": "ana",
                "policyDocument": {"Version": "2012-10-17", "Statement": [{
                    "Action": "execute-api:Invoke", "Effect": "Allow",
                    "Resource": "arn:aws:execute-api:us-east-1:123456789012:abcdef123/prod/*",
                }]},
                "context": context(created.token.id.as_str()),
            })
        );
        let error = started.invoke(&event("Bearer x")).await.unwrap_err();
        // The gateway makes a 401 of exactly this.
        assert_eq!(error["errorMessage"], "Unauthorized");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_bound_to_networks_is_held_against_the_gateways_address_only() {
    let endpoint = Endpoint::plain().await;
    token(&endpoint).await;
    let bound = |name: &str, network: &str| {
        let allowed_ips = vec![network.parse().unwrap()];
        latchkey::service::NewToken { allowed_ips, ..new_token("ana", name) }
    };
    let here = endpoint.service.create(&admin(), bound("here", "203.0.113.0/24")).await.unwrap();
    // What the forwarded header of every event here says.
    let forged = endpoint.service.create(&admin(), bound("forged", "10.0.0.0/8")).await.unwrap();
    let started = function("authorize", &endpoint).start().await;
    let authorized = async |secret: &str| {
        started.invoke(&events::authorizer(secret)).await.unwrap()["isAuthorized"].as_bool().unwrap()
    };
    assert!(authorized(here.secret.expose()).await);
    assert!(!authorized(forged.secret.expose()).await);
    // The form `TOKEN` does not say where a request comes from.
    started.invoke(&events::rest_token(here.secret.expose())).await.unwrap_err();
    started.invoke(&events::rest_request(here.secret.expose())).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn trouble_with_the_table_lets_nobody_in_and_is_an_error() {
    let endpoint = Endpoint::plain().await;
    let created = token(&endpoint).await;
    let tables = [
        Function::new("authorize", "latchkey", "http://127.0.0.1:1"),
        Function::new("authorize", "another-table", &endpoint.url),
    ];
    for table in tables {
        let started = table.start().await;
        for event in [events::authorizer, events::rest_token, events::rest_request] {
            let error = started.invoke(&event(created.secret.expose())).await.unwrap_err();
            assert_ne!(error["errorMessage"], "Unauthorized", "a good token is not taken for a bad one");
        }
        let log = started.log(4).await;
        for line in &log[1..] {
            assert_eq!((&line["level"], &line["check"]), (&json!("error"), &json!("failed")), "{log:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_is_one_read_and_a_malformed_secret_none() {
    let endpoint = Endpoint::plain().await;
    let created = token(&endpoint).await;
    let started = function("authorize", &endpoint).start().await;
    started.runtime.polled(1).await;
    // The first use is noted after the reply: on the record, and in the counts.
    started.invoke(&events::authorizer(created.secret.expose())).await.unwrap();
    started.runtime.polled(2).await;
    let before = endpoint.calls();
    for _ in 0..20 {
        started.invoke(&events::authorizer(created.secret.expose())).await.unwrap();
    }
    started.runtime.polled(22).await;
    assert_eq!(endpoint.calls() - before, 20, "not a write");
    let units: Vec<Value> = started.log(21).await[1..].iter().map(|line| line["table_units"].clone()).collect();
    assert_eq!(units, vec![json!(1.0); 20], "one read unit a check");
    let before = endpoint.calls();
    started.invoke(&events::authorizer("lk_malformed")).await.unwrap();
    assert_eq!(endpoint.calls(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reply_does_not_wait_for_the_first_use_to_be_written() {
    let endpoint = Endpoint::plain().await;
    let created = token(&endpoint).await;
    let started = function("authorize", &endpoint).start().await;
    started.invoke(&events::authorizer(created.secret.expose())).await.unwrap();
    started.runtime.polled(2).await;
    let log = started.log(1).await;
    assert_eq!(log[0]["table_calls"], 2, "settings were read ahead, and nothing was written yet");
    let record = endpoint.service.show(&key("ana", "laptop")).await.unwrap().unwrap();
    let noted = &record.uses["1"];
    assert_eq!(noted.ip.as_deref(), Some(events::SOURCE));
    let age = valid(&endpoint, created.secret.expose()).await.expires.duration_since(noted.last);
    assert!(age > jiff::SignedDuration::try_from(Duration::from_hours(24)).unwrap());
}
