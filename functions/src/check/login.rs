//! The client that the environment describes.
//!
//! Keys in variables could be read by hand, as the Lambda functions do. But a service in a container, on a machine of EC2
//! or under a web identity has none there, and what it is given instead expires and is renewed: that is what `aws-config`
//! is for. A function that has to start in milliseconds builds its own client.

use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::ProvideCredentials as _;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

use super::OpenError;
use crate::table::chain;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(2);
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(4);

pub(super) async fn client() -> Result<Client, OpenError> {
    let tls = Provider::Rustls(CryptoMode::Ring);
    let http = aws_smithy_http_client::Builder::new().tls_provider(tls).build_https();
    let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(ANSWER).build();
    let config = aws_config::defaults(BehaviorVersion::v2026_01_12()).http_client(http).timeout_config(timeouts);
    let config = config.load().await;
    if config.region().is_none_or(|region| region.as_ref().is_empty()) {
        return Err(OpenError::Region);
    }
    // Asked for here, as the table takes a login that is missing for a table that does not answer, and waits for it.
    let login = config.credentials_provider().ok_or_else(|| OpenError::Login("none is set".to_owned()))?;
    login.provide_credentials().await.map_err(|error| OpenError::Login(chain(&error)))?;
    Ok(Client::new(&config))
}
