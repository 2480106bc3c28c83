//! Signing in and out.

use clap::Args;
use latchkey::name::UserName;

use super::{Form, SAFETY};

#[derive(Debug, Args)]
pub(in crate::commands) struct Login {
    /// Server: `HOST`, `HOST:PORT` or a URL [default: `LATCHKEY_URL`, else the one in the nearest `tokens.toml`, after asking]
    #[arg(long, value_name = "SERVER")]
    pub(in crate::commands) server: Option<String>,
    /// Read the token from stdin instead of asking for it
    #[arg(long)]
    pub(in crate::commands) with_token: bool,
    /// Name to store the login under [default: the user that the token belongs to]
    #[arg(long, value_name = "NAME")]
    pub(in crate::commands) account: Option<UserName>,
    /// Store the token unencrypted, in a file with mode 0600, instead of in the system's keyring
    #[arg(long, help_heading = SAFETY)]
    pub(in crate::commands) insecure_storage: bool,
    #[command(flatten)]
    pub(in crate::commands) form: Form,
}

#[derive(Debug, Args)]
pub(in crate::commands) struct Logout {
    /// Server to log out of [default: `LATCHKEY_URL`, else the one in the nearest `tokens.toml`, else the one in use]
    #[arg(long, value_name = "SERVER")]
    pub(in crate::commands) server: Option<String>,
    /// Account to log out [default: the one in use]
    #[arg(long, value_name = "NAME")]
    pub(in crate::commands) account: Option<UserName>,
    /// Revoke the token too, so that no copy of it is valid
    #[arg(long, help_heading = SAFETY)]
    pub(in crate::commands) revoke: bool,
    /// Drop the login from the list only, where its keyring is gone: the token is neither removed nor revoked
    #[arg(long, conflicts_with = "revoke", help_heading = SAFETY)]
    pub(in crate::commands) forget: bool,
    /// Log out without asking for confirmation
    #[arg(long, short = 'y', help_heading = SAFETY)]
    pub(in crate::commands) yes: bool,
    #[command(flatten)]
    pub(in crate::commands) form: Form,
}

#[derive(Debug, Args)]
pub(in crate::commands) struct Switch {
    /// Account to use [default: the other one, where there are two]
    pub(in crate::commands) account: Option<UserName>,
    /// Server to use it for [default: `LATCHKEY_URL`, else the one in the nearest `tokens.toml`, else the one in use]
    #[arg(long, value_name = "SERVER")]
    pub(in crate::commands) server: Option<String>,
    #[command(flatten)]
    pub(in crate::commands) form: Form,
}
