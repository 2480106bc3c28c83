//! `provision quickstart`: from an empty folder to a token that is checked over HTTP, with a token that may do nothing else.

use std::path::Path;

use latchkey_sinks::reading::Allowances;
use latchkey_sinks::{ManifestSinks, machine};

use super::arguments::{Allow, Quickstart, RunFlags};
use super::exit::{Code, Fault};
use super::run::{RunRequest, run as carry_out};
use super::{gitignore, init, open};
use crate::manifest;
use crate::output::Printer;
use crate::plan::Options;

const MANIFEST: &str = "tokens.toml";
const TABLE: &str = "latchkey.db";
/// The entries that the two secrets go to.
const ENTRIES: [&str; 2] = ["API_TOKEN", "LATCHKEY_CHECK_TOKEN"];
/// How many seconds it waits for another run.
const LEASE_WAIT: u64 = 90;

/// Declares a token and a token that checks it, creates both, and shows how to check one.
pub(super) async fn run(printer: Printer, service: Option<&str>, arguments: &Quickstart) -> Result<Code, Fault> {
    if let Some(service) = service {
        return Err(Fault::new(format!("a quickstart creates a service of its own, not one at `{service}`"))
            .hint("run it without `--service` and `LATCHKEY_SERVICE`; for that service, begin with `provision init`"));
    }
    let file = Path::new(MANIFEST);
    let name = init::name(arguments.name.as_deref(), file)?;
    let text = TEXT.replace("{name}", name.as_str());
    let is_again = file.symlink_metadata().is_ok();
    if !is_again {
        if Path::new(TABLE).symlink_metadata().is_ok() {
            return Err(Fault::new(format!(
                "`{TABLE}` is a service that is there already, and nothing here declares it"
            ))
            .hint("it was not changed; run this in an empty folder, or declare its tokens: `provision init`"));
        }
        if let Some(entry) = taken(file, &text).await? {
            return Err(Fault::new(format!("`.env` has an entry `{entry}` already, which a quickstart would replace"))
                .hint("nothing was changed; run this in an empty folder, or move in: `provision import .env`"));
        }
        init::write_new(file, &text, "run this in an empty folder")?;
    }
    let manifest = open::load(printer, Some(file), &Allow::default())?;
    if is_again && manifest.text != text {
        return Err(Fault::new(format!("`{MANIFEST}` is there already, and is not what a quickstart writes"))
            .hint("nothing was changed; run `provision apply` for it, or this in an empty folder"));
    }
    if !arguments.no_gitignore {
        gitignore::complete(printer, file)?;
    }
    let how = &RunFlags { wait: LEASE_WAIT, ..RunFlags::default() };
    let wish = RunRequest {
        how,
        may: Options::default(),
        only: &[],
        pausing: &std::collections::BTreeSet::new(),
        machines: &[],
        plan_id: None,
        saved: None,
        asks: false,
        publish: false,
        notify: None,
    };
    let code = carry_out(printer, None, &manifest, wish).await?;
    if code == Code::Done {
        next(printer)?;
    }
    Ok(code)
}

/// The first of its entries that is there already.
async fn taken(file: &Path, text: &str) -> std::io::Result<Option<String>> {
    let folder = std::env::current_dir()?;
    let Ok((manifest, _)) = manifest::parse(file, &folder, text, &Allowances::default()) else { return Ok(None) };
    let sinks = ManifestSinks::new(&manifest.sinks, &machine::name(), &manifest.bounds);
    // A file that is not there has none.
    let found = sinks.entries("dev", "").await.unwrap_or_default();
    Ok(found.into_iter().map(|entry| entry.name).find(|name| ENTRIES.contains(&name.as_str())))
}

/// What to paste next. The secrets get from the file to curl by a pipe: no argument, no output and no history has them.
fn next(printer: Printer) -> std::io::Result<()> {
    let [token, checker] = ENTRIES;
    printer.result("")?;
    printer.result(&format!("`.env` has a token in `{token}`, and in `{checker}` one that may only check tokens."))?;
    printer.result("Start the server, and check the first with the second:")?;
    printer.result("")?;
    // A line that is broken to fit the screen is another command.
    printer.block(&format!(
        r#"  provision serve &
  (. ./.env && printf 'header = "Authorization: Bearer %s"\ndata = "token=%s"\n' "${checker}" "${token}" | curl -sS --config - http://127.0.0.1:8787/v1/introspect)"#
    ))
}

/// A manifest of two tokens.
const TEXT: &str = r#"# Written by `provision quickstart`: a token, and one that checks it. Change it and run `provision apply`;
# `provision init FILE` writes a starter with more of what there is.

manifest = "{name}"

[service]
embedded = "latchkey.db"  # the service in one file; later a table on AWS, or the URL of a server

[defaults]
expires_in = "90d"    # how long a secret is valid
rotate_every = "30d"  # how often a new one replaces it
overlap = "24h"       # how long the older one stays valid after that

[roles.documents-reader]
permissions = ["documents:read"]  # resource:action, in words of your own

[roles.checker]
permissions = ["tokens:introspect"]  # to check tokens, and nothing else

[users.report-service]
kind = "service"
roles = ["documents-reader"]

[users.documents-api]
kind = "service"
roles = ["checker"]

[sinks.dev]
type = "dotenv"
path = ".env"

[tokens.report-service-dev]
user = "report-service"
description = "What the report service sends"
push = [{ sink = "dev", name = "API_TOKEN" }]

[tokens.documents-api-dev]
user = "documents-api"
description = "What the documents API checks tokens with"
push = [{ sink = "dev", name = "LATCHKEY_CHECK_TOKEN" }]
"#;
