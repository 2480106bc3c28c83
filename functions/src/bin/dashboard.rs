//! The function `dashboard`: the page. It knows no table.

use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    latchkey::lambda::page().await
}
