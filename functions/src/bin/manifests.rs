//! The function `manifests`: what a declarative run needs beyond single tokens.

use std::process::ExitCode;

use latchkey::api::{Function, Handlers};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    latchkey::lambda::serve(Function::Manifests, Handlers::MANIFESTS).await
}
