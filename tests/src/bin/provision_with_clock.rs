//! `provision`, built with the feature `test-clock`.

use std::process::ExitCode;

fn main() -> ExitCode {
    provisioner::commands::main()
}
