//! The `OpenAPI` document, made from the route table and the wire types. It is committed and served as a file; a test
//! holds the file to what this makes.

use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value, json};

use super::routes::{Action, ROUTES, Route};
use super::wire;

/// What a route takes and gives.
struct Shape {
    takes: Option<(Value, &'static [&'static str])>,
    gives: Option<Value>,
    status: u16,
    /// Statuses of problems, besides those that every route has.
    problems: &'static [u16],
}

const JSON: &[&str] = &["application/json"];
const JSON_OR_FORM: &[&str] = &["application/json", "application/x-www-form-urlencoded"];
/// Of every route that has a caller.
const ALWAYS: &[u16] = &[400, 401, 413, 422, 431, 500, 503];

/// The document.
pub fn document() -> Value {
    let mut schemas = SchemaSettings::openapi3().into_generator();
    let mut paths: Map<String, Value> = Map::new();
    for route in ROUTES {
        let operation = operation(route, &mut schemas);
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.to_ascii_lowercase()] = operation;
    }
    let problem = schemas.subschema_for::<wire::ProblemBody>();
    let mut definitions: Map<String, Value> = schemas.take_definitions(true);
    definitions.sort_keys();
    for (schema, definition) in &mut definitions {
        narrow(schema, definition);
    }
    json!({
        "openapi": "3.0.3",
        "info": {
            "title": "Latchkey",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Issues, checks and rotates API tokens. Errors are problems (RFC 9457) with a stable `code`.",
            "license": { "name": "Apache-2.0" },
        },
        "security": [{ "token": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
            "schemas": definitions,
            "responses": { "Problem": {
                "description": "Why it was not done",
                "content": { "application/problem+json": { "schema": problem } },
            } },
        },
    })
}

const TOKEN: &str = "^[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$";
const USER: &str = "^[a-z0-9][a-z0-9._@+-]{0,127}$";
const KEBAB: &str = "^[a-z][a-z0-9-]{0,63}$";
const ID: &str = "^[0-9a-hjkmnp-tv-z]{16}$";
const PERMISSION: &str = "^([a-z]([a-z0-9-]{0,62}[a-z0-9])?|\\*):([a-z]([a-z0-9-]{0,62}[a-z0-9])?|\\*)$";
const DURATION: &str = "^([0-9]{1,4}d)?([0-9]{1,5}h)?([0-9]{1,7}m)?([0-9]{1,9}s)?$";

/// Names the form of the texts that are names, ids and durations: the types of requests have them as plain texts, so
/// that all faults of a request can be told at once.
fn narrow(schema: &str, definition: &mut Value) {
    let Some(properties) = definition.get_mut("properties").and_then(Value::as_object_mut) else { return };
    for (property, form) in properties {
        let pattern = match (schema, property.as_str()) {
            ("CreateToken" | "EditToken" | "TokenKey" | "Confirm" | "TokenRecord" | "OriginRecord", "name") => TOKEN,
            ("TokenRecord" | "OriginRecord" | "TokenKey" | "Confirm" | "Me", "user")
            | ("UserRecord", "name")
            | ("LookUp" | "Grant", "users")
            | ("LookUp", "expired") => USER,
            ("RoleRecord" | "ManifestView", "name") | (_, "roles" | "manifest" | "managed_by") => KEBAB,
            ("PlaceEntry" | "DeliveryEntry" | "Place", _) => continue,
            (_, "id" | "ids") => ID,
            (_, "permissions" | "permission") => PERMISSION,
            ("Confirm", "digest") => "^[0-9a-fA-F]{64}$",
            ("TakeLease" | "LeaseRecord", "holder") => "^[!-~]{1,64}$",
            (_, "expires_in" | "rotate_every" | "overlap") => DURATION,
            _ => continue,
        };
        let text = if form.get("items").is_some() { &mut form["items"] } else { form };
        if text.get("type").is_some_and(|kind| kind == "string") {
            text["pattern"] = pattern.into();
        }
    }
}

fn operation(route: &Route, schemas: &mut SchemaGenerator) -> Value {
    let shape = shape(route.action, schemas);
    let mut responses = Map::new();
    let mut given = json!({ "description": "Done" });
    if let Some(schema) = shape.gives {
        given["content"] = json!({ "application/json": { "schema": schema } });
    }
    responses.insert(shape.status.to_string(), given);
    if route.action == Action::DeleteToken {
        // After a look, for the run that looked.
        let record = schemas.subschema_for::<wire::TokenRecord>();
        let content = json!({ "application/json": { "schema": record } });
        responses.insert("200".to_owned(), json!({ "description": "Done, after a look", "content": content }));
    }
    let open = route.action == Action::OpenApi;
    let mut problems: Vec<u16> = if open { vec![431] } else { [ALWAYS, shape.problems].concat() };
    if shape.takes.is_some() {
        problems.push(415);
    }
    problems.sort_unstable();
    for status in problems {
        responses.insert(status.to_string(), json!({ "$ref": "#/components/responses/Problem" }));
    }
    let mut operation = json!({
        "operationId": identifier(route.action),
        "summary": route.summary,
        "tags": [route.function.as_str()],
        "responses": responses,
    });
    let parameters: Vec<Value> = path_parameters(route)
        .into_iter()
        .chain(route.parameters().iter().map(|name| parameter(route, name)))
        .collect();
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    if let Some((schema, kinds)) = shape.takes {
        let content: Map<String, Value> =
            kinds.iter().map(|kind| ((*kind).to_owned(), json!({ "schema": schema }))).collect();
        operation["requestBody"] = json!({ "required": true, "content": content });
    }
    if open {
        operation["security"] = json!([]);
    }
    operation
}

/// `ListTokens` becomes `listTokens`.
fn identifier(action: Action) -> String {
    let name = format!("{action:?}");
    name[..1].to_ascii_lowercase() + &name[1..]
}

fn path_parameters(route: &Route) -> Vec<Value> {
    let names = route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let parameter = |name: &str| {
        let (schema, description) = match name {
            "user" => (json!({"type": "string", "pattern": USER}), "A user's name; `me` is the caller's"),
            "name" => (json!({"type": "string", "pattern": TOKEN}), "A token's name"),
            "role" => (json!({"type": "string", "pattern": KEBAB}), "A role's name"),
            "manifest" => (json!({"type": "string", "pattern": KEBAB}), "A manifest's name"),
            "version" => (json!({"type": "integer", "minimum": 1}), "A version's number"),
            _ => (json!({"type": "string"}), "A place's id"),
        };
        json!({"name": name, "in": "path", "required": true, "description": description, "schema": schema})
    };
    names.map(parameter).collect()
}

fn parameter(route: &Route, name: &str) -> Value {
    let text = || json!({"type": "string"});
    let (schema, description) = match name {
        "state" => (
            json!({"type": "string", "enum": ["active", "deleted", "expired"]}),
            "Which tokens; active ones unless said",
        ),
        "limit" => (json!({"type": "integer", "minimum": 1}), "The most entries of a page"),
        "cursor" => (text(), "`next` of the page before"),
        "from" => (json!({"type": "string", "format": "date"}), "The first day; 30 days before the last unless said"),
        "to" => (json!({"type": "string", "format": "date"}), "The last day; today unless said"),
        "month" => (json!({"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}$"}), "A month; this one unless said"),
        "user" => (text(), "A user; without, events about roles and manifests"),
        "looked_at" => (
            json!({"type": "string", "format": "date-time"}),
            "When the look at all places began; demanded for a version unless it is `compromised`",
        ),
        "revision" => (json!({"type": "integer", "minimum": 0}), "The record's revision that was read before the look"),
        "force" => (
            json!({"type": "boolean"}),
            "Retires it although it was used lately; with `compromised` although no newer version is current yet",
        ),
        "compromised" => (
            json!({"type": "boolean"}),
            "It has leaked: it ends at once, whatever its overlap and use, and wherever it is",
        ),
        "holder" => (json!({"type": "string", "pattern": "^[!-~]{1,64}$"}), "The run that has the lease"),
        _ => (json!({"type": "string", "pattern": ID}), "The id of the token that is meant"),
    };
    let demanded: &[&str] = match route.action {
        Action::RetireVersion => &["id"],
        Action::FreeLease => &["holder"],
        _ => &[],
    };
    json!({"name": name, "in": "query", "required": demanded.contains(&name), "description": description, "schema": schema})
}

#[rustfmt::skip]
fn shape(action: Action, schemas: &mut SchemaGenerator) -> Shape {
    macro_rules! of {
        ($kind:ty) => { schemas.subschema_for::<$kind>().to_value() };
    }
    macro_rules! shape {
        ($status:literal, $takes:expr, $gives:expr, $problems:expr) => {
            Shape { status: $status, takes: $takes, gives: $gives, problems: $problems }
        };
    }
    match action {
        Action::CreateToken => shape!(201, Some((of!(wire::CreateToken), JSON)), Some(of!(wire::IssuedRecord)), &[403, 404, 409]),
        Action::ListTokens => shape!(200, None, Some(of!(wire::TokenList)), &[404]),
        Action::ShowToken => shape!(200, None, Some(of!(wire::TokenRecord)), &[404]),
        Action::TokenUsage => shape!(200, None, Some(of!(wire::TokenUsage)), &[404]),
        Action::TokenEvents => shape!(200, None, Some(of!(wire::EventList)), &[404]),
        Action::UserUsage => shape!(200, None, Some(of!(wire::UserUsage)), &[404]),
        Action::Events => shape!(200, None, Some(of!(wire::EventList)), &[403]),
        Action::WhoAmI => shape!(200, None, Some(of!(wire::Me)), &[]),
        Action::OpenApi => shape!(200, None, Some(json!({"type": "object"})), &[]),
        Action::DeleteToken => shape!(204, None, None, &[404, 409]),
        Action::DeleteOwnToken | Action::FreeLease => shape!(204, None, None, &[404]),
        Action::EditToken => shape!(200, Some((of!(wire::EditToken), JSON)), Some(of!(wire::TokenRecord)), &[403, 404, 409, 412]),
        Action::TokenRoles => shape!(200, None, Some(of!(wire::TokenRoles)), &[404]),
        Action::SetTokenRoles => shape!(200, Some((of!(wire::SetRoles), JSON)), Some(of!(wire::TokenRoles)), &[403, 404, 409, 412]),
        Action::ListRoles => shape!(200, None, Some(of!(wire::RoleList)), &[403]),
        Action::ShowRole => shape!(200, None, Some(of!(wire::RoleRecord)), &[403, 404]),
        Action::PutRole => shape!(200, Some((of!(wire::PutRole), JSON)), Some(of!(wire::RoleRecord)), &[403, 404, 409]),
        Action::DeleteRole | Action::DeleteUser => shape!(204, None, None, &[403, 404, 409]),
        Action::ListUsers => shape!(200, None, Some(of!(wire::UserList)), &[403]),
        Action::ShowUser => shape!(200, None, Some(of!(wire::UserRecord)), &[404]),
        Action::PutUser => shape!(200, Some((of!(wire::PutUser), JSON)), Some(of!(wire::UserRecord)), &[403, 404, 409]),
        Action::StageVersion => shape!(201, Some((of!(wire::StageVersion), JSON)), Some(of!(wire::IssuedRecord)), &[403, 404, 409]),
        Action::DeliverVersion => shape!(200, Some((of!(wire::DeliverVersion), JSON)), Some(of!(wire::Delivered)), &[403, 404, 409]),
        Action::PromoteVersion => shape!(200, Some((of!(wire::PromoteVersion), JSON)), Some(of!(wire::TokenRecord)), &[403, 404, 409]),
        Action::RetireVersion => shape!(200, None, Some(of!(wire::TokenRecord)), &[403, 404, 409]),
        Action::ManifestTokens => shape!(200, None, Some(of!(wire::ManifestTokens)), &[404]),
        Action::ShowManifest => shape!(200, None, Some(of!(wire::ManifestView)), &[404]),
        Action::PublishManifest => shape!(204, Some((of!(wire::PutManifest), JSON)), None, &[404]),
        Action::LookUp => shape!(200, Some((of!(wire::LookUp), JSON)), Some(of!(wire::LookedUp)), &[404]),
        Action::Confirm => shape!(200, Some((of!(wire::Confirm), JSON)), Some(of!(wire::Confirmed)), &[404]),
        Action::SetGrant => shape!(200, Some((of!(wire::PutGrant), JSON)), Some(of!(wire::ManifestView)), &[403, 404]),
        Action::TakeLease => shape!(200, Some((of!(wire::TakeLease), JSON)), Some(of!(wire::LeaseRecord)), &[404, 409]),
        Action::Introspect => shape!(200, Some((of!(wire::Introspect), JSON_OR_FORM)), Some(of!(wire::Introspected)), &[403]),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_committed_document_is_the_one_that_the_types_make() {
        let made = serde_json::to_string_pretty(&super::document()).unwrap() + "\n";
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
        if std::env::var_os("LATCHKEY_OPENAPI").is_some_and(|wish| wish == "write") {
            #[expect(clippy::disallowed_methods, reason = "no secret is in it")]
            std::fs::write(path, &made).unwrap();
        }
        let held = std::fs::read_to_string(path).unwrap();
        assert!(held == made, "`functions/openapi.json` is out of date: run this test with LATCHKEY_OPENAPI=write");
    }
}
