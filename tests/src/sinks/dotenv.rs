//! `.env` files of a folder of one's own.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use latchkey::place::Place;
use latchkey::secret::Secret;
use latchkey_sinks::conformance::{Bench, On, Trouble};
use latchkey_sinks::deadline::Deadline;
use latchkey_sinks::dotenv::{Document, Dotenv, Settings};
use latchkey_sinks::{
    Capabilities, DeclaredSink, ListedEntry, Marker, PushDeclaration, Receipt, Removal, Seen, Sink, SinkError,
    SinkFacts, Write,
};
use tempfile::TempDir;

use super::ToolBench;

const MACHINE: &str = "here";

/// One file in a folder that ends with it.
#[derive(Debug)]
pub struct DotenvBench {
    folder: TempDir,
    changes: Arc<AtomicUsize>,
}

impl Default for DotenvBench {
    fn default() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).expect("a mode");
        Self { folder, changes: Arc::default() }
    }
}

impl DotenvBench {
    fn path(&self) -> PathBuf {
        self.folder.path().join(".env")
    }

    /// The file without the line of an entry.
    fn without(&self, name: &str) -> String {
        let (text, start) = (self.text(), format!("{name}="));
        text.split_inclusive('\n').filter(|line| !line.starts_with(&start)).collect()
    }

    fn text(&self) -> String {
        fs::read_to_string(self.path()).unwrap_or_default()
    }
}

/// The file's contents as dotenv's own readers write them: a person's editor.
fn edit(path: &Path, text: &str) {
    let mut options = fs::OpenOptions::new();
    let mut file = options.create(true).write(true).truncate(true).open(path).expect("a file");
    std::io::Write::write_all(&mut file, text.as_bytes()).expect("a write");
}

#[async_trait]
impl Bench for DotenvBench {
    fn sink(&self) -> Arc<dyn DeclaredSink> {
        Arc::new(OneFile {
            all: Dotenv::of_file(MACHINE, self.path()),
            path: self.path(),
            changes: self.changes.clone(),
        })
    }

    fn facts(&self) -> Option<Box<dyn SinkFacts>> {
        Some(Box::new(Settings { path: self.path(), mode: None }))
    }

    fn push(&self, name: &str) -> PushDeclaration {
        PushDeclaration::plain("dev", name)
    }

    async fn value(&self, place: &Place) -> Option<String> {
        let text = self.text();
        let document = Document::parse(&text).expect("a good file");
        document.get(place.part("name")?).map(|value| value.to_string())
    }

    async fn by_hand(&self, place: &Place, value: &str) {
        let name = place.part("name").expect("a name");
        let kept = self.without(name);
        // Double quotes, with what has to be escaped for every reader.
        let mut quoted = String::new();
        for character in value.chars() {
            if matches!(character, '"' | '\\') {
                quoted.push('\\');
            }
            quoted.push(character);
        }
        edit(&self.path(), &format!("{kept}{name}=\"{quoted}\"\n"));
    }

    async fn removed_by_hand(&self, place: &Place) {
        let name = place.part("name").expect("a name");
        let kept = self.without(name);
        edit(&self.path(), &kept);
    }

    fn trouble(&self, _: Trouble, _: On) -> bool {
        false
    }

    async fn changes(&self) -> usize {
        self.changes.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl ToolBench for DotenvBench {
    fn declaration(&self, _: &str) -> String {
        format!("type = \"dotenv\"\npath = \"{}\"\n", self.path().display())
    }
}

/// One file as a manifest declares it.
struct OneFile {
    all: Dotenv,
    path: PathBuf,
    changes: Arc<AtomicUsize>,
}

impl OneFile {
    /// Each replacement of the file is a change: it has another inode then, and the former one is held open meanwhile,
    /// so that its number is not given out again.
    async fn counting<T>(&self, change: impl Future<Output = T>) -> T {
        let before = fs::File::open(&self.path).ok();
        let done = change.await;
        let inode = |file: Option<fs::Metadata>| file.map(|metadata| metadata.ino());
        let was = inode(before.as_ref().and_then(|file| file.metadata().ok()));
        if was != inode(fs::metadata(&self.path).ok()) {
            self.changes.fetch_add(1, Ordering::SeqCst);
        }
        done
    }
}

#[async_trait]
impl DeclaredSink for OneFile {
    async fn place(&self, push: &PushDeclaration) -> Result<Place, SinkError> {
        self.all.place(push).await
    }

    async fn reaches(&self, place: &Place) -> bool {
        self.all.reaches(place).await
    }

    async fn entries(&self, prefix: &str) -> Result<Vec<ListedEntry>, SinkError> {
        self.all.entries(prefix).await
    }
}

#[async_trait]
impl Sink for OneFile {
    fn capabilities(&self) -> Capabilities {
        self.all.capabilities()
    }

    fn unit(&self, place: &Place) -> String {
        self.all.unit(place)
    }

    async fn prepare(&self, places: &[&Place]) -> Vec<Result<(), SinkError>> {
        self.all.prepare(places).await
    }

    async fn look(&self, places: &[&Place]) -> Vec<Result<Seen, SinkError>> {
        self.all.look(places).await
    }

    async fn read(&self, place: &Place, wanted: &Marker) -> Result<Option<Secret>, SinkError> {
        self.all.read(place, wanted).await
    }

    async fn write(&self, writes: &[Write<'_>], deadline: Deadline) -> Vec<Result<Receipt, SinkError>> {
        self.counting(self.all.write(writes, deadline)).await
    }

    async fn remove(&self, removals: &[Removal<'_>], deadline: Deadline) -> Vec<Result<(), SinkError>> {
        self.counting(self.all.remove(removals, deadline)).await
    }
}
