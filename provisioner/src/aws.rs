//! AWS as its own tools reach it: region, credentials and endpoint from the environment, the profile or SSO.

use std::time::Duration;

use aws_config::environment::region::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_smithy_http_client::tls;
use aws_types::service_config::ServiceConfigKey;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// The region of the environment or the profile.
pub(crate) async fn default_region() -> Option<Region> {
    // The metadata of an EC2 machine is not asked: where there is none, that takes seconds.
    let chain = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
        .or_else(ProfileFileRegionProvider::builder().build());
    chain.region().await.filter(|region| !region.as_ref().is_empty())
}

/// The credentials and settings for clients in a region.
pub(crate) async fn sdk_config(region: &Region) -> SdkConfig {
    let provider = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring);
    let http = aws_smithy_http_client::Builder::new().tls_provider(provider).build_https();
    let timeouts =
        TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).operation_attempt_timeout(ATTEMPT_TIMEOUT).build();
    aws_config::defaults(BehaviorVersion::v2026_01_12())
        .region(region.clone())
        .http_client(http)
        .timeout_config(timeouts)
        .load()
        .await
}

/// What `AWS_ENDPOINT_URL_<service>`, `AWS_ENDPOINT_URL` or the profile set.
pub(crate) fn endpoint_of(service: &'static str, config: &SdkConfig) -> Option<String> {
    let key =
        ServiceConfigKey::builder().service_id(service).env("AWS_ENDPOINT_URL").profile("endpoint_url").build().ok()?;
    config.service_config()?.load_config(key).or_else(|| config.endpoint_url().map(str::to_owned))
}
