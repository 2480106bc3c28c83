//! The deployment: its template, the calls that its functions make, and the whole of it on a server here.

mod calls;
mod stack;
mod template;

pub use calls::{Access, Recorder, accesses};
pub use stack::{Answer, Stack, binaries, send};
pub use template::{Allowed, Template};

use std::path::PathBuf;

/// The root of the repository.
pub fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// A program that `tests/engines.sh` installed.
pub fn engine(program: &str) -> PathBuf {
    let installed = root().join("target/engines/python/bin").join(program);
    assert!(installed.exists(), "install it first: `tests/engines.sh`: {}", installed.display());
    installed
}
