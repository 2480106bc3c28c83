//! Secrets Manager; what is particular to it stands in a room of its own.

use tests::sinks::SecretsManagerBench;

use super::conformance::conforms;

#[tokio::test]
async fn secrets_manager_conforms() {
    conforms(&SecretsManagerBench::plain().await).await;
}

#[tokio::test]
async fn secrets_manager_with_json_keys_conforms() {
    conforms(&SecretsManagerBench::shared().await).await;
}
