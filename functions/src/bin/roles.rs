//! The function `roles`: edits tokens, their roles, roles and users.

use std::process::ExitCode;

use latchkey::api::{Function, Handlers};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    latchkey::lambda::serve(Function::Roles, Handlers::ROLES).await
}
