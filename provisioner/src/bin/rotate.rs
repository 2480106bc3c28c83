//! The function `rotate`: one turn of the scheduled job at each invocation, or a step of a rotation by Secrets Manager.

// A turn is one future of futures, deeper than the compiler goes by itself.
#![recursion_limit = "256"]

use std::process::ExitCode;

use latchkey::api::Function;
use provisioner::job::Scheduled;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    latchkey::lambda::work(Function::ROTATE, Scheduled).await
}
