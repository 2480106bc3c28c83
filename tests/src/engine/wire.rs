//! Faults on the wire to an engine of AWS's protocol.

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;

use super::faults::{Fault, Faults};

#[derive(Debug, Clone)]
pub(super) struct Faulty {
    pub(super) inner: SharedHttpClient,
    pub(super) faults: Faults,
}

impl HttpClient for Faulty {
    fn http_connector(&self, settings: &HttpConnectorSettings, parts: &RuntimeComponents) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, parts);
        SharedHttpConnector::new(FaultyConnector { inner, faults: self.faults.clone() })
    }
}

#[derive(Debug)]
struct FaultyConnector {
    inner: SharedHttpConnector,
    faults: Faults,
}

impl HttpConnector for FaultyConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Some(fault) = self.faults.next() else { return self.inner.call(request) };
        let refusal = |body: &'static str| {
            let status = 400_u16.try_into().expect("a status");
            HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(body))))
        };
        match fault {
            // A refusal that is not tried again, so that the test goes on at once.
            Fault::Cut => refusal(r#"{"__type":"AccessDeniedException","message":"cut"}"#),
            Fault::Throttle => refusal(r#"{"__type":"ThrottlingException","message":"slow down"}"#),
            Fault::Silence => HttpConnectorFuture::ready(Err(ConnectorError::timeout("no answer came in time".into()))),
            Fault::Skew => {
                refusal(r#"{"__type":"InvalidSignatureException","message":"Signature expired: is now earlier than"}"#)
            }
            Fault::Partial => {
                let status = 200_u16.try_into().expect("a status");
                HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(r#"{"Item":{"PK":"#))))
            }
            Fault::Conflict => refusal(
                r#"{"__type":"TransactionCanceledException","message":"conflict","CancellationReasons":[{"Code":"TransactionConflict"}]}"#,
            ),
            Fault::Hold => {
                let (inner, held) = (self.inner.clone(), self.faults.1.clone());
                HttpConnectorFuture::new(async move {
                    held.arrived.notify_one();
                    held.released.notified().await;
                    inner.call(request).await
                })
            }
            Fault::AnswerLost => {
                let call = self.inner.call(request);
                HttpConnectorFuture::new(async move {
                    let _ = call.await;
                    Err(ConnectorError::io("the connection broke".into()))
                })
            }
        }
    }
}
