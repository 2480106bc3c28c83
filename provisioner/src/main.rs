//! The command `provision`.

use std::process::ExitCode;

fn main() -> ExitCode {
    provisioner::commands::main()
}
