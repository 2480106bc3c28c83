//! What a function asks of the table, as IAM sees it: actions and leading keys.

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use serde_json::Value;

use latchkey::mutex::Mutex;
use latchkey::table::keys::PK;

/// One action on one leading key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Access {
    /// Which request it was part of: what one holds is judged together.
    pub request: u64,
    /// The action that IAM asks for, for instance `ConditionCheckItem`.
    pub action: String,
    /// The index; the table itself when `None`.
    pub index: Option<String>,
    /// The partition key's value.
    pub key: String,
    /// The attributes that a write names, its keys included; of other actions none are kept.
    pub attributes: BTreeSet<String>,
}

impl Access {
    /// An access with the kind of its key.
    pub fn told(&self) -> String {
        let kind = self.key.split_inclusive('#').next().unwrap_or_default();
        format!("{} {kind}{}", self.action, self.index.as_ref().map(|index| format!(" of {index}")).unwrap_or_default())
    }
}

/// What was asked of a table, request by request.
#[derive(Debug, Clone, Default)]
pub struct Asked(Arc<Mutex<(u64, BTreeSet<Access>)>>);

/// Passes requests on to a table and notes what they ask for.
#[derive(Debug, Clone)]
pub struct Recorder {
    inner: SharedHttpClient,
    asked: Asked,
}

impl Recorder {
    /// One in front of `inner`.
    pub fn new(inner: SharedHttpClient) -> Self {
        Self { inner, asked: Asked::default() }
    }

    /// What was asked for since the last time.
    pub fn take(&self) -> BTreeSet<Access> {
        self.asked.take()
    }
}

impl Asked {
    /// What was asked for since the last time.
    pub fn take(&self) -> BTreeSet<Access> {
        std::mem::take(&mut self.0.lock().1)
    }

    /// Notes a request.
    pub fn note(&self, target: &str, body: &[u8]) {
        let operation = target.split_once('.').expect("a version before it").1;
        let body: Value = serde_json::from_slice(body).expect("JSON");
        let mut seen = self.0.lock();
        seen.0 += 1;
        let number = seen.0;
        let mut attributes = attributes(operation, &body).into_iter();
        let accesses = accesses(operation, &body).into_iter().map(|(action, index, key)| {
            let attributes = attributes.next().unwrap_or_default();
            Access { request: number, action, index, key, attributes }
        });
        seen.1.extend(accesses);
    }
}

/// The top-level attributes that each write of a request names, as IAM lists them; of other requests none.
fn attributes(operation: &str, body: &Value) -> Vec<BTreeSet<String>> {
    let put = |write: &Value| write["Item"].as_object().expect("an item").keys().cloned().collect();
    match operation {
        "UpdateItem" => vec![updated(body)],
        "PutItem" => vec![put(body)],
        "TransactWriteItems" => {
            let writes = body["TransactItems"].as_array().expect("writes").iter();
            let written = writes.flat_map(|write| write.as_object().expect("a write"));
            let named = |(kind, write): (&String, &Value)| match kind.as_str() {
                "Put" => put(write),
                "Update" => updated(write),
                _ => BTreeSet::new(),
            };
            written.map(named).collect()
        }
        _ => Vec::new(),
    }
}

/// The top-level attributes that an update names.
fn updated(body: &Value) -> BTreeSet<String> {
    let names = &body["ExpressionAttributeNames"];
    let text = |field: &str| body[field].as_str().unwrap_or_default().to_owned();
    let expressions = format!("{} {}", text("UpdateExpression"), text("ConditionExpression"));
    let of_path = |(at, _): (usize, &str)| {
        let is_nested = expressions[..at].ends_with('.');
        let rest = &expressions[at..];
        let end = rest[1..]
            .find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
            .map_or(rest.len(), |end| end + 1);
        (!is_nested).then(|| names[&rest[..end]].as_str().expect("a name for each placeholder").to_owned())
    };
    let keys = body["Key"].as_object().expect("a key").keys().cloned();
    expressions.match_indices('#').filter_map(of_path).chain(keys).collect()
}

/// The actions that a request needs, each with its index and its leading key.
pub fn accesses(operation: &str, body: &Value) -> Vec<(String, Option<String>, String)> {
    let key = |item: &Value| item[PK]["S"].as_str().unwrap_or_else(|| panic!("{operation} without a key")).to_owned();
    let one = |action: &str, item: &Value| vec![(action.to_owned(), None, key(item))];
    match operation {
        "PutItem" => one(operation, &body["Item"]),
        "GetItem" | "UpdateItem" | "DeleteItem" => one(operation, &body["Key"]),
        "BatchGetItem" => {
            let tables = body["RequestItems"].as_object().expect("tables");
            let keys = tables.values().flat_map(|wanted| wanted["Keys"].as_array().expect("keys"));
            keys.map(|item| (operation.to_owned(), None, key(item))).collect()
        }
        "Query" => {
            let condition = body["KeyConditionExpression"].as_str().expect("a condition");
            let value = condition.split_whitespace().nth(2).expect("the partition key's value stands first");
            let key = body["ExpressionAttributeValues"][value]["S"].as_str().expect("a text").to_owned();
            vec![(operation.to_owned(), body["IndexName"].as_str().map(str::to_owned), key)]
        }
        "TransactWriteItems" => {
            let writes = body["TransactItems"].as_array().expect("writes").iter();
            let written = writes.flat_map(|write| write.as_object().expect("a write"));
            written
                .map(|(kind, write)| match kind.as_str() {
                    "Put" => ("PutItem".to_owned(), None, key(&write["Item"])),
                    "ConditionCheck" => ("ConditionCheckItem".to_owned(), None, key(&write["Key"])),
                    other => (format!("{other}Item"), None, key(&write["Key"])),
                })
                .collect()
        }
        // No function may need any of these.
        other => panic!("the functions' roles know no `{other}`"),
    }
}

impl HttpClient for Recorder {
    fn http_connector(&self, settings: &HttpConnectorSettings, parts: &RuntimeComponents) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, parts);
        SharedHttpConnector::new(RecordingConnector { inner, recorder: self.clone() })
    }
}

#[derive(Debug)]
struct RecordingConnector {
    inner: SharedHttpConnector,
    recorder: Recorder,
}

impl HttpConnector for RecordingConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").expect("an operation");
        self.recorder.asked.note(target, request.body().bytes().expect("a body in memory"));
        self.inner.call(request)
    }
}
