//! The function `authorize`: an authorizer for its users' own APIs.

use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    latchkey::lambda::authorize().await
}
