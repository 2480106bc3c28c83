//! The function `delete`: ends tokens.

use std::process::ExitCode;

use latchkey::api::{Function, Handlers};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    latchkey::lambda::serve(Function::Delete, Handlers::DELETE).await
}
