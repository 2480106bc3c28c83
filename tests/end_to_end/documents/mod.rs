//! README and `docs/`: what they show is what happens, what they name exists, and links lead somewhere.

mod blocks;
mod cost;
mod linked;
mod parsed;
mod pictures;
mod reference;
mod shown;

use std::path::{Path, PathBuf};

use tests::deployment::root;

/// README and all documents in `docs/`, from the root on.
fn documents() -> Vec<PathBuf> {
    let mut found = vec![PathBuf::from("README.md")];
    let mut folders = vec![PathBuf::from("docs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(root().join(&folder)).unwrap() {
            let path = folder.join(entry.unwrap().file_name());
            if root().join(&path).is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "md") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn read(document: &Path) -> String {
    std::fs::read_to_string(root().join(document)).unwrap_or_else(|error| panic!("{}: {error}", document.display()))
}
