//! `authorize` as API Gateway asks it: an authorizer that its users attach to APIs of their own.
//!
//! Three forms ask. An HTTP API with payload format 2.0 takes a simple answer; format 1.0 and the REST API's `REQUEST`
//! and `TOKEN` authorizers take a policy, or the error `Unauthorized`, which makes a 401. The form `TOKEN` does not tell
//! where a request comes from, so a token that is bound to networks is refused there.
//!
//! Trouble with the table is an error of the function: the gateway answers 500 and lets nobody in, and nobody takes a
//! good token for a bad one.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::events::EventError;
use crate::service::Valid;

/// What is asked.
pub(super) struct Question {
    /// The secret; empty when none came.
    pub(super) presented: String,
    /// From where, as the gateway saw it.
    pub(super) source: Option<IpAddr>,
    /// The gateway's id of the request.
    pub(super) id: String,
    form: Form,
}

enum Form {
    Simple,
    /// With the ARN of the method that was called.
    Policy(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    #[serde(default)]
    version: String,
    method_arn: Option<String>,
    /// Of the form `TOKEN`.
    authorization_token: Option<String>,
    identity_source: Option<Sources>,
    headers: Option<BTreeMap<String, String>>,
    request_context: Option<Context>,
}

/// A list in format 2.0, one text in 1.0.
#[derive(Deserialize)]
#[serde(untagged)]
enum Sources {
    List(Vec<String>),
    One(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Context {
    #[serde(default)]
    request_id: String,
    /// In format 2.0.
    http: Option<Caller>,
    /// In format 1.0 and the REST API.
    identity: Option<Caller>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Caller {
    source_ip: Option<String>,
}

/// Reads the question in an event.
pub(super) fn question(event: &str) -> Result<Question, EventError> {
    let event: Event = serde_json::from_str(event)?;
    let form = match (event.version.as_str(), event.method_arn) {
        ("2.0", _) => Form::Simple,
        (_, Some(arn)) => Form::Policy(arn),
        (_, None) => return Err(EventError::Form { kind: "data", line: 1, column: 1 }),
    };
    let source = match event.identity_source {
        Some(Sources::List(list)) => list.into_iter().next(),
        Some(Sources::One(one)) => Some(one),
        None => None,
    };
    let header = || {
        let mut headers = event.headers.into_iter().flatten();
        headers.find(|(name, _)| name.eq_ignore_ascii_case("authorization")).map(|(_, value)| value)
    };
    let presented = event.authorization_token.or(source).or_else(header).unwrap_or_default();
    let (id, address) = match event.request_context {
        Some(context) => (context.request_id, context.http.or(context.identity).and_then(|caller| caller.source_ip)),
        None => Default::default(),
    };
    Ok(Question {
        presented: bare(&presented).to_owned(),
        source: address.and_then(|address| address.parse().ok()),
        id,
        form,
    })
}

/// A secret without the scheme before it: `Authorization` has one, a header of one's own has not.
fn bare(presented: &str) -> &str {
    match presented.split_once(' ') {
        Some((scheme, secret)) if scheme.eq_ignore_ascii_case("bearer") => secret.trim(),
        _ => presented.trim(),
    }
}

/// An answer; `None` where the form asks for the error `Unauthorized`.
pub(super) fn answer(question: &Question, valid: Option<&Valid>) -> Option<Value> {
    match (&question.form, valid) {
        (Form::Simple, None) => Some(json!({"isAuthorized": false})),
        (Form::Simple, Some(valid)) => Some(json!({"isAuthorized": true, "context": Told::of(valid)})),
        (Form::Policy(_), None) => None,
        (Form::Policy(arn), Some(valid)) => {
            let mut allow = json!({"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": whole_stage(arn)});
            if !valid.allowed_ips.is_empty() {
                // A gateway that keeps the answer must not let others in from elsewhere with it.
                allow["Condition"] = json!({"IpAddress": {"aws:SourceIp": valid.allowed_ips}});
            }
            Some(json!({
                "principalId": valid.user.as_str(),
                "policyDocument": {"Version": "2012-10-17", "Statement": [allow]},
                "context": Told::of(valid),
            }))
        }
    }
}

/// All of the stage that was called: a gateway that keeps the answer asks it for other methods too. What the caller may
/// do there is for the API to say, by the permissions in the context.
fn whole_stage(arn: &str) -> String {
    match arn.splitn(3, '/').collect::<Vec<_>>().as_slice() {
        [api, stage, _] => format!("{api}/{stage}/*"),
        _ => arn.to_owned(),
    }
}

/// What the API behind the gateway is told. A policy's context takes texts only, so lists stand with spaces between.
#[derive(Serialize)]
struct Told<'a> {
    user: &'a str,
    token_id: &'a str,
    name: &'a str,
    roles: String,
    permissions: String,
    version: String,
}

impl<'a> Told<'a> {
    fn of(valid: &'a Valid) -> Self {
        let words = |words: Vec<String>| words.join(" ");
        Self {
            user: valid.user.as_str(),
            token_id: valid.id.as_str(),
            name: valid.name.as_str(),
            roles: words(valid.roles.iter().map(ToString::to_string).collect()),
            permissions: words(valid.permissions.iter().map(ToString::to_string).collect()),
            version: valid.version.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn valid() -> Valid {
        let secret = crate::secret::Digest::of(b"secret");
        Valid {
            user: "ana@example.com".parse().unwrap(),
            name: "laptop".parse().unwrap(),
            id: "0123456789abcdef".parse().unwrap(),
            version: 3,
            fingerprint: secret.fingerprint(),
            person: true,
            allowed_ips: Vec::new(),
            roles: vec!["reader".parse().unwrap(), "writer".parse().unwrap()],
            permissions: ["documents:read", "documents:write"].map(|text| text.parse().unwrap()).into_iter().collect(),
            expires: jiff::Timestamp::MAX,
            managed_by: None,
        }
    }

    const ARN: &str = "arn:aws:execute-api:eu-west-1:123456789012:api/prod/GET/documents/7";

    fn simple(headers: Value, source: Value) -> Value {
        json!({
            "version": "2.0", "type": "REQUEST", "routeArn": ARN, "identitySource": source, "headers": headers,
            "requestContext": {"requestId": "r", "http": {"method": "GET", "sourceIp": "2001:db8::1"}},
        })
    }

    #[test]
    fn an_http_api_is_answered_simply() {
        let question = question(&simple(json!({}), json!(["Bearer lk_x"])).to_string()).unwrap();
        assert_eq!((question.presented.as_str(), question.id.as_str()), ("lk_x", "r"));
        assert_eq!(question.source, Some("2001:db8::1".parse().unwrap()));
        assert_eq!(
            answer(&question, Some(&valid())).unwrap(),
            json!({"isAuthorized": true, "context": {
                "user": "ana@example.com", "token_id": "0123456789abcdef", "name": "laptop", "roles": "reader writer",
                "permissions": "documents:read documents:write", "version": "3",
            }})
        );
        assert_eq!(answer(&question, None).unwrap(), json!({"isAuthorized": false}));
    }

    #[test]
    fn the_secret_is_where_the_authorizer_was_told_to_look_and_else_in_the_authorization_header() {
        let presented = |event: Value| question(&event.to_string()).unwrap().presented;
        assert_eq!(presented(simple(json!({"x-token": "lk_x", "authorization": "Basic y"}), json!(["lk_x"]))), "lk_x");
        assert_eq!(presented(simple(json!({"Authorization": "bearer lk_x"}), Value::Null)), "lk_x");
        assert_eq!(presented(simple(Value::Null, Value::Null)), "");
    }

    #[test]
    fn a_rest_api_gets_a_policy_for_its_stage_or_unauthorized() {
        let token = json!({"type": "TOKEN", "authorizationToken": "Bearer lk_x", "methodArn": ARN});
        let request = json!({
            "type": "REQUEST", "methodArn": ARN, "headers": {"Authorization": "Bearer lk_x"},
            "requestContext": {"requestId": "r", "identity": {"sourceIp": "192.0.2.1"}},
        });
        let older = json!({
            "version": "1.0", "type": "REQUEST", "methodArn": ARN, "identitySource": "Bearer lk_x",
            "requestContext": {"requestId": "r", "identity": {"sourceIp": "192.0.2.1"}},
        });
        for (event, source) in [(token, None), (request, Some([192, 0, 2, 1])), (older, Some([192, 0, 2, 1]))] {
            let question = question(&event.to_string()).unwrap();
            assert_eq!(question.presented, "lk_x");
            assert_eq!(question.source, source.map(IpAddr::from));
            assert_eq!(answer(&question, None), None);
            let policy = answer(&question, Some(&valid())).unwrap();
            assert_eq!(policy["principalId"], "ana@example.com");
            assert_eq!(
                policy["policyDocument"]["Statement"],
                json!([{"Action": "execute-api:Invoke", "Effect": "Allow",
                    "Resource": "arn:aws:execute-api:eu-west-1:123456789012:api/prod/*"}])
            );
            assert!(policy["context"].as_object().unwrap().values().all(Value::is_string));
        }
    }

    #[test]
    fn what_is_no_question_of_a_gateway_is_refused_without_repeating_it() {
        for event in [json!({}), json!({"version": "2.0", "headers": "lk_x"}), json!("lk_x")] {
            let Err(error) = question(&event.to_string()) else { panic!("{event}") };
            assert!(!error.to_string().contains("lk_x"));
        }
    }
}
