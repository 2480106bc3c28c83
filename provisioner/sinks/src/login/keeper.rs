//! A login in use: read when it is first needed, and once more when it was refused.

use std::fmt;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::io::AsyncReadExt;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::Login;
use crate::aws_secrets_manager;
use crate::error::SinkError;

/// The longest login, in bytes.
const LONGEST: usize = 64 * 1024;
/// How long a command may take.
const COMMAND_WITHIN: Duration = Duration::from_mins(1);

/// A login that is read when it is first needed, and once more when it was refused.
pub struct Keeper {
    from: Login,
    read: Mutex<Option<Zeroizing<String>>>,
}

impl fmt::Debug for Keeper {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Keeper").field("from", &self.source()).finish_non_exhaustive()
    }
}

impl Keeper {
    /// Nothing is read yet.
    pub fn new(from: Login) -> Self {
        Self { from, read: Mutex::new(None) }
    }

    /// The login.
    ///
    /// # Errors
    /// [`SinkError::Login`] when it is not where it should be.
    pub fn get(&self) -> BoxFuture<'_, Result<Zeroizing<String>, SinkError>> {
        Box::pin(self.kept_or_read())
    }

    async fn kept_or_read(&self) -> Result<Zeroizing<String>, SinkError> {
        let mut kept = self.read.lock().await;
        if kept.is_none() {
            *kept = Some(read(&self.from).await?);
        }
        Ok(kept.clone().unwrap_or_default())
    }

    /// The login as it is now, where that is another than the one that was refused: a file or a command may have a
    /// fresh one.
    ///
    /// # Errors
    /// [`SinkError::Login`] when it is not where it should be.
    pub async fn refresh_after_refusal(&self, refused: &str) -> Result<Option<Zeroizing<String>>, SinkError> {
        let mut kept = self.read.lock().await;
        if let Some(other) = kept.as_ref().filter(|kept| kept.as_str() != refused) {
            return Ok(Some(other.clone()));
        }
        let fresh = read(&self.from).await?;
        if fresh.as_str() == refused {
            return Ok(None);
        }
        *kept = Some(fresh.clone());
        Ok(Some(fresh))
    }

    /// Where it is read from, for messages: never the login itself.
    pub fn source(&self) -> String {
        self.from.source()
    }
}

fn read(login: &Login) -> BoxFuture<'_, Result<Zeroizing<String>, SinkError>> {
    Box::pin(read_anew(login))
}

async fn read_anew(login: &Login) -> Result<Zeroizing<String>, SinkError> {
    let found = match login {
        Login::Env { env } => std::env::var(env).ok().map(Zeroizing::new),
        Login::File { file } => Some(self::file(file.clone()).await?),
        Login::Command { command } => Some(self::command(command, COMMAND_WITHIN).await?),
        Login::Secret { secret } => Some(aws_secrets_manager::login(secret).await?),
    };
    let found = found.map(|text| Zeroizing::new(text.trim().to_owned())).filter(|text| !text.is_empty());
    let found = found.ok_or_else(|| missing(login, nothing(login)))?;
    // It becomes a header: a line break in it would be another one.
    if !found.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
        return Err(missing(
            login,
            "does not provide credentials: more than one line, or characters that are not printable ASCII",
        ));
    }
    Ok(found)
}

/// What is reported of a source that has no login at all, or only spaces.
fn nothing(login: &Login) -> &'static str {
    match login {
        Login::Env { .. } => "is unset or empty",
        Login::Command { .. } => "printed nothing",
        Login::File { .. } | Login::Secret { .. } => "is empty",
    }
}

fn missing(login: &Login, what: &str) -> SinkError {
    let hint = match login {
        Login::Env { env } => format!("set `{env}`, in CI from its secrets"),
        Login::File { .. } => "put the credentials there, readable only by you".to_owned(),
        Login::Command { .. } => "run it by hand and check what it prints".to_owned(),
        Login::Secret { .. } => "store the credentials there".to_owned(),
    };
    SinkError::Login { reason: format!("{} {what}", login.source()), hint }
}

async fn file(path: PathBuf) -> Result<Zeroizing<String>, SinkError> {
    let shown = Login::File { file: path.clone() };
    let read = tokio::task::spawn_blocking(move || crate::files::read(&path, LONGEST)).await;
    match read {
        Ok(Ok(found)) => match found {
            Some(contents) => match std::str::from_utf8(&contents.bytes) {
                Ok(text) => Ok(Zeroizing::new(text.to_owned())),
                Err(_) => Err(missing(&shown, "is not text")),
            },
            None => Err(missing(&shown, "does not exist")),
        },
        Ok(Err(error)) => Err(missing(&shown, &format!("cannot be read: {error}"))),
        Err(_) => Err(missing(&shown, "cannot be read")),
    }
}

/// Runs a command, without a shell, and takes what it prints. What it says on stderr goes to the user.
async fn command(words: &[String], within: Duration) -> Result<Zeroizing<String>, SinkError> {
    let shown = Login::Command { command: words.to_vec() };
    let Some((program, arguments)) = words.split_first() else { return Err(missing(&shown, "names no program")) };
    let run = async {
        let mut child = tokio::process::Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| missing(&shown, &format!("could not be started: {}", error.kind())))?;
        // With room to spare, so that it never moves and leaves a copy behind.
        let mut printed = Zeroizing::new(Vec::with_capacity(2 * LONGEST));
        if let Some(stdout) = child.stdout.take() {
            let read = stdout.take(LONGEST as u64 + 1).read_to_end(&mut printed).await;
            read.map_err(|error| missing(&shown, &format!("cannot be read: {}", error.kind())))?;
        }
        if printed.len() > LONGEST {
            return Err(missing(&shown, "printed too much"));
        }
        let status = child.wait().await.map_err(|error| missing(&shown, &format!("failed: {}", error.kind())))?;
        if !status.success() {
            return Err(missing(&shown, &format!("failed: {status}")));
        }
        let text = std::str::from_utf8(&printed).map_err(|_| missing(&shown, "did not print text"))?;
        Ok(Zeroizing::new(text.to_owned()))
    };
    tokio::time::timeout(within, run)
        .await
        .unwrap_or_else(|_| Err(missing(&shown, &format!("did not finish within {} s", within.as_secs()))))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const LOGIN: &str = "hunter2-of-the-vendor";

    fn file_with(folder: &Path, bytes: &[u8]) -> PathBuf {
        let path = folder.join("login");
        let mut file = std::fs::File::create(&path).unwrap();
        std::io::Write::write_all(&mut file, bytes).unwrap();
        path
    }

    fn sh(script: &str) -> Login {
        Login::Command { command: ["sh", "-c", script].map(str::to_owned).to_vec() }
    }

    /// The login, or everything that is said of why there is none.
    async fn kept(login: Login) -> Result<String, String> {
        let keeper = Keeper::new(login);
        let got = keeper.get().await;
        let shown = format!("{keeper:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
        match got {
            Ok(login) => Ok(login.as_str().to_owned()),
            Err(error) => {
                let said = format!("{error}; {}", error.hint().unwrap_or("no hint"));
                assert!(
                    matches!(error, SinkError::Login { .. }) && !format!("{said} {error:?}").contains("hunter2"),
                    "{said}"
                );
                Err(said)
            }
        }
    }

    #[tokio::test]
    async fn a_login_stands_in_the_environment() {
        // Cargo sets it for every test.
        let name = kept(Login::Env { env: "CARGO_PKG_NAME".to_owned() }).await;
        assert_eq!(name.as_deref(), Ok(env!("CARGO_PKG_NAME")));
        insta::assert_snapshot!(kept(Login::Env { env: "LATCHKEY_NO_SUCH_LOGIN".to_owned() }).await.unwrap_err(), @"the environment variable `LATCHKEY_NO_SUCH_LOGIN` is unset or empty; set `LATCHKEY_NO_SUCH_LOGIN`, in CI from its secrets");
    }

    #[tokio::test]
    async fn a_login_stands_in_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = file_with(folder.path(), format!("\n {LOGIN}\r\n").as_bytes());
        assert_eq!(kept(Login::File { file: path.clone() }).await.as_deref(), Ok(LOGIN));
        let long = format!("{LOGIN}{}", "x".repeat(LONGEST));
        let two = format!("{LOGIN}\nX-Other: {LOGIN}");
        let control = format!("{LOGIN}\u{7f}");
        for bad in [
            &b""[..],
            b" \n",
            two.as_bytes(),
            control.as_bytes(),
            long.as_bytes(),
            "hunter2-ü".as_bytes(),
            b"hunter2\xff",
        ] {
            file_with(folder.path(), bad);
            let said = kept(Login::File { file: path.clone() }).await.unwrap_err();
            assert!(said.contains("the file `") && said.contains("readable only by you"), "{said}");
            let is_empty = bad.trim_ascii().is_empty();
            assert_eq!(said.contains("` is empty;"), is_empty, "{said}");
        }
        for bad in [folder.path().join("none"), folder.path().to_owned()] {
            assert!(kept(Login::File { file: bad }).await.is_err());
        }
    }

    #[tokio::test]
    async fn a_login_is_what_a_command_prints_and_nothing_of_it_is_told_when_it_fails() {
        assert_eq!(kept(sh(&format!("echo {LOGIN}"))).await.as_deref(), Ok(LOGIN));
        let told = |login| async { kept(login).await.unwrap_err() };
        insta::assert_snapshot!(told(sh(&format!("echo {LOGIN}; exit 3"))).await, @"the command `sh` failed: exit status: 3; run it by hand and check what it prints");
        insta::assert_snapshot!(told(sh(&format!("printf '{LOGIN}\\n{LOGIN}'"))).await, @"the command `sh` does not provide credentials: more than one line, or characters that are not printable ASCII; run it by hand and check what it prints");
        insta::assert_snapshot!(told(sh("true")).await, @"the command `sh` printed nothing; run it by hand and check what it prints");
        insta::assert_snapshot!(told(sh("printf 'hunter2\\377'")).await, @"the command `sh` did not print text; run it by hand and check what it prints");
        insta::assert_snapshot!(told(sh("yes hunter2")).await, @"the command `sh` printed too much; run it by hand and check what it prints");
        let none = Login::Command { command: vec!["/no/such/program".to_owned(), LOGIN.to_owned()] };
        insta::assert_snapshot!(told(none).await, @"the command `/no/such/program` could not be started: entity not found; run it by hand and check what it prints");
    }

    #[tokio::test]
    async fn a_command_that_hangs_is_given_up() {
        let words = ["sh", "-c", "echo hunter2; exec sleep 600"].map(str::to_owned);
        let error = command(&words, Duration::from_millis(200)).await.unwrap_err();
        assert!(error.to_string().contains("did not finish within"), "{error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }

    #[tokio::test]
    async fn a_login_that_was_refused_is_read_again_where_it_stands() {
        let folder = tempfile::tempdir().unwrap();
        let path = file_with(folder.path(), b"old");
        let keeper = Keeper::new(Login::File { file: path });
        assert_eq!(keeper.get().await.unwrap().as_str(), "old");
        assert!(keeper.refresh_after_refusal("old").await.unwrap().is_none(), "it is the same one");
        file_with(folder.path(), b"new");
        assert_eq!(keeper.get().await.unwrap().as_str(), "old", "it is read once");
        assert_eq!(keeper.refresh_after_refusal("old").await.unwrap().unwrap().as_str(), "new");
        assert_eq!(
            keeper.refresh_after_refusal("old").await.unwrap().unwrap().as_str(),
            "new",
            "another task has read it already"
        );
        assert_eq!(keeper.get().await.unwrap().as_str(), "new");
    }
}
