//! The function `list`: lists tokens, usage and events.

use std::process::ExitCode;

use latchkey::api::{Function, Handlers};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    latchkey::lambda::serve(Function::List, Handlers::LIST).await
}
