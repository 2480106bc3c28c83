//! Heroku, on a fake that is held against its contract.

use tests::sinks::heroku::HerokuBench;

use super::conformance::conforms;

#[tokio::test]
async fn heroku_conforms() {
    conforms(&HerokuBench::start().await).await;
}
