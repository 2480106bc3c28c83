//! `provision import`: a manifest for tokens that are in use already.

use std::path::{Path, PathBuf};

use latchkey_sinks::files::resolve;
use latchkey_sinks::plural::count;
use latchkey_sinks::reading::{Faults, Severity};
use latchkey_sinks::{ManifestSinks, SinkError, machine};

use super::arguments::Import;
use super::exit::{Code, Fault};
use super::{gitignore, init, open};
use crate::import::{self, About, Found, Source, SourceError};
use crate::manifest::{self, Manifest, ServiceAddress};
use crate::output::Printer;

/// What a manifest is called where nobody names its file.
const MANIFEST: &str = "tokens.toml";
/// Where the service is by default.
const EMBEDDED: &str = "embedded = \"latchkey.db\"";

/// Lists the entries of all sources, and writes what declares the tokens among them.
pub(super) async fn run(printer: Printer, service: Option<&str>, arguments: &Import) -> Result<Code, Fault> {
    let file = arguments.out.clone().unwrap_or_else(|| PathBuf::from(MANIFEST));
    if let Some(out) = arguments.out.as_ref().filter(|out| out.symlink_metadata().is_ok()) {
        // Before anybody is asked.
        return Err(exists(out));
    }
    let whole = std::path::absolute(&file)?;
    let folder = resolve(whole.parent().unwrap_or(&whole));
    let mut sources = Vec::new();
    for text in &arguments.sources {
        let source: Source =
            text.parse().map_err(|error: SourceError| Fault::new(error.to_string()).hint(error.hint()))?;
        sources.push(source.seen_from(&folder));
    }
    import::name_apart(&mut sources);
    let about = About {
        name: init::name(arguments.name.as_deref(), &file)?,
        service: service.map_or(Ok(EMBEDDED.to_owned()), service_line)?,
        user: arguments.user.clone(),
        file: file.display().to_string(),
    };
    let allowances = arguments.allow.allowances();
    let read = |text: &str| manifest::parse(&file, &folder, text, &allowances).map(|(manifest, _)| manifest);
    let declared = read(&import::probe(&about, &sources, None)).map_err(|faults| refused(&faults))?;
    let found = list(&declared, &sources).await?;
    let refusal =
        |found: &Found| read(&import::probe(&about, &sources, Some(found))).err().map(|faults| first(&faults).0);
    let draft = import::draft(&about.name, &found, refusal);
    let text = import::manifest(&about, &sources, &draft);
    read(&text).map_err(|faults| refused(&faults))?;
    let text = if arguments.pushes { import::body(&about, &sources, &draft) } else { text };
    let sum = import::summary(&draft, sources.len());
    let Some(out) = &arguments.out else {
        printer.block(text.trim_end())?;
        printer.talk(&format!("{sum}; no value was kept"));
        return Ok(Code::Done);
    };
    init::write_new(out, &text, "pass another file, or none to print it")?;
    let shown = out.display();
    printer.result(&format!("Wrote `{shown}`: {sum}"))?;
    if !arguments.no_gitignore {
        gitignore::complete(printer, out)?;
    }
    if draft.tokens.is_empty() {
        printer.warning(&format!("none of {} is called like a token", count(found.len(), "entry")));
        return Ok(Code::Done);
    }
    printer.talk(&format!(
        "Next: look through it, then run `provision plan {shown} --adopt-all`, and `provision apply {shown} --adopt-all` once"
    ));
    Ok(Code::Done)
}

/// The entries of all sources, in their order.
async fn list(declared: &Manifest, sources: &[Source]) -> Result<Vec<Found>, Fault> {
    let sinks = ManifestSinks::new(&declared.sinks, &machine::name(), &declared.bounds);
    let mut found = Vec::new();
    for source in sources {
        let mut entries =
            sinks.entries(&source.name, &source.prefix).await.map_err(|error| unlisted(source, &error))?;
        entries.sort();
        found.extend(entries.into_iter().map(|entry| Found { sink: source.name.clone(), entry }));
    }
    Ok(found)
}

fn unlisted(source: &Source, error: &SinkError) -> Fault {
    let fault = Fault::new(format!("cannot list the entries of `{}`: {error}", source.text));
    match error.hint() {
        Some(hint) => fault.hint(format!("nothing was written; {hint}")),
        None => fault.hint("nothing was written; try again when it is reachable"),
    }
}

fn exists(out: &Path) -> Fault {
    Fault::new(format!("`{}` already exists", out.display()))
        .hint("it was not changed; pass another file, or pass `--pushes` without `--out` and add what it prints")
}

/// What `check` would refuse first, and what to do about it.
fn first(faults: &Faults) -> (String, Option<String>) {
    let error = faults.faults.iter().find(|fault| fault.severity == Severity::Error);
    error.map_or_else(|| (faults.to_string(), None), |fault| (fault.message.clone(), fault.hint.clone()))
}

fn refused(faults: &Faults) -> Fault {
    let (message, hint) = first(faults);
    let fault = Fault::new(message);
    match hint {
        Some(hint) => fault.hint(format!("nothing was written; {hint}")),
        None => fault.hint("nothing was written"),
    }
}

/// A service as a line of `[service]`.
fn service_line(flag: &str) -> Result<String, Fault> {
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    Ok(match open::address(Some(flag), None)? {
        ServiceAddress::Embedded(path) => format!("embedded = {}", quoted(&path.to_string_lossy())),
        ServiceAddress::Table { name, region, endpoint } => {
            let more = [("region", region), ("endpoint", endpoint)];
            let more = more.into_iter().filter_map(|(key, value)| Some(format!("\n{key} = {}", quoted(&value?))));
            format!("table = {}{}", quoted(&name), more.collect::<String>())
        }
        ServiceAddress::Url { url, .. } => format!("url = {}", quoted(&url)),
    })
}
