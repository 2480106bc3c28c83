//! The `console` blocks of each document, run one after another in a folder of its own with a copy of
//! `samples/tokens.toml`: what they show is what happens. A line `<!-- test: COMMAND -->` is run too, unseen by readers.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use regex::Regex;

use super::{documents, read, root};

const SECRET: &str = r"(lk_[0-9a-z]{16}_)[0-9A-Za-z]{49}";

/// What differs from run to run, and what stands for it.
const CHANGING: &[(&str, &str)] = &[
    (r"lk_[0-9a-z]{16}_[0-9A-Za-z.]+", "SECRET"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "TIME"),
    (r"Plan id: [0-9a-f]+", "Plan id: ID"),
    (r"\b[0-9a-hjkmnp-tv-z]{16}\b", "ID"),
];

fn redacted(text: &str) -> String {
    CHANGING.iter().fold(text.trim_end().to_owned(), |text, (pattern, word)| {
        Regex::new(pattern).unwrap().replace_all(&text, *word).into_owned()
    })
}

/// The folder that the binaries of this workspace are built into.
fn binaries() -> PathBuf {
    let this = std::env::current_exe().unwrap();
    let folder = this.ancestors().nth(2).unwrap().to_owned();
    assert!(folder.join("provision").is_file(), "build it first: `cargo build --workspace --bins`");
    folder
}

struct Reader {
    folder: tempfile::TempDir,
    clock: tempfile::NamedTempFile,
}

impl Reader {
    fn new() -> Self {
        let (folder, clock) = (tempfile::tempdir().unwrap(), tempfile::NamedTempFile::new().unwrap());
        std::fs::copy(root().join("samples/tokens.toml"), folder.path().join("tokens.toml")).unwrap();
        Self { folder, clock }
    }

    /// What a command prints, stdout and stderr in the order that a terminal shows.
    fn types(&self, command: &str) -> String {
        let mut path = vec![binaries()];
        path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
        let output = Command::new("sh")
            .args(["-c", &format!("{{ {command}\n}} 2>&1")])
            .current_dir(self.folder.path())
            .env("PATH", std::env::join_paths(path).unwrap())
            .env("LATCHKEY_MACHINE", "readme")
            .env("LATCHKEY_TEST_CLOCK", self.clock.path())
            // Whoever runs the tests may be logged in somewhere.
            .env("HOME", self.folder.path())
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("LATCHKEY_SERVICE")
            .env_remove("LATCHKEY_URL")
            .env_remove("LATCHKEY_TOKEN")
            .env_remove("LATCHKEY_LOG")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    }
}

/// What a document would be if it showed what happens, and the first block that shows something else.
fn happens(text: &str) -> (String, Option<String>) {
    let secret = Regex::new(SECRET).unwrap();
    let reader = Reader::new();
    let (mut rewritten, mut differs): (Vec<String>, Option<String>) = (Vec::new(), None);
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        rewritten.push(line.to_owned());
        if let Some(command) = line.strip_prefix("<!-- test: ").and_then(|rest| rest.strip_suffix(" -->")) {
            reader.types(command);
        }
        if line != "```console" {
            continue;
        }
        let shown: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        let commands = shown.iter().filter(|line| line.starts_with("$ "));
        let happens: Vec<String> =
            commands.flat_map(|line| [(*line).to_owned(), reader.types(&line[2..]).trim_end().to_owned()]).collect();
        let happens = happens.into_iter().filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n");
        if differs.is_none() && redacted(&shown.join("\n")) != redacted(&happens) {
            differs = Some(format!("it shows\n{}\nand what happens is\n{happens}", shown.join("\n")));
        }
        rewritten.extend([secret.replace_all(&happens, "$1...").into_owned(), "```".to_owned()]);
    }
    (rewritten.join("\n") + "\n", differs)
}

#[test]
fn the_documents_show_what_happens() {
    let rewrites = std::env::var_os("LATCHKEY_DOCUMENTS").is_some_and(|word| word == "write");
    let shows: Vec<PathBuf> =
        documents().into_iter().filter(|document| read(document).contains("```console")).collect();
    let mut differ: Vec<String> = std::thread::scope(|scope| {
        let halves: Vec<_> = shows
            .chunks(shows.len().div_ceil(2))
            .map(|half| scope.spawn(move || half.iter().filter_map(|one| differs(one, rewrites)).collect::<Vec<_>>()))
            .collect();
        halves.into_iter().flat_map(|half| half.join().unwrap()).collect()
    });
    differ.push(
        "are they to be rewritten? `LATCHKEY_DOCUMENTS=write cargo nextest run --workspace documents`".to_owned(),
    );
    assert!(differ.len() == 1, "{}", differ.join("\n\n"));
}

/// What a document shows that is not what happens, unless it is rewritten.
fn differs(document: &Path, rewrites: bool) -> Option<String> {
    let (text, differs) = happens(&read(document));
    if rewrites {
        if differs.is_some() {
            latchkey_sinks::files::write_atomic(&root().join(document), text.as_bytes(), 0o644).unwrap();
        }
        return None;
    }
    differs.map(|differs| format!("{}: {differs}", document.display()))
}
