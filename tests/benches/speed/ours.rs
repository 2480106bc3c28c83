//! The program that is measured: the one that people install, not one of the tests.

use std::path::{Path, PathBuf};
use std::process::Command;

use tests::deployment::root;
use tests::provision::World;
use tests::remote::Served;

/// A build of `provision`.
#[derive(Debug, Clone)]
pub(super) struct Ours {
    program: PathBuf,
    /// What it is, for whoever reads the result.
    pub(super) about: String,
}

impl Ours {
    /// The one that `LATCHKEY_PROVISION` names, else that of the release profile; or what to do about it.
    pub(super) fn find() -> Result<Self, String> {
        let named = std::env::var_os("LATCHKEY_PROVISION").map(PathBuf::from);
        let program = named.unwrap_or_else(|| root().join("target/release/provision"));
        let program = program.canonicalize().map_err(|error| {
            let program = program.display();
            format!("cannot measure `{program}`: {error}\nhelp: cargo build --release --bin provision")
        })?;
        let output = Command::new(&program).arg("--version").output();
        let output = output.map_err(|error| format!("cannot run `{}`: {error}", program.display()))?;
        let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        // Cargo calls the folder by the profile.
        let profile = program.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned();
        let shown = program.strip_prefix(root().canonicalize().unwrap_or_default()).unwrap_or(&program).display();
        let about = format!("{version}, profile `{profile}`, {shown}");
        Ok(Self { program, about })
    }

    /// A folder of its own to run in.
    pub(super) fn world(&self) -> World {
        World::of(self.program.clone())
    }
}

/// A server on a file, with an admin.
pub(super) struct Server {
    pub(super) world: World,
    pub(super) served: Served,
    /// The admin's.
    pub(super) secret: String,
}

/// The file of a server's table.
pub(super) const FILE: &str = "latchkey.db";

impl Server {
    pub(super) fn start(ours: &Ours) -> Self {
        let world = ours.world();
        let secret =
            world.run("bootstrap --user root --service embedded:latchkey.db").exits(0).stdout.trim().to_owned();
        world.run("role set reader --permission documents:read --service embedded:latchkey.db").exits(0);
        let served = Served::start(&world, FILE);
        Self { world, served, secret }
    }

    pub(super) fn address(&self) -> String {
        self.served.url().trim_start_matches("http://").to_owned()
    }

    pub(super) fn process(&self) -> i32 {
        i32::try_from(self.served.process()).expect("a process")
    }

    /// The request that puts a user.
    pub(super) fn put_user(&self, user: &str, tokens: usize) -> String {
        let body = format!("{{\"kind\":\"service\",\"roles\":[\"reader\"],\"max_tokens\":{tokens}}}");
        super::load::request("PUT", &format!("/v1/users/{user}"), &self.headers(), &body)
    }

    /// The request that creates a token.
    pub(super) fn create(&self, user: &str, token: &str) -> String {
        let path = format!("/v1/users/{user}/tokens");
        super::load::request("POST", &path, &self.headers(), &format!("{{\"name\":\"{token}\"}}"))
    }

    /// The request that reads something.
    pub(super) fn get(&self, path: &str) -> String {
        super::load::request("GET", path, &[&authorization(&self.secret)], "")
    }

    fn headers(&self) -> [String; 2] {
        [authorization(&self.secret), "content-type: application/json".to_owned()]
    }
}

pub(super) fn authorization(secret: &str) -> String {
    format!("authorization: Bearer {secret}")
}
