//! A calendar of rotations, in all formats.

use std::io;

use jiff::Timestamp;
use serde_json::json;

use super::{Format, Printer, markdown};
use crate::manifest::Manifest;
use crate::plan::calendar::{ASSUMPTIONS, Date};
use crate::plan::{distance, minute};
use latchkey_sinks::plural::count;

/// Prints the dates from one instant to another.
///
/// # Errors
/// When stdout is closed or full.
pub fn print(
    printer: Printer,
    manifest: &Manifest,
    (from, until): (Timestamp, Timestamp),
    dates: &[Date],
) -> io::Result<()> {
    let head = format!("Calendar of `{}` from {} until {}", manifest.name, minute(from), minute(until));
    let sum = match dates {
        [] => "Nothing falls due".to_owned(),
        dates => count(dates.len(), "date"),
    };
    match printer.format {
        Format::Json => as_json(printer, manifest, (from, until), dates)?,
        Format::Markdown => {
            let row = |date: &Date| {
                let assumed = if date.assumed { "assumed" } else { "" };
                let name = markdown::code(&format!("{}/{}", date.user, date.name));
                vec![markdown::text(&minute(date.at)), name, markdown::text(&date.what.words()), assumed.to_owned()]
            };
            let rows: Vec<_> = dates.iter().map(row).collect();
            let assumed: Vec<String> = ASSUMPTIONS.iter().map(|line| format!("- {}", markdown::text(line))).collect();
            let parts = [
                format!("### {}", markdown::text(&head)),
                format!("**{sum}**"),
                if rows.is_empty() { String::new() } else { markdown::table(&["When", "Token", "What", ""], &rows) },
                format!("Assuming that:\n\n{}", assumed.join("\n")),
            ];
            printer.markdown(&markdown::page(&parts))?;
        }
        Format::Text => {
            printer.result(&head)?;
            if !dates.is_empty() {
                let heads = ["WHEN", "TOKEN", "WHAT"].map(str::to_owned).to_vec();
                let row = |date: &Date| {
                    let mark = if date.assumed { "*" } else { "" };
                    let when = format!("{} ({})", minute(date.at), distance(from, date.at));
                    vec![format!("{when}{mark}"), format!("{}/{}", date.user, date.name), date.what.words()]
                };
                let rows: Vec<Vec<String>> = std::iter::once(heads).chain(dates.iter().map(row)).collect();
                printer.table(&rows)?;
            }
            printer.result(&format!("{sum}, assuming that"))?;
            for assumption in ASSUMPTIONS {
                printer.result(&format!("  {assumption}"))?;
            }
            if dates.iter().any(|date| date.assumed) {
                printer.result("A date with * depends on something that has not happened yet")?;
            }
        }
    }
    Ok(())
}

fn as_json(
    printer: Printer,
    manifest: &Manifest,
    (from, until): (Timestamp, Timestamp),
    dates: &[Date],
) -> io::Result<()> {
    let dates: Vec<_> = dates
        .iter()
        .map(|date| {
            json!({
                "at": date.at,
                "user": date.user,
                "name": date.name,
                "what": date.what.code(),
                "version": date.what.version(),
                "assumed": date.assumed,
            })
        })
        .collect();
    printer.json(&json!({
        "manifest": manifest.name,
        "from": from,
        "until": until,
        "assumptions": ASSUMPTIONS,
        "dates": dates,
    }))
}
