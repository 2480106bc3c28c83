//! All functions on one table, asked as the gateway asks them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use latchkey::api::{Api, Function, Record, Reply, Request, Route};
use latchkey::lifetime::Seconds;
use latchkey::secret::Secret;
use latchkey::service::{Caller, Service};
use latchkey::table::Table;
use latchkey_sinks::reading::Allowances;
use latchkey_sinks::{ManifestSinks, SinkSet};
use provisioner::apply::Silent;
use provisioner::job::Job;
use provisioner::manifest::Manifest;
use provisioner::service::Client;
use serde_json::Value;
use tests::clock::{ManualClock, SeededEntropy};
use tests::deployment::Recorder;
use tests::engine::{Server, client, client_at, loopback};
use tests::world::{START, key};

/// Where all requests come from.
pub(super) const HERE: &str = "192.0.2.1";

/// All functions on one table, each a process of its own whose requests are recorded.
pub(super) struct Deployed {
    pub(super) functions: BTreeMap<&'static str, (Recorder, Api)>,
    pub(super) clock: Arc<ManualClock>,
    /// Routes that answered with success.
    pub(super) served: BTreeSet<(&'static str, &'static str)>,
    admin: Secret,
    _engine: Server,
}

impl Deployed {
    pub(super) async fn new() -> Self {
        let clock = Arc::new(ManualClock::at(START));
        let engine = Server::emulator();
        let open = async |recorder: &Recorder, seed: u64| -> Arc<Service> {
            let http = aws_smithy_runtime_api::client::http::SharedHttpClient::new(recorder.clone());
            let table = Table::new(client(http, engine.url()), "latchkey");
            Arc::new(Service::open(table, clock.clone(), Arc::new(SeededEntropy::new(seed))).await.unwrap())
        };
        // The operator's way to the table is not the functions'.
        let table = Table::new(client_at(engine.url()), "latchkey");
        table.create_if_absent().await.unwrap();
        let mut operator = Service::open(table, clock.clone(), Arc::new(SeededEntropy::new(99))).await.unwrap();
        // With notices, which more is written for.
        let mut policy = operator.policy().as_ref().clone();
        policy.notices.on = true;
        operator.set_policy(policy).await.unwrap();
        let caller = Caller::operator("here");
        let admin = operator.bootstrap(&caller, &key("root", "first"), None, false).await.unwrap().secret;
        let mut functions = BTreeMap::new();
        for (seed, function) in (1..).zip(Function::ALL) {
            let recorder = Recorder::new(loopback());
            let service = open(&recorder, seed).await;
            functions.insert(function.as_str(), (recorder, Api::with(service, function)));
        }
        Self { functions, clock, served: BTreeSet::new(), admin, _engine: engine }
    }

    /// A request of the admin; its answer's body.
    pub(super) async fn ask(&mut self, method: &str, path: &str, body: Value, wanted: u16) -> Value {
        let secret = self.admin.expose().to_owned();
        self.ask_as(&secret, method, path, body, wanted).await
    }

    pub(super) async fn ask_as(&mut self, secret: &str, method: &str, path: &str, body: Value, wanted: u16) -> Value {
        self.ask_from(HERE, secret, (method, path), body, wanted).await
    }

    /// The same from another address.
    pub(super) async fn ask_from(
        &mut self,
        from: &str,
        secret: &str,
        (method, path): (&str, &str),
        body: Value,
        wanted: u16,
    ) -> Value {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let (function, route) = route(method, path);
        let api = &self.functions[function.as_str()].1;
        let mut headers = vec![("authorization".to_owned(), format!("Bearer {secret}"))];
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        if !body.is_empty() {
            headers.push(("content-type".to_owned(), "application/json".to_owned()));
        }
        let request = Request {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers,
            body,
            source: Some(from.parse().unwrap()),
            origin: Some("https://tokens.example.com".to_owned()),
            id: "request".to_owned(),
        };
        let Reply { response, record: Record { internal, .. } } = api.handle(request).await;
        let text = String::from_utf8_lossy(&response.body).into_owned();
        assert_eq!(response.status, wanted, "{method} {path}: {text} {internal:?}");
        if response.status < 300 {
            self.served.insert((route.method, route.path));
        }
        // As the functions do after a reply.
        api.service().write_first_uses().await.unwrap();
        api.service().flush_usage().await.unwrap();
        api.service().reread_settings().await.unwrap();
        // No function rests on what another one has in its memory.
        self.clock.advance(Seconds(6));
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// A turn of the scheduled job, whose sinks are those of another manifest; what it reports.
    pub(super) async fn turn(&mut self, sinks: &Manifest) -> Value {
        let client = Client::operator_of(self.functions[Function::ROTATE.as_str()].1.service().clone(), "rotate");
        let stop = AtomicBool::new(false);
        let reach = |_: &Manifest| -> Box<dyn SinkSet> {
            Box::new(ManifestSinks::new(&sinks.sinks, "test-machine", &sinks.bounds))
        };
        let job = Job {
            client: &client,
            holder: "turn",
            reach: &reach,
            reporter: &Silent,
            stop: &stop,
            drift: 10,
            allowances: &Allowances::default(),
        };
        let report = job.turn().await.unwrap();
        self.clock.advance(Seconds(6));
        serde_json::json!(report)
    }

    pub(super) async fn authorize(&self, from: &str, secret: &str) {
        let api = &self.functions[Function::AUTHORIZE.as_str()].1;
        let from: Option<IpAddr> = Some(from.parse().unwrap());
        let verdict = api.authorize(secret, from).await.verdict.unwrap();
        assert!(matches!(verdict, latchkey::service::Verdict::Valid(_)));
        api.service().write_first_uses().await.unwrap();
        api.service().flush_usage().await.unwrap();
    }
}

/// The route of a request, and its function.
pub(super) fn route(method: &str, path: &str) -> (Function, &'static Route) {
    let matches = |route: &Route| {
        let (wanted, given): (Vec<&str>, Vec<&str>) = (route.path.split('/').collect(), path.split('/').collect());
        route.method == method
            && wanted.len() == given.len()
            && wanted.iter().zip(given).all(|(wanted, given)| wanted.starts_with('{') || *wanted == given)
    };
    routes().find(|(_, route)| matches(route)).unwrap_or_else(|| panic!("no route {method} {path}"))
}

/// All routes, and their functions.
pub(super) fn routes() -> impl Iterator<Item = (Function, &'static Route)> {
    Function::ALL.into_iter().flat_map(|function| function.routes().map(move |route| (function, route)))
}

pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}
