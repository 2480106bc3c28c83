//! The way over the network. It is the connector that the AWS SDK uses, so there is one TLS stack and one pool of
//! connections; it follows no redirect and repeats nothing by itself.

use std::time::Duration;

use async_trait::async_trait;
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::{Connector, tls};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorSettings, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use http_body_util::{BodyExt, Limited};
use zeroize::Zeroizing;

use super::{ANSWER_MAX, Address, Incoming, NoAnswer, Outgoing, Transport, innermost};

const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// API Gateway answers within 30 seconds or not at all.
const ANSWER_WITHIN: Duration = Duration::from_secs(31);

/// A server at an address.
#[derive(Debug)]
pub struct Http {
    address: Address,
    connector: SharedHttpConnector,
}

impl Http {
    /// A server at `address`. Nothing is sent yet.
    pub fn new(address: Address) -> Self {
        let settings =
            HttpConnectorSettings::builder().connect_timeout(CONNECT_WITHIN).read_timeout(ANSWER_WITHIN).build();
        let builder = Connector::builder().connector_settings(settings).sleep_impl(TokioSleep::new());
        let connector = if address.is_secure() {
            let provider = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring);
            // A tunnel shows a proxy nothing but the host.
            let builder = builder.proxy_config(ProxyConfig::from_env());
            SharedHttpConnector::new(builder.tls_provider(provider).build())
        } else {
            // Plain, and so for this machine: a proxy would read the token.
            SharedHttpConnector::new(builder.proxy_config(ProxyConfig::disabled()).build_http())
        };
        Self { address, connector }
    }

    async fn exchange(&self, request: &Outgoing) -> Result<Incoming, NoAnswer> {
        let answer = self.connector.call(self.request(request)?).await.map_err(|error| NoAnswer(words(&error)))?;
        read(answer).await
    }

    fn request(&self, request: &Outgoing) -> Result<HttpRequest, NoAnswer> {
        let bad = |error: &dyn std::fmt::Display| NoAnswer(format!("the request cannot be sent: {error}"));
        let mut built = HttpRequest::new(SdkBody::from(request.body.to_vec()));
        built.set_uri(self.address.join(&request.target)).map_err(|error| bad(&error))?;
        built.set_method(request.method).map_err(|error| bad(&error))?;
        for (name, value) in &request.headers {
            built.headers_mut().try_insert(*name, value.clone()).map_err(|error| bad(&error))?;
        }
        Ok(built)
    }
}

#[async_trait]
impl Transport for Http {
    async fn send(&self, request: &Outgoing) -> Result<Incoming, NoAnswer> {
        match tokio::time::timeout(ANSWER_WITHIN, self.exchange(request)).await {
            Ok(answered) => answered,
            Err(_) => Err(NoAnswer(format!("no answer within {} s", ANSWER_WITHIN.as_secs()))),
        }
    }
}

async fn read(answer: HttpResponse) -> Result<Incoming, NoAnswer> {
    let status = answer.status().as_u16();
    let headers: Vec<(String, String)> =
        answer.headers().iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let body = Limited::new(answer.into_body(), ANSWER_MAX).collect().await;
    let body = body.map_err(|error| NoAnswer(format!("the answer was cut off: {}", innermost(error.as_ref()))))?;
    Ok(Incoming { status, headers, body: Zeroizing::new(body.to_bytes().to_vec()), sent: 1 })
}

/// What went wrong; the connector's own words say little.
fn words(error: &ConnectorError) -> String {
    let what = if error.is_timeout() { "no answer in time" } else { "no connection, or it was lost" };
    format!("{what}: {}", innermost(error))
}
