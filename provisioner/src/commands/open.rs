//! Finding manifest and service.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use latchkey::clock::SystemClock;
use latchkey::entropy::SystemEntropy;
use latchkey::name::UserName;
use latchkey::service::Service;

use super::arguments::Allow;
use super::exit::{Code, Fault};
use crate::embedded::{self, EmbeddedError};
use crate::files::FileError;
use crate::manifest::{self, Allowances, Fault as ManifestFault, LoadError, Manifest, ServiceAddress};
use crate::output::{Format, Printer};
use crate::service::Client;

/// Loads a manifest, prints its warnings, and on faults prints them all.
pub(super) fn load(printer: Printer, path: &Path, allow: &Allow) -> Result<Manifest, Fault> {
    let allowances = Allowances { hosts: allow.allow_host.clone(), outside: allow.allow_outside };
    match manifest::load(path, &allowances) {
        Ok((manifest, warnings)) => {
            let leaving = if allow.allow_outside { Vec::new() } else { manifest::leaving(&manifest) };
            if !leaving.is_empty() {
                return Err(refuse(printer, &manifest, &leaving));
            }
            show_warnings(printer, &manifest, &warnings);
            Ok(manifest)
        }
        Err(LoadError::Faults(faults)) => {
            printer.talk(faults.render(printer.colour()).trim_end());
            let count = faults.errors();
            let plural = if count == 1 { "" } else { "s" };
            Err(Fault::new(format!("`{}` has {count} error{plural}, nothing was done", path.display())))
        }
        Err(error) => {
            let hint = error.hint();
            let fault = Fault::new(error.to_string());
            Err(match hint {
                Some(hint) => fault.hint(hint),
                None => fault,
            })
        }
    }
}

fn show_warnings(printer: Printer, manifest: &Manifest, warnings: &[ManifestFault]) {
    if !warnings.is_empty() && printer.format == Format::Text {
        let path = manifest.path.display().to_string();
        let text = manifest::snippet::render(warnings, &path, &manifest.text, printer.colour());
        printer.talk(text.trim_end());
    }
}

/// Faults of a manifest that only the service knows of, shown like its own.
pub(super) fn refuse(printer: Printer, manifest: &Manifest, faults: &[ManifestFault]) -> Fault {
    let path = manifest.path.display().to_string();
    let text = manifest::snippet::render(faults, &path, &manifest.text, printer.colour());
    printer.talk(text.trim_end());
    let plural = if faults.len() == 1 { "" } else { "s" };
    Fault::new(format!("`{path}` has {} error{plural}, nothing was changed", faults.len()))
}

/// Where the service is: the flag, else what the manifest says.
pub(super) fn address(flag: Option<&str>, manifest: Option<&Manifest>) -> Result<ServiceAddress, Fault> {
    if let Some(flag) = flag {
        return parse_address(flag);
    }
    manifest.and_then(|manifest| manifest.service.clone()).ok_or_else(|| {
        Fault::new("no service is named").hint(
            "add `[service]` with `embedded = \"latchkey.db\"` to the manifest, or say `--service embedded:latchkey.db`",
        )
    })
}

fn parse_address(text: &str) -> Result<ServiceAddress, Fault> {
    if let Some(path) = text.strip_prefix("embedded:") {
        return Ok(ServiceAddress::Embedded(PathBuf::from(path)));
    }
    if let Some(name) = text.strip_prefix("table:") {
        return Ok(ServiceAddress::Table { name: name.to_owned(), region: None, endpoint: None });
    }
    if text.starts_with("https://") || text.starts_with("http://") {
        return Ok(ServiceAddress::Url(text.to_owned()));
    }
    Err(Fault::new(format!("`{text}` is not the address of a service")).hint("write `embedded:FILE`"))
}

/// What a command does where there is no embedded table yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Absent {
    /// Makes it.
    Make,
    /// Goes by an empty one, and leaves no file behind.
    Pretend,
    /// Says so: what it looks for is in another file, if anywhere.
    Refuse,
}

/// The service for commands that work without a manifest: the flag, else the nearest `tokens.toml`.
pub(super) async fn nearest(flag: Option<&str>, absent: Absent) -> Result<Client, Fault> {
    if flag.is_some() {
        return client(&address(flag, None)?, absent).await;
    }
    let here = std::env::current_dir().map_err(|error| Fault::new(format!("cannot tell this folder: {error}")))?;
    let found = here.ancestors().map(|folder| folder.join("tokens.toml")).find(|path| is_trusted(path));
    let path = found.ok_or_else(|| {
        Fault::new("no service: there is no `tokens.toml` in this folder or above it")
            .hint("`provision init` writes one, or name the service: `--service embedded:latchkey.db`")
    })?;
    let allow = Allow { allow_host: Vec::new(), allow_outside: false };
    // Its warnings are for `check`, not for every command that only needs the service.
    let manifest = load(Printer { format: Format::Json }, &path, &allow)
        .map_err(|fault| fault.hint("mend it, or name the service: `--service embedded:FILE`"))?;
    client(&address(None, Some(&manifest))?, absent).await
}

/// Whether a file that was come upon, not named, is one to follow: it belongs to this user or to the system's. In a
/// folder that many can write to, anybody could put one.
fn is_trusted(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let mine = nix::unistd::getuid().as_raw();
    std::fs::metadata(path).is_ok_and(|found| found.is_file() && (found.uid() == mine || found.uid() == 0))
}

/// Opens the service at an address, as its operator.
pub(super) async fn client(address: &ServiceAddress, absent: Absent) -> Result<Client, Fault> {
    let path = match address {
        ServiceAddress::Embedded(path) => path,
        ServiceAddress::Table { .. } | ServiceAddress::Url(_) => {
            return Err(Fault::new("this version works on an embedded table only")
                .hint("write `embedded = \"latchkey.db\"` under `[service]`, or say `--service embedded:FILE`"));
        }
    };
    let missing = std::fs::metadata(path).is_err_and(|error| error.kind() == ErrorKind::NotFound);
    let table = match absent {
        Absent::Refuse if missing => {
            return Err(Fault::new(format!("there is no table `{}`", path.display())).hint(
                "`provision apply` makes it, and so does `provision token set NAME`; if it should be there, check the path",
            ));
        }
        Absent::Pretend if missing => embedded::memory().await,
        _ => embedded::open(path).await,
    };
    let table = table.map_err(|error| match error {
        EmbeddedError::File { path, source } => {
            let error = match source.kind() {
                ErrorKind::InvalidInput => FileError::NotRegular { path },
                _ => FileError::of("open", &path, &source),
            };
            Fault::new(error.to_string()).hint(error.hint())
        }
        error => Fault::new(error.to_string())
            .hint("check the file, its folder's rights and the space on its disk; it is as it was"),
    })?;
    let service = Service::open(table, Arc::new(SystemClock), Arc::new(SystemEntropy)).await;
    let service = service.map_err(|error| Fault::new(error.to_string()).code(Code::Error))?;
    Ok(Client::operator(service, &operator()))
}

/// The OS user's name, as far as it can be told.
pub(super) fn operator() -> String {
    let user = nix::unistd::User::from_uid(nix::unistd::getuid()).ok().flatten();
    user.map_or_else(|| format!("uid-{}", nix::unistd::getuid()), |user| user.name)
}

/// The user that `--user` names; `me` is the OS user, made a person on first use.
pub(super) async fn user(client: &Client, wanted: &str) -> Result<UserName, Fault> {
    if wanted == "me" {
        let name: UserName = operator().to_ascii_lowercase().parse().map_err(|_| {
            Fault::new(format!("your login `{}` cannot be a user's name", operator())).hint("say `--user NAME`")
        })?;
        client.service().ensure_person(client.caller(), &name).await.map_err(|error| Fault::new(error.to_string()))?;
        return Ok(name);
    }
    let name: UserName =
        wanted.parse().map_err(|_| Fault::new(format!("`{wanted}` cannot be a user's name")).hint(UserName::RULE))?;
    let found = client.service().user(&name).await.map_err(|error| Fault::new(error.to_string()))?;
    if found.is_some() {
        return Ok(name);
    }
    let users = client.service().list_users().await.map_err(|error| Fault::new(error.to_string()))?;
    let near = users
        .iter()
        .map(|user| (strsim::damerau_levenshtein(user.name.as_str(), name.as_str()), user))
        .filter(|(distance, _)| *distance <= 1 + name.as_str().len() / 5)
        .min_by_key(|(distance, _)| *distance);
    let hint = near.map_or_else(
        || format!("make it with `provision user set {name}`, or see `provision user list`"),
        |(_, user)| format!("did you mean `{}`?", user.name),
    );
    Err(Fault::new(format!("there is no user `{name}`")).hint(hint))
}
