//! The function `delete`: revokes tokens.

use std::process::ExitCode;

use latchkey::api::Function;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    latchkey::lambda::serve(Function::DELETE).await
}
