//! Logins: which token is sent to which server, and where it comes from. A server gets a token that somebody named it for,
//! in the environment, on the command line or by a login; one that only a manifest names gets none.

mod environment;
mod expiring;
mod folders;
mod index;
mod keep;
mod server;

use latchkey::name::UserName;
use latchkey::secret::{Secret, SecretError};
use zeroize::Zeroizing;

use crate::manifest::NamedBy;
use latchkey_sinks::files::FileError;
use latchkey_sinks::keyring::KeyringError;
use latchkey_sinks::transport::{Address, AddressError};

pub(crate) use environment::{TOKEN, URL, names_service, server as environment_server};
pub(crate) use expiring::{SOON, is_first_today};
pub(crate) use index::{Index, Known, change, read};
pub(crate) use keep::{Entry, Keep, file_of};
pub(crate) use server::Server;

/// A token for a server, and where it comes from.
pub(crate) struct Login {
    pub(crate) secret: Secret,
    pub(crate) source: Source,
}

/// Where a login comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    Environment,
    /// `provision login` stored it, for this account.
    Stored(Keep, UserName),
}

impl Source {
    /// In a sentence: `the token in ..`.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Environment => format!("the token in `{TOKEN}`"),
            Self::Stored(keep, account) => format!("the token of `{account}` in {}", keep.words()),
        }
    }
}

/// Why there is no token for a server.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoginError {
    /// Nobody gave one.
    #[error("no token is set for `{0}`")]
    None(Address),
    /// There is one in the environment, and nobody said which server it is for.
    #[error("refusing to send your token to `{0}`: `{URL}` is not set")]
    Unnamed(Address),
    /// The one in the environment is for another server.
    #[error("refusing to send your token to `{address}`: it is not the server in `{URL}`, which is `{}`", .named.address())]
    Elsewhere { address: Address, named: Server },
    /// Which server the one in the environment is for cannot be read.
    #[error("`{URL}` is not the address of a server")]
    BadUrl(AddressError),
    /// What the environment contains is none.
    #[error("`{TOKEN}` is not a Latchkey token ({0})")]
    NotAToken(SecretError),
    /// The login is known and its token is gone.
    #[error("the token of `{account}` for `{server}` is no longer in {}", .keep.words())]
    Gone { server: Server, account: UserName, keep: Keep },
    /// What was stored is no token of Latchkey.
    #[error("the token of `{account}` for `{server}` in {} is not a Latchkey token", .keep.words())]
    Foreign { server: Server, account: UserName, keep: Keep },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why logins could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    #[error(transparent)]
    File(#[from] FileError),
    /// Neither `HOME` nor a folder for settings is known.
    #[error("there is no folder for settings: `HOME` is not set to an absolute path")]
    NoFolder,
    /// The list of logins is none.
    #[error("`{0}` cannot be read as the list of logins")]
    Broken(String),
    /// Others of this machine can read a token.
    #[error("the token in `{path}` was not used: its mode is {mode:04o}, so others can read it")]
    Open { path: String, mode: u32 },
}

impl StoreError {
    /// What to do.
    pub(crate) fn hint(&self) -> String {
        match self {
            Self::Keyring(KeyringError::NoBus) => format!(
                "run in a desktop session, or set `{TOKEN}` and `{URL}`; without a desktop `dbus-run-session` with an \
                 unlocked `gnome-keyring-daemon` works too, and `provision login --insecure-storage` stores the token in \
                 a file, unencrypted"
            ),
            Self::Keyring(KeyringError::Unsupported) => format!(
                "set `{TOKEN}` and `{URL}`, or pass `--insecure-storage` to store the token in a file, unencrypted"
            ),
            Self::Keyring(KeyringError::Otherwise(_)) => "inspect the entry with the keyring's own program".to_owned(),
            Self::Keyring(error @ (KeyringError::NoService | KeyringError::NoDefault | KeyringError::Locked)) => {
                format!(
                    "{}; or set `{TOKEN}` and `{URL}`; `provision login --insecure-storage` stores the token in a file, \
                 unencrypted",
                    error.hint().unwrap_or_default()
                )
            }
            Self::Keyring(error) => error.hint().unwrap_or("check the keyring's own program, and try again").to_owned(),
            Self::File(error) => error.hint().to_owned(),
            Self::NoFolder => "set `HOME` or `XDG_CONFIG_HOME`".to_owned(),
            Self::Broken(path) => {
                format!(
                    "delete `{path}` and log in again: `provision login --server HOST`; the tokens themselves stay stored, in \
                     the keyring under `latchkey:HOST` or beside that file in files `*.token`: delete those too, or revoke \
                     the tokens"
                )
            }
            Self::Open { path, .. } => {
                format!("if nobody else has read it, run `chmod 600 {path}`; otherwise revoke that token")
            }
        }
    }
}

/// The token for a server: of the environment if that is for this server, else that of a login.
pub(crate) async fn login(address: &Address, by: NamedBy) -> Result<Login, LoginError> {
    if let Some(text) = environment::token()
        && environment_is_for(address, by)?
    {
        let secret = Secret::parse(text.trim()).map_err(LoginError::NotAToken)?;
        return Ok(Login { secret, source: Source::Environment });
    }
    let server = Server::of(address);
    let Some((account, known)) = read()?.active(&server) else {
        return Err(LoginError::None(address.clone()));
    };
    let keep = known.kept;
    let entry = Entry::new(server, account);
    let found = keep.get(&entry).await?;
    let Entry { server, account } = entry;
    let Some(found) = found else { return Err(LoginError::Gone { server, account, keep }) };
    let text = std::str::from_utf8(&found).unwrap_or_default();
    let secret =
        Secret::parse(text.trim()).map_err(|_| LoginError::Foreign { server, account: account.clone(), keep })?;
    Ok(Login { secret, source: Source::Stored(keep, account) })
}

/// Whether the environment's token goes to this server. Where it is for another one or for nobody, and nobody logged in to
/// this one, it is an error: whoever set it meant something else.
fn environment_is_for(address: &Address, by: NamedBy) -> Result<bool, LoginError> {
    let named = environment_server().map_err(LoginError::BadUrl)?;
    // What was typed for this run names the server too; a manifest may be anybody's.
    if named.as_ref().map_or(by == NamedBy::Person, |named| named.address() == address) {
        return Ok(true);
    }
    if is_logged_in(address)? {
        return Ok(false);
    }
    Err(untrusted(address, named))
}

fn is_logged_in(address: &Address) -> Result<bool, StoreError> {
    Ok(read()?.active(&Server::of(address)).is_some())
}

fn untrusted(address: &Address, named: Option<Server>) -> LoginError {
    let address = address.clone();
    match named {
        None => LoginError::Unnamed(address),
        Some(named) => LoginError::Elsewhere { address, named },
    }
}

/// Whether a secret that somebody presents may be sent to this server to be verified: it is one that a person named, now
/// or by a login.
pub(crate) fn demand_trust(address: &Address, by: NamedBy) -> Result<(), LoginError> {
    if by != NamedBy::Manifest || is_logged_in(address)? {
        return Ok(());
    }
    match environment_server().map_err(LoginError::BadUrl)? {
        Some(named) if named.address() == address => Ok(()),
        named => Err(untrusted(address, named)),
    }
}

/// Whether the environment has a token, whichever server it is for.
pub(crate) fn environment_has_token() -> bool {
    environment::token().is_some()
}

/// A value of a login on its way.
type Kept = Zeroizing<Vec<u8>>;
