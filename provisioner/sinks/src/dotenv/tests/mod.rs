//! What the sink promises, on real files.

mod document;
mod files;
mod git;
mod readers;
mod sink;
mod writers;

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use latchkey::entropy::SystemEntropy;
use latchkey::place::Place;
use latchkey::secret::{Prefix, Secret, TokenId};
use tempfile::TempDir;

use super::{Dotenv, place};
use crate::deadline::Deadline;
use crate::{Marker, Receipt, Removal, Seen, Sink as _, SinkError, Write};

const MACHINE: &str = "laptop";

/// A folder with a `.env` and the sink of this machine.
struct Bench {
    folder: TempDir,
    sink: Dotenv,
}

impl Bench {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), sink: Dotenv::of_machine(MACHINE) }
    }

    fn with(text: &str) -> Self {
        let bench = Self::new();
        bench.put(text);
        bench
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join(".env")
    }

    fn put(&self, text: &str) {
        put(&self.path(), text.as_bytes());
    }

    fn text(&self) -> String {
        fs::read_to_string(self.path()).unwrap()
    }

    fn place(&self, name: &str) -> Place {
        place(MACHINE, &self.path(), name)
    }

    async fn prepare(&self, name: &str) -> Result<(), SinkError> {
        only(self.sink.prepare(&[&self.place(name)]).await)
    }

    async fn look(&self, name: &str) -> Result<Seen, SinkError> {
        only(self.sink.look(&[&self.place(name)]).await)
    }

    async fn write(&self, name: &str, secret: &Secret, seen: &Seen) -> Result<Receipt, SinkError> {
        self.write_by(name, secret, seen, soon()).await
    }

    async fn write_by(
        &self,
        name: &str,
        secret: &Secret,
        seen: &Seen,
        deadline: Deadline,
    ) -> Result<Receipt, SinkError> {
        let (place, marker) = (self.place(name), marker(secret));
        only(self.sink.write(&[write(&place, secret, &marker, seen)], deadline).await)
    }

    async fn remove(&self, name: &str, seen: &Seen) -> Result<(), SinkError> {
        only(self.sink.remove(&[Removal { place: &self.place(name), seen }], soon()).await)
    }

    /// What stands in the folder beside the `.env`.
    fn litter(&self) -> Vec<String> {
        let names = fs::read_dir(self.folder.path()).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| ![".env", ".env.latchkey-lock", ".git"].contains(&name.as_str())).collect()
    }
}

fn write<'a>(place: &'a Place, secret: &'a Secret, marker: &'a Marker, seen: &'a Seen) -> Write<'a> {
    Write { place, secret, marker, token_name: "production-api", manifest: "acme", seen }
}

fn only<T>(answers: Vec<T>) -> T {
    let [answer] = <[T; 1]>::try_from(answers).ok().unwrap();
    answer
}

fn put(path: &Path, bytes: &[u8]) {
    File::create(path).unwrap().write_all(bytes).unwrap();
}

fn soon() -> Deadline {
    Deadline::after(Duration::from_mins(1))
}

fn mint() -> Secret {
    Secret::mint(&Prefix::default(), &TokenId::mint(&SystemEntropy).unwrap(), &SystemEntropy).unwrap()
}

fn marker(secret: &Secret) -> Marker {
    Marker { token_id: secret.token_id(), version: 1, fingerprint: secret.fingerprint() }
}
