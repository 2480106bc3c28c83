//! The function `introspect`: tells a trusted caller about a token.

use std::process::ExitCode;

use latchkey::api::{Function, Handlers};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    latchkey::lambda::serve(Function::Introspect, Handlers::INTROSPECT).await
}
