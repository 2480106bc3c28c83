//! `provision copy`: a whole service from one table to another.

use std::path::{Path, absolute};
use std::time::Instant;

use latchkey::clock::{Clock, SystemClock};
use latchkey::table::sqlite::OpenError;
use latchkey::table::{Copied, CopyError, CopyNames, Table};
use serde_json::json;

use super::arguments::Copy;
use super::exit::{Code, Fault};
use super::open::{self, IfMissing};
use crate::embedded::{self, EmbeddedError};
use crate::manifest::ServiceAddress;
use crate::output::{Format, Printer, Spinner};
use latchkey_sinks::plural::count;

/// Copies, or continues a copy that was cut short.
pub(super) async fn run(printer: Printer, arguments: &Copy) -> Result<Code, Fault> {
    let (from, to) = (address(&arguments.from)?, address(&arguments.to)?);
    let (source_name, target_name) = (name(&from), name(&to));
    if source_name == target_name {
        return Err(Fault::new(format!("`{}` cannot be copied onto itself", arguments.from)));
    }
    let source = source(&from).await?;
    let target = table(&to, IfMissing::Create).await?;
    let spinner = Spinner::start(printer);
    let begun = Instant::now();
    let names = CopyNames { source: &source_name, target: &target_name };
    let copied = source.copy_to(&target, names, SystemClock.now(), |items| spinner.show(count(items, "item"))).await;
    drop(spinner);
    let copied = copied.map_err(|error| fault(error, arguments))?;
    tracing::debug!(took = ?begun.elapsed(), "copied");
    show(printer, &copied, arguments)?;
    Ok(Code::Done)
}

fn address(text: &str) -> Result<ServiceAddress, Fault> {
    match open::parse_address(text)? {
        ServiceAddress::Url { url, .. } => Err(Fault::new(format!("cannot copy `{url}`: it is a server, not a table"))
            .hint("pass the table behind it: `table:NAME` or `embedded:FILE`")),
        address => Ok(address),
    }
}

/// What a table is called in the mark of a copy: the same in every run.
fn name(address: &ServiceAddress) -> String {
    match address {
        ServiceAddress::Embedded(path) => {
            let whole = |path: &Path| path.canonicalize().or_else(|_| absolute(path));
            format!("embedded:{}", whole(path).unwrap_or_else(|_| path.clone()).display())
        }
        ServiceAddress::Table { name, .. } => format!("table:{name}"),
        ServiceAddress::Url { url, .. } => url.clone(),
    }
}

/// The table that is copied, which may be of the form before this version's.
async fn source(address: &ServiceAddress) -> Result<Table, Fault> {
    let ServiceAddress::Embedded(path) = address else { return table(address, IfMissing::Fail).await };
    let opened = path.exists().then(|| embedded::open(path));
    match opened {
        Some(Err(EmbeddedError::Open(OpenError::Former { .. }))) => embedded::former(path).map_err(open::not_opened),
        _ => table(address, IfMissing::Fail).await,
    }
}

async fn table(address: &ServiceAddress, absent: IfMissing) -> Result<Table, Fault> {
    let client = open::client(address, absent).await?;
    let Some((service, _)) = client.operated() else {
        return Err(Fault::new("this needs the table of the service, not a server"));
    };
    Ok(service.table().clone())
}

fn show(printer: Printer, copied: &Copied, arguments: &Copy) -> Result<(), Fault> {
    if printer.format == Format::Json {
        printer.json(&json!({
            "from": arguments.from, "to": arguments.to, "items": copied.items, "kinds": copied.kinds,
            "written": copied.written, "removed": copied.removed, "resumed": copied.resumed,
        }))?;
        return Ok(());
    }
    let kinds: Vec<String> = copied.kinds.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
    let verb = if copied.resumed { "Finished copying" } else { "Copied" };
    printer.result(&format!(
        "{verb} `{}` to `{}`: {}, the same in both",
        arguments.from,
        arguments.to,
        count(copied.items, "item")
    ))?;
    printer.result(&format!("  {}", kinds.join(", ")))?;
    Ok(())
}

fn fault(error: CopyError, arguments: &Copy) -> Fault {
    let again =
        || format!("what was copied is kept; to continue, run `provision copy {} {}`", arguments.from, arguments.to);
    let hint = match &error {
        CopyError::Foreign(_) => "nothing was written; copy into an empty table".to_owned(),
        CopyError::OtherSource { .. } => "nothing was written; each copy needs a table of its own".to_owned(),
        CopyError::Done { .. } => {
            "nothing was written, as newer data there would be lost; copy into an empty table instead".to_owned()
        }
        CopyError::Unfinished(_) => "finish that copy first, or copy from its source".to_owned(),
        CopyError::Used { .. } => {
            "no newer data was overwritten; copy into an empty table, and use it only once the copy is done".to_owned()
        }
        CopyError::Changing(_) => format!("stop whatever changes it; {}", again()),
        CopyError::Table(_) => again(),
    };
    let code = if matches!(error, CopyError::Table(_) | CopyError::Changing(_)) { Code::Partly } else { Code::Guard };
    Fault::new(error.to_string()).hint(hint).code(code)
}
