//! Completions of a shell that asks this very command: names of commands and options, and of tokens, users, roles and sinks.
//! It reads and never asks: no question, no message, no keyring, and a server only with the token in the environment.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use clap::{Arg, Command};
use clap_complete::env::{CompleteEnv, Shells};
use clap_complete::{ArgValueCandidates, CompletionCandidate, Shell};

use super::arguments::{Allow, grammar};
use super::exit::Fault;
use super::open::{self, IfMissing};
use super::server;
use crate::accounts;
use crate::manifest::{self, Manifest, NamedBy, ServiceAddress};
use crate::output::{Volume, set_volume};
use crate::service::Client;
use latchkey_sinks::transport::Address;

/// What a shell sets to ask.
const VARIABLE: &str = "LATCHKEY_COMPLETE";
/// Whoever pressed Tab waits no longer than this for names.
const WITHIN: Duration = Duration::from_millis(1500);
/// The users whose tokens are named.
const USERS_MAX: usize = 50;

/// Whose names an argument takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Names {
    /// Tokens that the manifest declares.
    Declared,
    /// Sinks that the manifest declares.
    Sinks,
    Tokens,
    Users,
    Roles,
}

/// Answers a shell that asks for completions; whether one did.
pub(super) fn answered() -> bool {
    if std::env::var_os(VARIABLE).is_none_or(|shell| shell.is_empty()) {
        return false;
    }
    set_volume(Volume::Quiet);
    // A shell has no use for an error.
    let _ = CompleteEnv::with_factory(with_names)
        .var(VARIABLE)
        .try_complete(std::env::args_os(), std::env::current_dir().ok().as_deref());
    true
}

/// What a shell has to run so that it asks.
pub(super) fn script(shell: Shell) -> Result<String, Fault> {
    let name = shell.to_string();
    let mut script = Vec::new();
    let shells = Shells::builtins();
    let written = shells
        .completer(&name)
        .map(|asker| asker.write_registration(VARIABLE, "provision", "provision", "provision", &mut script));
    match written {
        Some(Ok(())) => Ok(String::from_utf8_lossy(&script).into_owned()),
        _ => Err(Fault::new(format!("no completions can be generated for `{name}`"))),
    }
}

/// The grammar with what each argument takes names of.
fn with_names() -> Command {
    named(grammar(), &[])
}

fn named(command: Command, path: &[&str]) -> Command {
    let ids: Vec<(String, Names)> = command
        .get_arguments()
        .filter_map(|argument| Some((argument.get_id().to_string(), names_of(path, argument)?)))
        .collect();
    let below: Vec<String> = command.get_subcommands().map(|below| below.get_name().to_owned()).collect();
    let command = ids.into_iter().fold(command, |command, (id, names)| {
        command.mut_arg(id, |argument| argument.add(ArgValueCandidates::new(move || candidates(names))))
    });
    below.into_iter().fold(command, |command, name| {
        let path = [path, &[name.as_str()]].concat();
        command.mut_subcommand(&name, |below| named(below, &path))
    })
}

/// Whose names an argument takes, by what it is called and where it stands.
fn names_of(path: &[&str], argument: &Arg) -> Option<Names> {
    let makes = matches!(path.last(), Some(&("set" | "create" | "grant")));
    match (path, argument.get_id().as_str()) {
        (["plan" | "apply" | "rotate", ..], "only" | "compromised" | "words") => Some(Names::Declared),
        (["plan" | "apply" | "rotate", ..], "sink") => Some(Names::Sinks),
        (["token", ..], "name") if !makes => Some(Names::Tokens),
        (["user", ..], "name") | (_, "user") => Some(Names::Users),
        (["role", ..], "name") | (["token" | "user", ..], "role" | "roles" | "remove_role" | "add_role" | "set") => {
            Some(Names::Roles)
        }
        _ => None,
    }
}

fn candidates(names: Names) -> Vec<CompletionCandidate> {
    // What is before the end of a line that is completed names folder and service.
    let words: Vec<String> = std::env::args().skip_while(|word| word != "--").skip(1).collect();
    let value = |long: &str, short: &str| {
        let after = words.windows(2).find(|pair| pair[0] == long || pair[0] == short).map(|pair| pair[1].clone());
        after.or_else(|| words.iter().find_map(|word| word.strip_prefix(&format!("{long}=")).map(str::to_owned)))
    };
    if let Some(folder) = value("--directory", "-C")
        && std::env::set_current_dir(folder).is_err()
    {
        return Vec::new();
    }
    let manifest = declared();
    let found: BTreeSet<String> = match names {
        Names::Declared => {
            manifest.iter().flat_map(|manifest| &manifest.tokens).map(|token| token.name.to_string()).collect()
        }
        Names::Sinks => manifest.iter().flat_map(|manifest| manifest.sinks.keys().cloned()).collect(),
        Names::Tokens | Names::Users | Names::Roles => {
            let service = value("--service", "--service").or_else(|| std::env::var("LATCHKEY_SERVICE").ok());
            from_service(names, service.as_deref(), manifest.as_ref())
        }
    };
    found.into_iter().map(CompletionCandidate::new).collect()
}

/// The nearest manifest, if it is good.
fn declared() -> Option<Manifest> {
    let path = open::manifest_file(None);
    let (manifest, _) = manifest::load(Path::new(&path), &Allow::default().allowances()).ok()?;
    manifest::leaving(&manifest).is_empty().then_some(manifest)
}

fn from_service(names: Names, service: Option<&str>, manifest: Option<&Manifest>) -> BTreeSet<String> {
    let Ok(address) = open::address(service, manifest) else { return BTreeSet::new() };
    let Ok(runtime) = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build() else {
        return BTreeSet::new();
    };
    let asked = async {
        let client = client(&address).await?;
        read(names, &client).await.ok()
    };
    let found = runtime.block_on(async { tokio::time::timeout(WITHIN, asked).await });
    runtime.shutdown_background();
    found.ok().flatten().unwrap_or_default()
}

async fn client(address: &ServiceAddress) -> Option<Client> {
    let ServiceAddress::Url { url, by } = address else { return open::client(address, IfMissing::Fail).await.ok() };
    // A login may be in a keyring that asks to be opened.
    if !accounts::environment_has_token() || *by != NamedBy::Person {
        return None;
    }
    let address = Address::parse(url).ok()?;
    let login = accounts::login(&address, *by).await.ok()?;
    server::connect_with(&accounts::Server::of(&address), &login.secret).await.ok().map(Client::remote)
}

async fn read(names: Names, client: &Client) -> Result<BTreeSet<String>, Fault> {
    Ok(match names {
        Names::Roles => client.all_roles().await?.into_iter().map(|role| role.name.to_string()).collect(),
        Names::Users => client.all_users().await?.into_iter().map(|user| user.name.to_string()).collect(),
        _ => {
            let users = match client.me() {
                Some(me) => vec![me.clone()],
                None => client.all_users().await?.into_iter().map(|user| user.name).take(USERS_MAX).collect(),
            };
            let mut tokens = BTreeSet::new();
            for user in users {
                tokens.extend(client.active(&user).await?.into_iter().map(|token| token.name.to_string()));
            }
            tokens
        }
    })
}
