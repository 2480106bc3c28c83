//! The deployment: its template, the calls that its functions make, and the whole of it on a server here.

mod calls;
mod stack;
mod template;

pub use calls::{Access, Asked, Recorder, accesses};
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

/// A manifest that the deployed job rotates: two tokens in one vault, so that a crash can be between them. Where table and
/// vault are comes from the environment.
pub const ROTATED: &str = r#"
manifest = "acme"
[service]
table = "latchkey"
region = "us-east-1"
[defaults]
user = "ci"
expires_in = "90d"
rotate_every = "30d"
overlap = "24h"
[roles.reader]
permissions = ["documents:read"]
[users.ci]
kind = "service"
roles = ["reader"]
[sinks.vault]
type = "aws-secrets-manager"
region = "eu-west-1"
[tokens.build-api]
push = [{ sink = "vault", name = "prod/build-token" }]
[tokens.deploy-api]
push = [{ sink = "vault", name = "prod/deploy-token" }]
"#;
