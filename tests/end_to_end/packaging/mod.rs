//! What is released, how it is installed, and what other programs say of the files that people lift.

mod archive;
mod install;
mod linters;
mod release;
mod units;
mod version;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tests::deployment::{engine, root};

/// `on` is a truth to YAML, so all that is no list or map is told as text.
const READ: &str = "import json, sys, yaml
print(json.dumps(yaml.load(open(sys.argv[1]), Loader=yaml.BaseLoader)))";

/// A file of YAML, each alias in its place.
pub(crate) fn yaml(file: impl AsRef<Path>) -> Value {
    let output = Command::new(engine("python")).args(["-c", READ]).arg(root().join(file)).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A script below `packaging`.
fn packaging(name: &str) -> PathBuf {
    root().join("packaging").join(name)
}
