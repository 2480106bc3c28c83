//! The `OpenAPI` document as it grows, row by row.

use schemars::Schema;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::transform::RecursiveTransform;
use serde_json::{Map, Value, json};

use super::Api;
use super::forms::{ParameterForm, ReplyForm};
use super::parameters::Parameters;
use super::path::Path;
use super::problem::Problem;
use super::replies::IntoResponse;
use super::request::{RequestBody, RoutedRequest};
use super::routes::Route;
use super::wire::ProblemBody;

/// A document in the making.
pub(super) struct Document {
    schemas: SchemaGenerator,
    paths: Map<String, Value>,
    tags: Vec<Value>,
    tag: &'static str,
}

/// What the document says of a route besides method, path and name.
pub(super) struct Operation<'a> {
    pub(super) summary: &'a str,
    /// The permission that a caller needs; `None` where nobody is asked who they are.
    pub(super) needs: Option<&'a str>,
    pub(super) parameters: Vec<ParameterForm>,
    /// A schema, and the media types that it is taken in.
    pub(super) body: Option<(Value, &'a [&'a str])>,
    pub(super) replies: Vec<ReplyForm>,
    /// Statuses of problems.
    pub(super) problems: Vec<u16>,
}

/// What every route with a caller may refuse with.
pub(super) const ALWAYS: &[u16] = &[400, 401, 408, 413, 422, 431, 500, 503];

impl Document {
    pub(super) fn new() -> Self {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        });
        let settings = settings.with_transform(RecursiveTransform(list_choices));
        Self { schemas: settings.into_generator(), paths: Map::new(), tags: Vec::new(), tag: "" }
    }

    /// The routes that follow are this function's.
    pub(super) fn function(&mut self, name: &'static str, about: &'static str) {
        self.tag = name;
        self.tags.push(json!({ "name": name, "description": about.trim() }));
    }

    /// Adds a route for verified callers: its forms are the types of its handler.
    pub(super) fn add<P: Path, Q: Parameters, B: RequestBody, R: IntoResponse>(
        &mut self,
        row: &Route,
        (summary, needs): (&str, &str),
        problems: &[u16],
        _: impl AsyncFn(&Api, &RoutedRequest<'_, P, Q, B>) -> Result<R, Problem>,
    ) {
        let body = B::describe(&mut self.schemas).map(|schema| (schema, &["application/json"][..]));
        let of_body: &[u16] = if body.is_some() { &[415] } else { &[] };
        let mut parameters = P::describe(&mut self.schemas);
        parameters.extend(Q::describe(&mut self.schemas));
        let replies = R::describe(&mut self.schemas);
        let problems = [ALWAYS, problems, of_body].concat();
        let needs = Some(needs);
        self.insert(row, Operation { summary, needs, parameters, body, replies, problems });
    }

    /// Adds a route.
    pub(super) fn insert(&mut self, row: &Route, operation: Operation<'_>) {
        let mut described = json!({
            "operationId": row.operation,
            "summary": operation.summary,
            "tags": [self.tag],
        });
        match operation.needs {
            Some(needs) => described["description"] = format!("Permission: {needs}.").into(),
            None => described["security"] = json!([]),
        }
        if !operation.parameters.is_empty() {
            described["parameters"] = operation.parameters.iter().map(ParameterForm::to_value).collect();
        }
        if let Some((schema, kinds)) = operation.body {
            let content: Map<String, Value> =
                kinds.iter().map(|kind| ((*kind).to_owned(), json!({ "schema": schema }))).collect();
            described["requestBody"] = json!({ "required": true, "content": content });
        }
        described["responses"] = responses(operation.replies, operation.problems);
        let path = self.paths.entry(row.path).or_insert_with(|| json!({}));
        path[row.method.to_ascii_lowercase()] = described;
    }

    /// The schema of a type, for routes that are added by hand.
    pub(super) fn schemas(&mut self) -> &mut SchemaGenerator {
        &mut self.schemas
    }

    /// The whole document.
    pub(super) fn finish(mut self) -> Value {
        let problem = self.schemas.subschema_for::<ProblemBody>().to_value();
        let problems: Map<String, Value> = PROBLEMS.iter().map(|form| form.response(&problem)).collect();
        let mut schemas = self.schemas.take_definitions(true);
        schemas.sort_keys();
        // A function without a route has no tag.
        let used =
            |tag: &Value| self.paths.values().any(|path| operations(path).any(|one| one["tags"][0] == tag["name"]));
        let tags: Vec<Value> = self.tags.iter().filter(|tag| used(tag)).cloned().collect();
        json!({
            "openapi": "3.1.0",
            "info": {
                "title": "Latchkey",
                "version": env!("CARGO_PKG_VERSION"),
                "description": "Issues, checks and rotates API tokens. Errors are problems (RFC 9457) with a stable `code`.",
                "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
            },
            "servers": [{ "url": "/", "description": "The deployment that serves this document" }],
            "security": [{ "token": [] }],
            "tags": tags,
            "paths": self.paths,
            "components": {
                "securitySchemes": { "token": {
                    "type": "http", "scheme": "bearer",
                    "description": "The secret of a token, in the header `Authorization` (RFC 6750)",
                } },
                "schemas": schemas,
                "responses": problems,
            },
        })
    }
}

/// Writes a choice between texts as one list, of which generators make a type.
fn list_choices(schema: &mut Schema) {
    let Some(Value::Array(choices)) = schema.get("oneOf") else { return };
    let words: Option<Vec<Value>> = choices.iter().map(|choice| choice.get("const").cloned()).collect();
    let Some(words) = words else { return };
    let about = |choice: &Value| {
        let text = |name: &str| choice[name].as_str().unwrap_or_default().to_owned();
        format!("\n- `{}`: {}", text("const"), text("description"))
    };
    let lines: String = choices.iter().map(about).collect();
    let description = schema.get("description").and_then(Value::as_str).unwrap_or_default();
    let description = format!("{description}\n{lines}");
    schema.remove("oneOf");
    schema.insert("type".to_owned(), "string".into());
    schema.insert("enum".to_owned(), words.into());
    schema.insert("description".to_owned(), description.into());
}

fn operations(path: &Value) -> impl Iterator<Item = &Value> {
    path.as_object().into_iter().flat_map(Map::values)
}

fn responses(replies: Vec<ReplyForm>, mut problems: Vec<u16>) -> Value {
    let mut responses = Map::new();
    for reply in replies {
        let mut described = json!({ "description": reply.description });
        if let Some(schema) = reply.body {
            described["content"] = json!({ "application/json": { "schema": schema } });
        }
        responses.insert(reply.status.to_string(), described);
    }
    problems.sort_unstable();
    for status in problems {
        let name = PROBLEMS.iter().find(|form| form.status == status).map_or("Internal", |form| form.name);
        responses.insert(status.to_string(), json!({ "$ref": format!("#/components/responses/{name}") }));
    }
    responses.into()
}

/// Why something was not done, by status.
struct ProblemForm {
    status: u16,
    name: &'static str,
    description: &'static str,
    /// A header that comes along, and what it says.
    header: Option<(&'static str, &'static str)>,
}

impl ProblemForm {
    const fn new(status: u16, name: &'static str, description: &'static str) -> Self {
        Self { status, name, description, header: None }
    }

    const fn with(self, header: &'static str, about: &'static str) -> Self {
        Self { header: Some((header, about)), ..self }
    }

    fn response(&self, body: &Value) -> (String, Value) {
        let mut described = json!({ "description": self.description });
        if let Some((name, about)) = self.header {
            described["headers"] = json!({ name: { "description": about, "schema": { "type": "string" } } });
        }
        described["content"] = json!({ "application/problem+json": { "schema": body } });
        (self.name.to_owned(), described)
    }
}

const PROBLEMS: &[ProblemForm] = &[
    ProblemForm::new(400, "InvalidRequest", "The request could not be read"),
    ProblemForm::new(401, "Unauthenticated", "No valid token was sent")
        .with("WWW-Authenticate", "The scheme to use, and what is wrong (RFC 6750)"),
    ProblemForm::new(403, "Forbidden", "The token is not allowed to do this, or would gain permissions by it"),
    ProblemForm::new(404, "NotFound", "It does not exist, or the token is not allowed to see it"),
    ProblemForm::new(408, "RequestTimeout", "The body did not arrive in time"),
    ProblemForm::new(409, "Conflict", "It conflicts with the current state; `code` shows why"),
    ProblemForm::new(412, "PreconditionFailed", "It has changed since the revision in `If-Match`"),
    ProblemForm::new(413, "TooLarge", "The body is too long"),
    ProblemForm::new(415, "UnsupportedMediaType", "The body has another media type than the ones listed"),
    ProblemForm::new(422, "InvalidField", "Fields or parameters are invalid: `errors` lists them"),
    ProblemForm::new(431, "HeadersTooLarge", "The headers are too long"),
    ProblemForm::new(500, "Internal", "An unexpected error, logged under `request_id`"),
    ProblemForm::new(503, "Unavailable", "The table is busy or does not answer")
        .with("Retry-After", "How many seconds to wait before the next try"),
];
