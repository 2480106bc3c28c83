//! The function `introspect`: RFC 7662, and what tells clients of it where it is (RFC 8414). Whoever asks and what is asked
//! about are read at once.

use std::net::IpAddr;

use serde_json::json;

use super::callers::{admit, asking};
use super::document::{ALWAYS, Document, Operation};
use super::forms::ReplyForm;
use super::http::{Request, Response};
use super::path::decode;
use super::problem::Problem;
use super::reading::{read_json, shown};
use super::replies::{IntoResponse, Json};
use super::request::RequestBody;
use super::routes::{Handler, Route};
use super::wire::{Introspect, Introspected};
use super::{Api, Record};
use crate::service::{Presented, Valid, Verdict};

const INTROSPECT: &str = "/v1/introspect";

pub(super) static ROUTES: &[Route] = &[
    Route {
        method: "POST",
        path: INTROSPECT,
        operation: "introspect",
        handler: Handler::Presented(|api, request, record| {
            Box::pin(async move { api.introspect(request, record).await?.into_response() })
        }),
    },
    Route {
        method: "GET",
        path: METADATA,
        operation: "authorizationServer",
        handler: Handler::Open(|_, request, _| Box::pin(async { metadata(request) })),
    },
];

/// Where metadata stand, RFC 8414, section 3; before the path of an issuer that has one.
pub const METADATA: &str = "/.well-known/oauth-authorization-server";

pub(super) fn describe(document: &mut Document) {
    let kinds: &[&str] = &["application/json", "application/x-www-form-urlencoded"];
    let [introspect, metadata] = ROUTES else { return };
    let body = Introspect::describe(document.schemas()).map(|schema| (schema, kinds));
    let replies = Json::<Introspected>::describe(document.schemas());
    let problems = [ALWAYS, &[403, 415]].concat();
    let summary = "Token introspection, RFC 7662";
    let needs = Some("`tokens:introspect`");
    document.insert(introspect, Operation { summary, needs, parameters: vec![], body, replies, problems });
    let body = Some(json!({ "type": "object" }));
    let replies = vec![ReplyForm { status: 200, description: "Done", body }];
    let summary = "Where introspection is and how to authenticate there, RFC 8414";
    let problems = vec![404, 431];
    document.insert(metadata, Operation { summary, needs: None, parameters: vec![], body: None, replies, problems });
}

impl Api {
    async fn introspect(&self, request: &Request, record: &mut Record) -> Result<Json<Introspected>, Problem> {
        let secret = asking(request)?;
        let asked = read(request);
        // The caller is checked even if the rest cannot be read, so that nobody without a token learns what is wrong.
        let (subject, client) = match &asked {
            Ok((asked, client)) => (asked.token.as_str(), *client),
            Err(_) => ("", None),
        };
        let caller = Presented { secret: &secret, from: request.source };
        let found = self.service.introspect(caller, Presented { secret: subject, from: client }).await?;
        let by = admit(found.caller, request, record)?;
        self.note(&by.valid, request.source).await;
        by.caller.may_introspect()?;
        let (asked, _) = asked?;
        let answer = match found.subject {
            Some(Verdict::Valid(subject)) => {
                record.check = Some("valid");
                if asked.count.unwrap_or(true) {
                    self.note(&subject, client).await;
                }
                introspected(&subject)
            }
            Some(Verdict::Invalid(invalid)) => {
                record.check = Some(invalid.code());
                Introspected::default()
            }
            None => Introspected::default(),
        };
        Ok(Json::new(answer))
    }
}

/// What RFC 8414 asks for of a server that grants nothing by itself: no flow, so no endpoint but the one of introspection.
fn metadata(request: &Request) -> Result<Response, Problem> {
    let unknown = || Problem { detail: "this server does not know its own address".to_owned(), ..Problem::not_found() };
    let issuer = request.origin.as_deref().ok_or_else(unknown)?;
    let body = json!({
        "issuer": issuer,
        "introspection_endpoint": format!("{issuer}{INTROSPECT}"),
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "Bearer"],
        "grant_types_supported": [],
        "response_types_supported": [],
    });
    let headers = vec![("content-type", "application/json".to_owned()), ("cache-control", "no-store".to_owned())];
    Ok(Response { status: 200, headers, body: body.to_string().into_bytes() })
}

fn introspected(valid: &Valid) -> Introspected {
    let scope = valid.permissions.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    Introspected {
        active: true,
        scope: Some(scope),
        token_type: Some("Bearer".to_owned()),
        sub: Some(valid.user.clone()),
        username: Some(valid.user.clone()),
        exp: Some(valid.expires.as_second()),
        jti: Some(valid.id.clone()),
        token_name: Some(valid.name.clone()),
        version: Some(valid.version),
        roles: Some(valid.roles.clone()),
        permissions: Some(valid.permissions.clone()),
    }
}

fn read(request: &Request) -> Result<(Introspect, Option<IpAddr>), Problem> {
    // A secret does not belong into an address, which others log.
    if !request.query.is_empty() {
        return Err(Problem::invalid_request("this route takes no query; send the token in the body"));
    }
    let kind = request.header("content-type")?.unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let asked: Introspect = match kind.as_str() {
        "application/json" => read_json(&request.body)?,
        "application/x-www-form-urlencoded" => read_form(&request.body)?,
        _ => {
            return Err(Problem::new(
                415,
                "unsupported_media_type",
                "send `application/x-www-form-urlencoded` or `application/json`",
            ));
        }
    };
    let client = match asked.client_ip.as_deref() {
        None => None,
        Some(text) => Some(text.parse().map_err(|_| Problem::field("/client_ip", "is not an IP address"))?),
    };
    Ok((asked, client))
}

fn read_form(body: &[u8]) -> Result<Introspect, Problem> {
    if body.iter().find(|byte| !byte.is_ascii_whitespace()).is_some_and(|byte| *byte == b'{') {
        let detail = "the body looks like JSON: send it as `content-type: application/json`";
        return Err(Problem::new(415, "unsupported_media_type", detail));
    }
    let bad = || Problem::invalid_request("the form is badly encoded");
    let text = std::str::from_utf8(body).map_err(|_| bad())?;
    let mut asked = Introspect::default();
    let mut token = None;
    let mut seen = Vec::new();
    for part in text.split('&').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let name = decode(&name.replace('+', " ")).ok_or_else(bad)?;
        let value = decode(&value.replace('+', " ")).ok_or_else(bad)?;
        if seen.contains(&name) {
            return Err(Problem::field(format!("/{}", shown(&name)), "is given more than once"));
        }
        match name.as_str() {
            "token" => token = Some(value),
            "token_type_hint" => asked.token_type_hint = Some(value),
            "client_ip" => asked.client_ip = Some(value),
            "count" => {
                let count = value.parse().map_err(|_| Problem::field("/count", "is `true` or `false`"))?;
                asked.count = Some(count);
            }
            _ => return Err(Problem::field(format!("/{}", shown(&name)), "no such field")),
        }
        seen.push(name);
    }
    asked.token = token.ok_or_else(|| Problem::field("/token", "is missing"))?;
    Ok(asked)
}
