//! The function `roles`: edits tokens, their roles, roles and users.

use std::process::ExitCode;

use latchkey::api::Function;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    latchkey::lambda::serve(Function::ROLES).await
}
