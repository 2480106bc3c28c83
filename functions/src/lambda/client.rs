//! The one DynamoDB client of a function, without what the SDK does by default.
//!
//! No `aws-config`: login and region come from the environment, as Lambda sets them. No retries: the table has its own.
//! No search for root certificates: the roots that AWS signs with are in the binary (reading 145 others takes four times
//! as long as all else), with a switch to the system's for those behind a proxy that signs anew.

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Region, StalledStreamProtectionConfig};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::SharedHttpClient;

use super::environment::{Environment, Roots};

/// The roots under which AWS's endpoints stand, from <https://www.amazontrust.com/repository/>, by SHA-256:
///
/// - Amazon Root CA 1: `8ecde6884f3d87b1125ba31ac3fcb13d7016de7f57cc904fe1cb97c6ae98196e`
/// - Amazon Root CA 2: `1ba5b2aa8c65401a82960118f80bec4f62304d83cec4713a19c39c011ea46db4`
/// - Amazon Root CA 3: `18ce6cfe7bf14e60b2e347b8dfe868cb31d02ebb3ada271569f50343b46db3a4`
/// - Amazon Root CA 4: `e35d28419ed02025cfa69038cd623962458da5c695fbdea3c22b0bfb25897092`
/// - Starfield Services Root G2: `568d6905a2c88708a4b3025190edcfedb1974a606a13c6e5290fcb2ae63edab5`
const PINNED: [&[u8]; 5] = [
    include_bytes!("roots/amazon-root-ca-1.pem"),
    include_bytes!("roots/amazon-root-ca-2.pem"),
    include_bytes!("roots/amazon-root-ca-3.pem"),
    include_bytes!("roots/amazon-root-ca-4.pem"),
    include_bytes!("roots/starfield-services-g2.pem"),
];

/// How long a connection may take. A function is in the table's region.
const CONNECT: Duration = Duration::from_secs(1);
/// How long an answer may take: a connection that died while the process was frozen does not say so.
const ANSWER: Duration = Duration::from_secs(3);

/// The client that an environment describes. It connects with its first request.
pub(super) fn client(environment: &Environment) -> Client {
    let credentials = Credentials::new(
        &environment.access_key_id,
        &environment.secret_access_key,
        environment.session_token.clone(),
        None,
        "environment",
    );
    let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT).read_timeout(ANSWER).build();
    let mut config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(environment.region.clone()))
        .credentials_provider(credentials)
        .http_client(http(&environment.roots))
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts)
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    config.set_endpoint_url(environment.endpoint.clone());
    Client::from_conf(config.build())
}

fn http(roots: &Roots) -> SharedHttpClient {
    let pinned = || PINNED.into_iter().fold(TrustStore::empty(), TrustStore::with_pem_certificate);
    let trusted = match roots {
        Roots::Pinned => pinned(),
        Roots::Native => TrustStore::empty().with_native_roots(true),
        Roots::PinnedAnd(more) => pinned().with_pem_certificate(more.as_slice()),
    };
    let builder = Builder::new().tls_provider(Provider::rustls(CryptoMode::Ring));
    match TlsContext::builder().with_trust_store(trusted).build() {
        Ok(context) => builder.tls_context(context).build_https(),
        // Cannot be: building checks nothing yet. Should it come to check, the system's roots are the next best.
        Err(_) => builder.build_https(),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::clock::{Clock, SystemClock};
    use crate::secret::Digest;

    fn der(pem: &[u8]) -> Vec<u8> {
        let text = std::str::from_utf8(pem).unwrap();
        let body: String = text.lines().filter(|line| !line.starts_with("-----")).collect();
        base64::Engine::decode(&base64::engine::general_purpose::STANDARD, body).unwrap()
    }

    /// When a certificate ends: the second of the two times of its validity (RFC 5280, 4.1.2.5), which stand together.
    fn end(der: &[u8]) -> Timestamp {
        const TIME: [u8; 2] = [0x17, 13];
        let both = |at: &usize| der[*at..].starts_with(&TIME) && der[*at + 15..].starts_with(&TIME);
        let at = (0..der.len() - 30).find(both).unwrap() + 17;
        let text = std::str::from_utf8(&der[at..at + 12]).unwrap();
        let part = |index: usize| &text[index * 2..index * 2 + 2];
        let [year, month, day, hour, minute, second] = std::array::from_fn(part);
        format!("20{year}-{month}-{day}T{hour}:{minute}:{second}Z").parse().unwrap()
    }

    #[test]
    fn every_pinned_root_is_good_for_another_year() {
        let in_a_year = SystemClock.now() + jiff::SignedDuration::from_hours(366 * 24);
        for pem in PINNED {
            assert!(end(&der(pem)) > in_a_year, "replace it: {}", String::from_utf8_lossy(pem));
        }
    }

    #[test]
    fn the_pinned_roots_are_those_that_the_comment_names() {
        let source = include_str!("client.rs");
        for pem in PINNED {
            let digest = Digest::of(&der(pem));
            let written = |line: &str| {
                digest
                    .as_bytes()
                    .iter()
                    .enumerate()
                    .all(|(at, byte)| line.get(at * 2..at * 2 + 2) == Some(&format!("{byte:02x}")))
            };
            assert!(source.split('`').any(written), "{}", String::from_utf8_lossy(pem));
        }
        assert_eq!(end(&der(PINNED[0])).to_string(), "2038-01-17T00:00:00Z");
    }
}
