//! Vercel, on a fake that is held against its contract.

use tests::sinks::vercel::VercelBench;

use super::conformance::conforms;

#[tokio::test]
async fn vercel_conforms() {
    conforms(&VercelBench::start().await).await;
}
