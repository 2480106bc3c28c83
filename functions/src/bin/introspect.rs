//! The function `introspect`: tells a trusted caller about a token.

use std::process::ExitCode;

use latchkey::api::Function;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    latchkey::lambda::serve(Function::INTROSPECT).await
}
