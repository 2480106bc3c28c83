//! A function that does one thing: it reads the item that the event names. What `authorize` costs is held to it by the
//! benchmark `cold_start`. The client is as trimmed as the service's own.

use aws_credential_types::Credentials;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Region, StalledStreamProtectionConfig};
use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity};
use aws_sdk_dynamodb::{Client, Config};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use lambda_runtime::{Error, LambdaEvent, Runtime, service_fn};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let roots = TrustStore::empty().with_pem_certificate(std::fs::read(std::env::var("LATCHKEY_ROOTS")?)?);
    let tls = TlsContext::builder().with_trust_store(roots).build()?;
    let http = Builder::new().tls_provider(Provider::rustls(CryptoMode::Ring)).tls_context(tls).build_https();
    let config = Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(std::env::var("AWS_REGION")?))
        .credentials_provider(Credentials::new("test", "test", Some("test".to_owned()), None, "example"))
        .endpoint_url(std::env::var("AWS_ENDPOINT_URL_DYNAMODB")?)
        .http_client(http)
        .retry_config(RetryConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    let (client, table) = (Client::from_conf(config.build()), std::env::var("LATCHKEY_TABLE")?);
    let answer = |event: LambdaEvent<Value>| {
        let get = client.get_item().table_name(&table).consistent_read(true);
        let text = |name: &str| AttributeValue::S(event.payload[name].as_str().unwrap_or_default().to_owned());
        let get = get.key("PK", text("PK")).key("SK", text("SK"));
        let get = get.return_consumed_capacity(ReturnConsumedCapacity::Total);
        async move {
            let found = get.send().await?.item.is_some();
            Ok::<_, Error>(json!({"found": found}))
        }
    };
    Runtime::new(service_fn(answer)).run().await
}
