//! AWS as its own tools reach it: region, credentials and endpoint from the environment, the profile or SSO.

use std::time::Duration;

use aws_config::environment::region::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_sts::operation::get_caller_identity::{GetCallerIdentityError, GetCallerIdentityOutput};
use aws_smithy_http_client::tls;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_types::service_config::ServiceConfigKey;
use futures_util::future::BoxFuture;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// Who logs in, and how often a call is tried. By default as AWS's own tools do.
#[derive(Debug, Clone, Default)]
pub struct As<'a> {
    /// The profile, which wins over keys in the environment: those may be another account's.
    pub profile: Option<&'a str>,
    /// Credentials that the caller has already; they win over both.
    pub credentials: Option<&'a SharedCredentialsProvider>,
    /// How calls are retried; by default as the SDK does.
    pub retries: Option<RetryConfig>,
}

/// The region of the environment, or of the profile. The metadata of an EC2 machine is not asked: where there is none,
/// that takes seconds.
pub fn region(profile: Option<&str>) -> BoxFuture<'_, Option<Region>> {
    let mut of_profile = ProfileFileRegionProvider::builder();
    if let Some(name) = profile {
        of_profile = of_profile.profile_name(name);
    }
    let chain = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new()).or_else(of_profile.build());
    Box::pin(async move { chain.region().await.filter(|region| !region.as_ref().is_empty()) })
}

/// Credentials and settings for clients in a region. On the heap, as every asynchronous function here: what these call in
/// the SDK is large, and would be compiled anew in each place that waits for it.
pub fn sdk_config<'a>(region: &'a Region, by: As<'a>) -> BoxFuture<'a, SdkConfig> {
    let provider = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring);
    let http = aws_smithy_http_client::Builder::new().tls_provider(provider).build_https();
    let timeouts =
        TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).operation_attempt_timeout(ATTEMPT_TIMEOUT).build();
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .region(region.clone())
        .http_client(http.clone())
        .timeout_config(timeouts);
    if let Some(retries) = by.retries {
        loader = loader.retry_config(retries);
    }
    if let Some(name) = by.profile {
        loader = loader.profile_name(name);
        let within = ProviderConfig::default().with_region(Some(region.clone())).with_http_client(http);
        let profile = ProfileFileCredentialsProvider::builder().configure(&within).profile_name(name).build();
        loader = loader.credentials_provider(profile);
    }
    if let Some(credentials) = by.credentials {
        loader = loader.credentials_provider(credentials.clone());
    }
    Box::pin(loader.load())
}

/// What `AWS_ENDPOINT_URL_<service>`, `AWS_ENDPOINT_URL` or the profile set.
pub fn endpoint_of(service: &'static str, config: &SdkConfig) -> Option<String> {
    let key =
        ServiceConfigKey::builder().service_id(service).env("AWS_ENDPOINT_URL").profile("endpoint_url").build().ok()?;
    config.service_config()?.load_config(key).or_else(|| config.endpoint_url().map(str::to_owned))
}

/// Asks STS whose credentials they are.
///
/// # Errors
/// When STS does not answer, or does not accept them.
pub fn caller_identity(
    config: &SdkConfig,
) -> BoxFuture<'_, Result<GetCallerIdentityOutput, SdkError<GetCallerIdentityError, HttpResponse>>> {
    Box::pin(async move { aws_sdk_sts::Client::new(config).get_caller_identity().send().await })
}
