//! A function that does nothing: the least that a cold start costs. The benchmark `cold_start` holds the others to it.

use lambda_runtime::{Error, LambdaEvent, Runtime, service_fn};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let answer = async |_: LambdaEvent<Value>| Ok::<_, Error>(json!({}));
    Runtime::new(service_fn(answer)).run().await
}
