//! Logins: what a sink is reached with, from where the manifest says that it stands.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::SinkError;
use crate::manifest::Login;

/// The longest login, in bytes.
const LONGEST: usize = 64 * 1024;
/// How long a command may take.
const COMMAND_WITHIN: Duration = Duration::from_mins(1);

/// A login that is read when it is first needed, and once more when it was refused.
#[derive(Debug)]
pub struct Keeper {
    from: Login,
    read: Mutex<Option<Zeroizing<String>>>,
}

impl Keeper {
    /// Nothing is read yet.
    #[must_use]
    pub fn new(from: Login) -> Self {
        Self { from, read: Mutex::new(None) }
    }

    /// The login.
    ///
    /// # Errors
    /// [`SinkError::Login`] when it is not where it should be.
    pub async fn get(&self) -> Result<Zeroizing<String>, SinkError> {
        let mut kept = self.read.lock().await;
        if kept.is_none() {
            *kept = Some(read(&self.from).await?);
        }
        Ok(kept.clone().unwrap_or_default())
    }

    /// The login as it stands now, where that is another than the one that was refused: a file or a command may have a
    /// fresh one.
    ///
    /// # Errors
    /// [`SinkError::Login`] when it is not where it should be.
    pub async fn again(&self, refused: &str) -> Result<Option<Zeroizing<String>>, SinkError> {
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
    #[must_use]
    pub fn source(&self) -> String {
        source(&self.from)
    }
}

/// Where a login is read from, for messages.
#[must_use]
pub fn source(login: &Login) -> String {
    match login {
        Login::Env(name) => format!("the environment variable `{name}`"),
        Login::File(path) => format!("the file `{}`", path.display()),
        Login::Command(words) => format!("the command `{}`", words.first().map_or("", String::as_str)),
        Login::Secret(name) => format!("the secret `{name}` in Secrets Manager"),
    }
}

async fn read(login: &Login) -> Result<Zeroizing<String>, SinkError> {
    let found = match login {
        Login::Env(name) => std::env::var(name).ok().map(Zeroizing::new),
        Login::File(path) => file(path.clone()).await?,
        Login::Command(words) => Some(command(words).await?),
        Login::Secret(name) => Some(super::aws_secrets_manager::login(name).await?),
    };
    let found = found.map(|text| Zeroizing::new(text.trim().to_owned())).filter(|text| !text.is_empty());
    let found = found.ok_or_else(|| missing(login, "is not set, or empty"))?;
    // It becomes a header: a line break in it would be another one.
    if !found.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
        return Err(missing(login, "does not hold a login: it has more than one line, or strange characters"));
    }
    Ok(found)
}

fn missing(login: &Login, what: &str) -> SinkError {
    let hint = match login {
        Login::Env(name) => format!("set `{name}`, in CI from its secrets"),
        Login::File(_) => "put the login there, readable by you alone".to_owned(),
        Login::Command(_) => "run it by hand and see what it prints".to_owned(),
        Login::Secret(_) => "store the login there".to_owned(),
    };
    SinkError::Login { reason: format!("{} {what}", source(login)), hint }
}

async fn file(path: PathBuf) -> Result<Option<Zeroizing<String>>, SinkError> {
    let shown = Login::File(path.clone());
    let read = tokio::task::spawn_blocking(move || crate::files::read(&path, LONGEST)).await;
    match read {
        Ok(Ok(found)) => match found {
            Some(contents) => match std::str::from_utf8(&contents.bytes) {
                Ok(text) => Ok(Some(Zeroizing::new(text.to_owned()))),
                Err(_) => Err(missing(&shown, "is not text")),
            },
            None => Ok(None),
        },
        Ok(Err(error)) => Err(missing(&shown, &format!("cannot be read: {error}"))),
        Err(_) => Err(missing(&shown, "cannot be read")),
    }
}

/// Runs a command, without a shell, and takes what it prints. What it says on stderr goes to the user.
async fn command(words: &[String]) -> Result<Zeroizing<String>, SinkError> {
    let shown = Login::Command(words.to_vec());
    let Some((program, arguments)) = words.split_first() else { return Err(missing(&shown, "names no program")) };
    let run = async {
        let mut child = tokio::process::Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| missing(&shown, &format!("does not start: {}", error.kind())))?;
        let mut printed = Zeroizing::new(Vec::with_capacity(LONGEST));
        if let Some(stdout) = child.stdout.take() {
            let read = stdout.take(LONGEST as u64 + 1).read_to_end(&mut printed).await;
            read.map_err(|error| missing(&shown, &format!("cannot be read: {}", error.kind())))?;
        }
        if printed.len() > LONGEST {
            return Err(missing(&shown, "prints too much for a login"));
        }
        let status = child.wait().await.map_err(|error| missing(&shown, &format!("failed: {}", error.kind())))?;
        if !status.success() {
            return Err(missing(&shown, &format!("failed: {status}")));
        }
        let text = std::str::from_utf8(&printed).map_err(|_| missing(&shown, "prints no text"))?;
        Ok(Zeroizing::new(text.to_owned()))
    };
    tokio::time::timeout(COMMAND_WITHIN, run)
        .await
        .unwrap_or_else(|_| Err(missing(&shown, &format!("did not end within {} s", COMMAND_WITHIN.as_secs()))))
}
