//! The function `authorize`: an authorizer for its users' own APIs.

use std::process::ExitCode;

use latchkey::api::Function;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    latchkey::lambda::run(Function::Authorize).await
}
