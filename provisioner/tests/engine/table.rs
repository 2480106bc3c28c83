//! The table of one run: the engine behind its gate.

use std::sync::Arc;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use provisioner::embedded::InProcess;

use crate::gate::{Gate, Kind};

/// Answers at once, on the caller's thread, so that every order of calls can be repeated.
#[derive(Clone)]
pub(crate) struct Wire {
    pub(crate) engine: InProcess,
    pub(crate) gate: Option<Arc<Gate>>,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Wire")
    }
}

/// What the event in a request says, for the trace.
fn event(request: &HttpRequest) -> String {
    let body = request.body().bytes().and_then(|body| std::str::from_utf8(body).ok()).unwrap_or_default();
    let part = |name: &str| {
        let (_, rest) = body.split_once(&format!("\"{name}\":{{\"S\":\""))?;
        rest.split('"').next()
    };
    [part("action"), part("detail")].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// The version that a request makes current, told by its event.
fn promoted(request: &HttpRequest) -> Option<u32> {
    let body = std::str::from_utf8(request.body().bytes()?).ok()?;
    let (_, number) = body.split_once("\"version.promote\"").and_then(|_| body.split_once("\"version "))?;
    number.split('"').next()?.parse().ok()
}

impl HttpClient for Wire {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let wire = self.clone();
        HttpConnectorFuture::new(async move {
            let operation = request.headers().get("x-amz-target").unwrap_or_default();
            let kind = match operation.rsplit('.').next().unwrap_or_default() {
                "Query" | "BatchGetItem" | "DescribeTable" => Kind::Read,
                "GetItem" => Kind::Load,
                _ => Kind::Change,
            };
            let (status, body) = match &wire.gate {
                Some(gate) => {
                    let promoted = promoted(&request);
                    let answer = gate.pass(kind, &event(&request), |_| wire.engine.answer(&request)).await;
                    if let Some(number) = promoted.filter(|_| answer.0 == 200) {
                        gate.world().promoted(number).await;
                    }
                    answer
                }
                None => wire.engine.answer(&request),
            };
            let status = status.try_into().map_err(|error| ConnectorError::other(Box::new(error), None))?;
            Ok(HttpResponse::new(status, SdkBody::from(body)))
        })
    }
}
