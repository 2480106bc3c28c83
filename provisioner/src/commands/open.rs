//! Finding manifest and service.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::BoxFuture;
use latchkey::clock::SystemClock;
use latchkey::entropy::SystemEntropy;
use latchkey::name::UserName;
use latchkey::service::{Service, UserChange};
use latchkey::table::TableError;
use latchkey::table::sqlite::OpenError;

use super::arguments::Allow;
use super::exit::{Code, Fault};
use super::many::folded;
use super::server;
use crate::accounts;
use crate::dynamodb::{self, DynamoDbError};
use crate::embedded::{self, EmbeddedError};
use crate::manifest::{self, LoadError, Manifest, NamedBy, ReadError, ServiceAddress};
use crate::output::{Format, Printer, actions, markdown};
use crate::service::Client;
use latchkey_sinks::files::FileError;
use latchkey_sinks::plural::count;
use latchkey_sinks::reading::{Fault as ManifestFault, snippet};

/// What a manifest is called where nobody names one.
const MANIFEST: &str = "tokens.toml";

/// Whether it was told which manifest was found; one is told once.
static TOLD: AtomicBool = AtomicBool::new(false);

/// The manifest's file: the one that was named, else the nearest `tokens.toml`, in this folder or above it.
pub(super) fn manifest_file(named: Option<&Path>) -> PathBuf {
    let here = || PathBuf::from(MANIFEST);
    match named {
        Some(named) => named.to_owned(),
        None if here().symlink_metadata().is_ok() => here(),
        None => above(is_trusted).inspect(|found| tell_found(found)).unwrap_or_else(here),
    }
}

/// Shows which manifest is used where it is not in the current folder.
fn tell_found(path: &Path) {
    if !TOLD.swap(true, Ordering::Relaxed) {
        Printer { format: Format::Text }.talk(&format!("Using `{}`", path.display()));
    }
}

/// The nearest `tokens.toml` in a folder above this one, as a path from here.
pub(super) fn above(is_meant: impl Fn(&Path) -> bool) -> Option<PathBuf> {
    let here = std::env::current_dir().ok()?;
    let mut files = (1..here.ancestors().count()).map(|up| PathBuf::from("../".repeat(up)).join(MANIFEST));
    files.find(|path| is_meant(path))
}

/// Why a manifest was not loaded. Where nobody named it, what was looked for is told.
pub(super) fn not_loaded(error: &LoadError, named: Option<&Path>) -> Fault {
    if !matches!(error, LoadError::File(ReadError::Missing(_))) {
        let fault = Fault::new(error.to_string());
        return Fault { hint: error.hint().map(str::to_owned), ..fault };
    }
    let starter = "`provision init` writes a starter";
    let Some(named) = named else {
        let fault = Fault::new(format!("there is no manifest: no `{MANIFEST}` in this folder or above it"));
        let hint = match above(Path::is_file) {
            Some(other) => {
                let other = other.display();
                format!("`{other}` belongs to another user, so it was not read; pass it by name if you trust it")
            }
            None => format!("{starter}, or pass the file: `provision plan FILE`"),
        };
        return fault.hint(hint);
    };
    let fault = Fault::new(format!("no manifest at `{}`", named.display()));
    match above(is_trusted).filter(|_| named.file_name().is_some_and(|name| name == MANIFEST)) {
        Some(nearest) => fault.hint(format!("the nearest one is `{}`; {starter}", nearest.display())),
        None => fault.hint(starter),
    }
}

/// Loads a manifest, prints its warnings, and on faults prints them all.
pub(super) fn load(printer: Printer, named: Option<&Path>, allow: &Allow) -> Result<Manifest, Fault> {
    let path = &manifest_file(named);
    match manifest::load(path, &allow.allowances()) {
        Ok((manifest, warnings)) => {
            let leaving = if allow.allow_outside { Vec::new() } else { manifest::leaving(&manifest) };
            if !leaving.is_empty() {
                return Err(refuse(printer, &manifest, &leaving));
            }
            show_warnings(printer, &manifest, &warnings);
            Ok(manifest)
        }
        Err(LoadError::Faults(faults)) => {
            printer.rendered(faults.render(printer.colour()).trim_end());
            actions::faults(path, &faults.text, &faults.faults);
            page(printer, path, &faults.render(false));
            let errors = count(faults.errors(), "error");
            Err(Fault::new(format!("`{}` has {errors}, nothing was done", path.display())))
        }
        Err(error) => Err(not_loaded(&error, named)),
    }
}

/// Faults for a pull request, where that was asked for, and for the step's summary.
fn page(printer: Printer, path: &Path, rendered: &str) {
    let page = markdown::faults(&path.display().to_string(), rendered);
    actions::summarise(&page);
    if printer.format == Format::Markdown {
        // Without stdout there is stderr, which has it too.
        let _ = printer.block(&page);
    }
}

fn show_warnings(printer: Printer, manifest: &Manifest, warnings: &[ManifestFault]) {
    if !warnings.is_empty() && printer.format != Format::Json {
        let path = manifest.path.display().to_string();
        let (each, many) =
            if printer.lists_all() { (warnings.to_vec(), Vec::new()) } else { folded(warnings, manifest) };
        if !each.is_empty() {
            let text = snippet::render(&each, &path, &manifest.text, printer.colour());
            printer.rendered(text.trim_end());
        }
        for (message, hint) in many {
            printer.warning_with(&message, &hint);
        }
        actions::faults(&manifest.path, &manifest.text, warnings);
    }
}

/// Faults of a manifest that only the service knows of, shown like its own.
pub(super) fn refuse(printer: Printer, manifest: &Manifest, faults: &[ManifestFault]) -> Fault {
    let path = manifest.path.display().to_string();
    let text = snippet::render(faults, &path, &manifest.text, printer.colour());
    printer.rendered(text.trim_end());
    actions::faults(&manifest.path, &manifest.text, faults);
    page(printer, &manifest.path, &snippet::render(faults, &path, &manifest.text, false));
    Fault::new(format!("`{path}` has {}, nothing was changed", count(faults.len(), "error")))
}

/// Where the service is: the flag, else what the manifest sets, else the server in the environment.
pub(super) fn address(flag: Option<&str>, manifest: Option<&Manifest>) -> Result<ServiceAddress, Fault> {
    if let Some(flag) = flag {
        return parse_address(flag);
    }
    if let Some(address) = manifest.and_then(|manifest| manifest.service.clone()) {
        return Ok(address);
    }
    if let Some(address) = from_environment()? {
        return Ok(address);
    }
    let hint = match accounts::read().ok().and_then(|index| index.current()) {
        Some(server) => {
            let url = server.address();
            format!(
                "the server of the last login is not asked for a manifest: add `[service]` with `url = \"{url}\"` to it, or \
                 pass `--service {url}`"
            )
        }
        None => "add `[service]` with `embedded = \"latchkey.db\"` to the manifest, or pass `--service \
                 embedded:latchkey.db`"
            .to_owned(),
    };
    Err(Fault::new("no service is configured").hint(hint))
}

fn from_environment() -> Result<Option<ServiceAddress>, Fault> {
    let server = accounts::environment_server().map_err(server::bad_variable)?;
    Ok(server.map(|server| ServiceAddress::Url { url: server.address().to_string(), by: NamedBy::Person }))
}

/// An address as it is written on the command line.
pub(super) fn parse_address(text: &str) -> Result<ServiceAddress, Fault> {
    if let Some(path) = text.strip_prefix("embedded:") {
        return Ok(ServiceAddress::Embedded(PathBuf::from(path)));
    }
    if let Some(name) = text.strip_prefix("table:") {
        return Ok(ServiceAddress::Table { name: name.to_owned(), region: None, endpoint: None });
    }
    if text.starts_with("https://") || text.starts_with("http://") {
        return Ok(ServiceAddress::Url { url: text.to_owned(), by: NamedBy::Person });
    }
    Err(Fault::new(format!("`{text}` is not the address of a service"))
        .hint("write `embedded:FILE`, `table:NAME` or `https://..`"))
}

/// What a command does where there is no embedded table yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IfMissing {
    Create,
    /// Goes by an empty one, and leaves no file behind.
    UseEmpty,
    /// Fails: what it looks for is in another file, if anywhere.
    Fail,
}

/// The service for commands that work without a manifest.
pub(super) async fn nearest(flag: Option<&str>, absent: IfMissing) -> Result<Client, Fault> {
    client(&nearest_address(flag)?, absent).await
}

/// Where it is: the flag, else what the nearest `tokens.toml` sets, else the server in the environment, else the one that a
/// person logged in to.
pub(super) fn nearest_address(flag: Option<&str>) -> Result<ServiceAddress, Fault> {
    if flag.is_some() {
        return address(flag, None);
    }
    let manifest = nearest_manifest()?;
    if let Some(address) = manifest.as_ref().and_then(|manifest| manifest.service.clone()) {
        return Ok(address);
    }
    if let Some(address) = from_environment()? {
        return Ok(address);
    }
    if let Some(server) = accounts::read().map_err(server::no_store)?.current() {
        return Ok(ServiceAddress::Url { url: server.address().to_string(), by: NamedBy::Login });
    }
    if manifest.is_some() {
        return address(None, manifest.as_ref());
    }
    Err(Fault::new("no service is configured: there is no `tokens.toml` in this folder or above it").hint(
        "`provision init` writes one, `provision login --server HOST` logs in to a server, or pass `--service \
         embedded:latchkey.db`",
    ))
}

/// The manifest of this folder or above it, if there is one to follow.
pub(super) fn nearest_manifest() -> Result<Option<Manifest>, Fault> {
    let here =
        std::env::current_dir().map_err(|error| Fault::new(format!("cannot find out the current folder: {error}")))?;
    let found = here.ancestors().enumerate().find(|(_, folder)| is_trusted(&folder.join(MANIFEST)));
    let Some((up, folder)) = found else { return Ok(None) };
    if up > 0 {
        tell_found(&PathBuf::from("../".repeat(up)).join(MANIFEST));
    }
    let path = folder.join(MANIFEST);
    // Its warnings are for `check`, not for every command that only needs the service.
    let loaded = load(Printer { format: Format::Json }, Some(&path), &Allow::default());
    loaded.map(Some).map_err(|fault| {
        fault.hint("fix it, or pass the service: `--service embedded:FILE` or `--service https://HOST`")
    })
}

/// Whether a file that was come upon, not named, is one to follow: it belongs to this user or to the system's, and so
/// does the link that leads to it. In a folder that many can write to, anybody could put one.
fn is_trusted(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let mine = nix::unistd::getuid().as_raw();
    let is_ours = |found: &std::fs::Metadata| found.uid() == mine || found.uid() == 0;
    std::fs::metadata(path).is_ok_and(|found| found.is_file() && is_ours(&found))
        && std::fs::symlink_metadata(path).is_ok_and(|found| is_ours(&found))
}

/// Opens the service at an address: a table as its operator, a server with a token.
pub(super) fn client(address: &ServiceAddress, absent: IfMissing) -> BoxFuture<'_, Result<Client, Fault>> {
    // On the heap: nearly every command waits for it, and would contain it, compiled anew.
    Box::pin(opened(address, absent))
}

async fn opened(address: &ServiceAddress, absent: IfMissing) -> Result<Client, Fault> {
    let path = match address {
        ServiceAddress::Embedded(path) => path,
        ServiceAddress::Table { name, region, endpoint } => {
            return on_aws(name, region.as_deref(), endpoint.as_deref()).await;
        }
        ServiceAddress::Url { url, by } => return server::connect(url, *by).await,
    };
    let missing = std::fs::metadata(path).is_err_and(|error| error.kind() == ErrorKind::NotFound);
    let table = match absent {
        IfMissing::Fail if missing => {
            return Err(Fault::new(format!("the table `{}` does not exist", path.display())).hint(
                "`provision apply` and `provision token create NAME` create it; if it should exist, check the path",
            ));
        }
        IfMissing::UseEmpty if missing => embedded::memory(),
        _ => embedded::open(path),
    };
    let table = table.map_err(not_opened)?;
    let broken = |error: TableError| Fault::new(error.to_string()).code(Code::Error);
    let service = Service::open(table, Arc::new(SystemClock), Arc::new(SystemEntropy)).await.map_err(broken)?;
    let service = service.mistrusting_its_clock().await.map_err(broken)?;
    Ok(Client::operator(service, &operator()))
}

/// Why an embedded table was not opened.
pub(super) fn not_opened(error: EmbeddedError) -> Fault {
    match error {
        EmbeddedError::Open(OpenError::File { path, source }) => {
            let error = match source.kind() {
                ErrorKind::InvalidInput => FileError::NotRegular { path },
                _ => FileError::from_io("open", &path, &source),
            };
            Fault::new(error.to_string()).hint(error.hint())
        }
        error => {
            let hint = error.hint();
            Fault::new(error.to_string()).hint(hint)
        }
    }
}

/// The service on a table of AWS, as whoever is logged in there.
async fn on_aws(name: &str, region: Option<&str>, endpoint: Option<&str>) -> Result<Client, Fault> {
    let fault = |error: DynamoDbError| {
        let hint = error.hint().to_owned();
        Fault::new(error.to_string()).hint(hint)
    };
    let opened = dynamodb::open(name, region, endpoint).await.map_err(fault)?;
    let service = Service::open(opened.table.clone(), opened.clock.clone(), Arc::new(SystemEntropy)).await;
    // A clock that is wrong explains whatever else went wrong, a refused signature for one.
    opened.clock.check().map_err(fault)?;
    let service = service.map_err(|error| fault(DynamoDbError::Table(error)))?;
    let operator = opened.operator.unwrap_or_else(operator);
    Ok(Client::operator(service, &operator))
}

/// The OS user's name, as far as it is known.
pub(super) fn operator() -> String {
    let user = nix::unistd::User::from_uid(nix::unistd::getuid()).ok().flatten();
    user.map_or_else(|| format!("uid-{}", nix::unistd::getuid()), |user| user.name)
}

/// The name that `--user` gives, whether there is such a user or not.
pub(super) fn name_of(client: &Client, wanted: &str) -> Result<UserName, Fault> {
    if wanted != "me" {
        return wanted
            .parse()
            .map_err(|_| Fault::new(format!("`{wanted}` cannot be a user's name")).hint(UserName::RULE));
    }
    if let Some(me) = client.me() {
        return Ok(me.clone());
    }
    operator().to_ascii_lowercase().parse().map_err(|_| {
        Fault::new(format!("your login name `{}` cannot be a user's name", operator())).hint("pass `--user NAME`")
    })
}

/// The user that `--user` names. `me` is the user of the token in hand, or the OS user, who becomes a person on first
/// use.
pub(super) fn user<'a>(client: &'a Client, wanted: &'a str) -> BoxFuture<'a, Result<UserName, Fault>> {
    Box::pin(user_named(client, wanted))
}

async fn user_named(client: &Client, wanted: &str) -> Result<UserName, Fault> {
    if let (Some(me), "me") = (client.me(), wanted) {
        return Ok(me.clone());
    }
    let name = name_of(client, wanted)?;
    if wanted == "me" {
        if client.user(&name).await?.is_none() {
            client.put_user(&name, &UserChange::default()).await?;
        }
        return Ok(name);
    }
    // A token may be allowed to see a user's tokens and not the user: then the server answers what it asks for.
    if client.me().is_some() || client.user(&name).await?.is_some() {
        return Ok(name);
    }
    Err(no_such_user(client, &name).await?)
}

/// That there is no such user, and who may be meant.
pub(super) async fn no_such_user(client: &Client, name: &UserName) -> Result<Fault, Fault> {
    let users = client.all_users().await?;
    let near = users
        .iter()
        .map(|user| (strsim::damerau_levenshtein(user.name.as_str(), name.as_str()), user))
        .filter(|(distance, _)| *distance <= 1 + name.as_str().len() / 5)
        .min_by_key(|(distance, _)| *distance);
    let hint = near.map_or_else(
        || format!("create it with `provision user set {name}`, or see `provision user list`"),
        |(_, user)| format!("did you mean `{}`?", user.name),
    );
    Ok(Fault::new(format!("there is no user `{name}`")).hint(hint))
}
