//! The function `introspect`: shows a trusted caller whether a token is valid.

use std::process::ExitCode;

use latchkey::api::Function;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    latchkey::lambda::serve(Function::INTROSPECT).await
}
