//! The function `versions`: stages, announces, promotes and retires versions.

use std::process::ExitCode;

use latchkey::api::Function;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    latchkey::lambda::serve(Function::VERSIONS).await
}
