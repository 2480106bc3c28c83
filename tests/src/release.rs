//! A release on a server of this machine, as a workflow leaves one: an archive and its `SHA256SUMS`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::deployment::root;

/// What the archive is for; any machine may unpack it.
pub const TARGET: &str = "x86_64-unknown-linux-musl";

/// The files of one release, which anybody on this machine may download.
#[derive(Debug)]
pub struct Release {
    folder: TempDir,
    url: String,
}

impl Release {
    /// Packs a command with `packaging/archive`, and serves it.
    pub fn of(program: &Path) -> Self {
        let folder = TempDir::new().expect("a temporary folder can be made");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let url = format!("http://{}/v0.1.0", listener.local_addr().expect("it has one"));
        let release = Self { folder, url };
        // The command of the tests is large: the archive has what starts it.
        release.write("provision", format!("#!/bin/sh\nexec '{}' \"$@\"\n", program.display()));
        let mut executable = Command::new("chmod");
        assert!(executable.arg("+x").arg(release.path("provision")).status().expect("it runs").success());
        release.write("THIRD-PARTY.txt", "Nobody's.\n");
        let mut pack = Command::new(root().join("packaging/archive"));
        pack.args([release.path("provision"), release.path("THIRD-PARTY.txt")]).args(["0.1.0", TARGET]);
        let output = pack.arg(release.folder.path()).output().expect("it runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        release.sum_up();
        let served = release.folder.path().to_owned();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // Whoever hangs up in between has its reasons.
                let _ = answer(stream, &served);
            }
        });
        release
    }

    /// The address of the folder with its files.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The name of its archive.
    pub fn archive() -> String {
        format!("latchkey-0.1.0-{TARGET}.tar.gz")
    }

    /// The checksum of its archive, as `SHA256SUMS` has it.
    pub fn sum(&self) -> String {
        let sums = std::fs::read_to_string(self.path("SHA256SUMS")).expect("it is there");
        sums.split_whitespace().next().expect("a sum").to_owned()
    }

    /// Writes `SHA256SUMS` anew.
    pub fn sum_up(&self) {
        let output = Command::new("sha256sum").arg(Self::archive()).current_dir(self.folder.path()).output();
        let output = output.expect("it runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        self.write("SHA256SUMS", String::from_utf8(output.stdout).expect("text"));
    }

    /// A file of the release.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file of the release.
    #[expect(clippy::disallowed_methods, reason = "nobody reads it meanwhile")]
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).expect("a file of one's own can be written");
    }
}

/// Answers one request for a file of the folder.
fn answer(mut stream: TcpStream, folder: &Path) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    let asked = first.split(' ').nth(1).and_then(|path| path.strip_prefix("/v0.1.0/")).unwrap_or("none");
    let (status, body) =
        std::fs::read(folder.join(asked)).map_or(("404 Not Found", Vec::new()), |body| ("200 OK", body));
    write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len())?;
    stream.write_all(&body)
}
