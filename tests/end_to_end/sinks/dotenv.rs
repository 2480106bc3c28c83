//! `.env` files; what is particular to them stands beside the sink itself.

use tests::sinks::DotenvBench;

use super::conformance::conforms;

#[tokio::test]
async fn dotenv_conforms() {
    conforms(&DotenvBench::default()).await;
}
