//! Files, service, grant and clock.

use std::collections::BTreeSet;
use std::path::Path;

use latchkey::clock::{Clock as _, ClockBehind, SystemClock};

use super::{Diagnosis, tokens};
use crate::commands::exit::Fault;
use crate::commands::promise;
use crate::manifest::{Manifest, ServiceAddress, granted};
use crate::observe::observe;
use crate::plan::{self, Stop};
use crate::service::{Client, ServiceError};
use latchkey_sinks::ManifestSinks;
use latchkey_sinks::{dotenv, files};

/// How far two clocks may be apart, in seconds.
const SKEW_MAX: i64 = 60;

/// Modes of the files that sinks write, and what git makes of them.
pub(super) fn files(manifest: &Manifest) -> Vec<Diagnosis> {
    let mut findings = Vec::new();
    let mut seen = BTreeSet::new();
    for sink in manifest.sinks.values() {
        let facts = sink.settings.facts();
        let Some(path) = facts.file().map(|file| file.path) else { continue };
        if !seen.insert(path.to_owned()) {
            continue;
        }
        // What is no file is the sink's to tell.
        if path.exists() && !path.is_file() {
            continue;
        }
        let what = format!("file `{}`", path.strip_prefix(&manifest.folder).unwrap_or(path).display());
        let warnings = facts.warnings();
        if warnings.is_empty() {
            let words = if path.exists() { "for its owner only, not picked up by git" } else { "does not exist yet" };
            findings.push(Diagnosis::good(what, words));
            continue;
        }
        findings.extend(warnings.iter().map(|warning| {
            let (words, fix) = split(warning);
            Diagnosis::note(what.clone(), words, Some(fix.as_str()).filter(|fix| !fix.is_empty()))
        }));
    }
    findings
}

/// An embedded table's file: whoever writes it is the service's operator, and so is whoever can commit another one.
pub(super) fn table_file(address: &ServiceAddress, manifest: &Manifest) -> Vec<Diagnosis> {
    let ServiceAddress::Embedded(path) = address else { return Vec::new() };
    let what = || format!("file `{}`", shown(path, manifest));
    let mut findings = Vec::new();
    if let Some(mode) = files::mode(&files::resolve(path)).filter(|mode| mode & 0o077 != 0) {
        let fix = format!("chmod 600 {}", shell_word(path));
        let words = format!("open to others (mode {mode:04o}); whoever can write it is the operator");
        findings.push(Diagnosis::problem(what(), words, Some(&fix)));
    }
    if let Err(fault) = promise::can_be_created(address) {
        findings.push(Diagnosis::of_fault(what(), &fault));
    }
    // SQLite has files beside it, which are read as a part of it.
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let added = [path.as_path(), Path::new(&log)].into_iter().find_map(|path| what_git_adds(&files::resolve(path)));
    findings.extend(added.map(|(words, fix)| Diagnosis::note(what(), words, Some(fix.as_str()))));
    findings
}

fn what_git_adds(path: &Path) -> Option<(String, String)> {
    let (words, fix) = split(&dotenv::git_warning(path)?);
    let fix =
        if fix.is_empty() { fix } else { "add `latchkey.db*` to `.gitignore`".replace("latchkey.db", &name(path)) };
    Some((words, fix))
}

/// The name of a table's file, without what SQLite puts behind it.
fn name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.strip_suffix("-wal").unwrap_or(&name).to_owned()
}

/// A warning as what is wrong, and what to do about it.
fn split(warning: &str) -> (String, String) {
    let (words, fix) = warning.split_once(": ").unwrap_or((warning, ""));
    (words.to_owned(), fix.to_owned())
}

/// A path as the manifest would name it.
fn shown(path: &Path, manifest: &Manifest) -> String {
    let path = files::resolve(path);
    path.strip_prefix(&manifest.folder).unwrap_or(&path).display().to_string()
}

fn shell_word(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', "'\\''"))
}

/// The service: whether it answers, as whom, by which clock, and what it knows of the manifest.
pub(super) async fn service(
    findings: &mut Vec<Diagnosis>,
    (address, client): (&ServiceAddress, &Client),
    manifest: &Manifest,
    sinks: &ManifestSinks,
) {
    let what = match address {
        ServiceAddress::Embedded(path) if path.exists() => format!("service in `{}`", shown(path, manifest)),
        ServiceAddress::Embedded(path) => format!("service in `{}`, which `apply` creates", shown(path, manifest)),
        ServiceAddress::Table { name, .. } => format!("service on the table `{name}`"),
        ServiceAddress::Url { .. } => "service at its server".to_owned(),
    };
    let observation = match observe(client.protocol(), sinks, manifest).await {
        Ok(observation) => observation,
        Err(error) => return findings.push(refused(what, manifest, error)),
    };
    let whom = client.me().map_or_else(|| "as operator".to_owned(), |user| format!("as `{user}`"));
    findings.push(Diagnosis::good(what.clone(), format!("reachable, {whom}")));
    findings.push(clock(observation.clock, SystemClock.now().duration_since(client.now()).as_secs()));
    if client.me().is_some() {
        grant(findings, client, manifest).await;
    }
    let faults = plan::faults(manifest, &observation);
    let shown = format!("manifest `{}`", manifest.path.display());
    findings.extend(faults.iter().map(|fault| Diagnosis::of_manifest(&shown, fault, &manifest.text)));
    if faults.is_empty() {
        findings.push(Diagnosis::good(what, "all users and roles of the manifest exist"));
    }
    findings.extend(tokens::check(manifest, &observation));
}

/// This machine's clock: what the table has seen, and how far the service's is apart.
fn clock(behind: Option<ClockBehind>, apart: i64) -> Diagnosis {
    if let Some(stop) = behind.map(Stop::Clock) {
        return Diagnosis::problem("clock", stop.to_string(), Some(&stop.hint()));
    }
    if apart.abs() > SKEW_MAX {
        let words = format!("{} s apart from the service's", apart.abs());
        return Diagnosis::problem("clock", words, Some("set the clock of this machine, for example by NTP"));
    }
    Diagnosis::good("clock", "in sync with the service")
}

fn refused(what: String, manifest: &Manifest, error: ServiceError) -> Diagnosis {
    let fault = Fault::from(error);
    let fix = fault.hint.unwrap_or_else(|| format!("use a token with the permission `manifests:{}`", manifest.name));
    Diagnosis::problem(what, fault.message, Some(&fix))
}

/// Compares what the manifest grants with what it is allowed to.
async fn grant(findings: &mut Vec<Diagnosis>, client: &Client, manifest: &Manifest) {
    let what = format!("grant of `{}`", manifest.name);
    let found = match client.manifest(&manifest.name).await {
        Ok(found) => found.and_then(|info| info.grant).unwrap_or_default(),
        Err(error) => return findings.push(refused(what, manifest, error)),
    };
    let missing = granted::beyond(&granted::needed(manifest), &found);
    if missing.is_empty() {
        return findings.push(Diagnosis::good(what, "covers everything that the manifest grants"));
    }
    let words = format!("lacks {}; the token in use may have that itself", missing.join(", "));
    findings.push(Diagnosis::problem(what, words, Some(&granted::cure(manifest, &found))));
}
