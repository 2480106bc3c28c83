//! Whoever gives out tokens: Entra ID, a machine's metadata, App Service, and GitHub for its jobs.

use serde_json::json;

use super::server::{Call, form};
use super::{ASSERTION, CLIENT, CLIENT_SECRET, IDENTITY_HEADER, JOB_TOKEN, Reply, State, TENANT};

const RESOURCE: &str = "https://vault.azure.net";

/// The answer to a sign-in; `None` when the request is for the vault.
pub(super) fn answer(state: &mut State, call: &Call) -> Option<Reply> {
    let header = |name: &str| call.headers.get(name).map(String::as_str);
    let resource = call.query.get("resource").map(String::as_str) == Some(RESOURCE);
    Some(match (call.method.as_str(), call.path.as_str()) {
        ("POST", path) if path.ends_with("/oauth2/v2.0/token") => entra(state, call),
        ("GET", "/metadata/identity/oauth2/token") => {
            if header("metadata") == Some("true") && resource {
                issue(state, true)
            } else {
                refuse(400, 0)
            }
        }
        ("GET", "/msi/token") => {
            if header("x-identity-header") == Some(IDENTITY_HEADER) && resource {
                issue(state, true)
            } else {
                refuse(401, 0)
            }
        }
        ("GET", "/github/token") => {
            let asked = call.query.get("audience").map(String::as_str) == Some("api://AzureADTokenExchange");
            let known = header("authorization") == Some(&*format!("Bearer {JOB_TOKEN}"));
            if asked && known { Reply::ok(json!({ "value": ASSERTION })) } else { refuse(401, 0) }
        }
        _ => return None,
    })
}

fn entra(state: &mut State, call: &Call) -> Reply {
    let fields = form(&String::from_utf8_lossy(&call.body));
    let field = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
    if let Some(code) = state.rules.sign_in_fails {
        return refuse(401, code);
    }
    if call.path != format!("/{TENANT}/oauth2/v2.0/token") {
        return refuse(400, 90_002);
    }
    if field("grant_type") != "client_credentials" || field("scope") != "https://vault.azure.net/.default" {
        return refuse(400, 900_144);
    }
    if field("client_id") != CLIENT {
        return refuse(400, 700_016);
    }
    let federated = field("client_assertion_type") == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    match (field("client_secret"), federated, field("client_assertion")) {
        (CLIENT_SECRET, false, "") | ("", true, ASSERTION) => issue(state, false),
        ("", true, _) => refuse(400, 700_213),
        _ => refuse(401, 7_000_215),
    }
}

fn issue(state: &mut State, as_text: bool) -> Reply {
    state.issued += 1;
    let token = format!("vault-token-{}-of-the-fake", state.issued);
    let seconds = state.rules.token_seconds;
    state.tokens.insert(token.clone(), (state.now)() + seconds);
    let expires = if as_text { json!(seconds.to_string()) } else { json!(seconds) };
    Reply::ok(json!({ "token_type": "Bearer", "expires_in": expires, "access_token": token }))
}

/// Entra's own way to refuse, which repeats more than should be shown.
fn refuse(status: u16, code: u64) -> Reply {
    let description = format!("AADSTS{code}: the secret `{CLIENT_SECRET}` and the assertion `{ASSERTION}` will not do");
    let error = if code == 7_000_215 { "invalid_client" } else { "invalid_request" };
    let body = json!({ "error": error, "error_description": description, "error_codes": [code] });
    Reply { status, body: Some(body), headers: Vec::new() }
}
