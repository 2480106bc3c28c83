//! `provision bootstrap`: the first admin, and the way back for a lost one.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use latchkey::clock::{Clock as _, SystemClock};
use latchkey::service::{BootstrapError, Bootstrapped};
use latchkey::token::TokenKey;
use serde_json::json;

use super::arguments::Bootstrap;
use super::clock;
use super::exit::{Code, Fault};
use super::open::{self, IfMissing};
use super::when;
use crate::manifest::ServiceAddress;
use crate::output::{Format, Printer};
use crate::plan::expiry;
use latchkey_sinks::files::FileError;

/// Creates the first admin token, or another one.
pub(super) async fn run(printer: Printer, service: Option<&str>, arguments: &Bootstrap) -> Result<Code, Fault> {
    let address = open::nearest_address(service)?;
    if let ServiceAddress::Url { url, .. } = &address {
        return Err(Fault::new(format!("cannot create an admin through a server: `{url}`"))
            .hint("pass the table itself: `--service table:NAME` or `--service embedded:FILE`"));
    }
    let now = SystemClock.now();
    let expires = arguments.expires_at.as_deref().map(|text| when::until(text, now)).transpose()?;
    let client = open::client(&address, IfMissing::Create).await?;
    clock::accept(printer, &client, &arguments.clock).await?;
    let user = open::name_of(&client, &arguments.user)?;
    let key = TokenKey::new(user, arguments.token.clone());
    let Some((service, caller)) = client.operated() else {
        return Err(Fault::new("this needs the table of the service, not a server"));
    };
    if let Some(behind) = client.protocol().clock_behind().await? {
        return Err(clock::fault(behind));
    }
    // Before anything is created, so that no secret gets lost for want of a place.
    let file = arguments.out.as_deref().map(create).transpose()?;
    let made = service.bootstrap(caller, &key, expires, arguments.replace).await;
    let made = made.map_err(|error| {
        if let Some(path) = &arguments.out {
            let _ = std::fs::remove_file(path);
        }
        fault(error)
    })?;
    let lost = |error: std::io::Error| {
        Fault::new(format!("the token was created, but its secret could not be written: {error}"))
            .hint("nobody has the secret: `provision bootstrap --replace` creates another token and revokes this one")
    };
    show(printer, &made, file, arguments.out.as_deref()).map_err(lost)?;
    let expires = made.token.ends_at().map_or_else(|| "never".to_owned(), expiry);
    let ended = if made.unended.is_some() { "is still valid" } else { "is revoked" };
    let former = made.replaced.as_ref().map(|id| format!("; the former token `{id}` {ended}")).unwrap_or_default();
    printer.talk(&format!("Created `{key}` with all permissions; it expires {expires}{former}"));
    if arguments.out.is_none() {
        printer.talk("The secret is shown only once: store it now");
    }
    if let Some(why) = &made.unended {
        printer.talk(&format!("The former token could not be revoked, delete it with `provision token delete`: {why}"));
        return Ok(Code::Partly);
    }
    Ok(Code::Done)
}

fn create(path: &Path) -> Result<File, Fault> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(|error| {
        if error.kind() == std::io::ErrorKind::AlreadyExists {
            let words = format!("`{}` exists already, and is left as it is", path.display());
            return Fault::new(words).hint("nothing was created; pass a file that does not exist yet");
        }
        Fault::new(FileError::from_io("write", path, &error).to_string()).hint("nothing was created")
    })
}

fn show(printer: Printer, made: &Bootstrapped, file: Option<File>, path: Option<&Path>) -> std::io::Result<()> {
    let secret = made.secret.expose();
    if let Some(mut file) = file {
        writeln!(file, "{secret}")?;
        file.sync_all()?;
    }
    let token = &made.token;
    if printer.format == Format::Json {
        let mut value = json!({
            "user": token.user, "name": token.name, "id": token.id, "expires": token.ends_at(),
            "replaced": made.replaced,
        });
        match path {
            Some(path) => value["file"] = json!(path),
            None => value["secret"] = json!(secret),
        }
        return printer.secret_json(&value);
    }
    match path {
        Some(path) => printer.result(&format!("Wrote the secret to `{}`", path.display())),
        None => printer.secret(secret),
    }
}

fn fault(error: BootstrapError) -> Fault {
    let hint = match &error {
        BootstrapError::Done { .. } => {
            "if its secret is lost or has expired, `provision bootstrap --replace` creates another token and revokes \
             that one"
        }
        BootstrapError::Raced => "whoever was first has the secret",
        BootstrapError::Former(_) => "delete it by hand: `provision token list`, then `provision token delete`",
        BootstrapError::Table(_) => {
            "nobody has the secret; try again, with `--replace` if the admin turns out to exist"
        }
        _ => "nothing was created",
    };
    Fault::new(error.to_string()).hint(hint)
}
