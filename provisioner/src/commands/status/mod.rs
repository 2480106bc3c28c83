//! `provision status`: every token, its versions and what its places contain.

mod cell;
mod grid;
mod job;
mod outstanding;
mod screen;

use jiff::Timestamp;
use latchkey::token::Token;
use serde_json::json;

use super::arguments::Status;
use super::exit::{Code, Fault};
use super::open::{self, IfMissing};
use crate::observe::finding::Finding;
use crate::observe::{Observation, observe};
use crate::output::{Format, LOOKING, Printer, Spinner, actions, markdown};
use crate::plan::{self, Labels, Options, Remark, TokenPlan, Tone, remarks};
use cell::{Cell, drifted};
use grid::Grid;
use job::JobStatus;
use latchkey_sinks::ManifestSinks;
use latchkey_sinks::machine;

pub(super) use outstanding::{differs, unfinished};

/// The declared places of a token that do not contain its current version, and what they contain.
pub(super) fn unlike(token: &TokenPlan, observation: &Observation, labels: &Labels) -> Vec<(String, String)> {
    let cells = token.findings.iter().map(|(place, find)| (place, Cell::of(token, place, find, observation)));
    cells.filter(|(_, cell)| cell.drift).map(|(place, cell)| (labels.of(place), drifted(&cell))).collect()
}

/// Since when a rotation is due, if one is.
pub(super) fn is_due(record: &Token, now: Timestamp) -> Option<Timestamp> {
    outstanding::due(record, now).filter(|due| *due <= now)
}

/// Shows where every version is.
pub(super) async fn run(printer: Printer, service: Option<&str>, arguments: &Status) -> Result<Code, Fault> {
    let manifest = open::load(printer, arguments.file.as_deref(), &arguments.allow)?;
    let client = open::client(&open::address(service, Some(&manifest))?, IfMissing::UseEmpty).await?;
    let machine = machine::name();
    let sinks = ManifestSinks::new(&manifest.sinks, &machine, &manifest.bounds);
    let observation = Spinner::during(printer, LOOKING, observe(client.protocol(), &sinks, &manifest)).await?;
    let plan = plan::plan(&manifest, &observation, &Options::default());
    let labels = Labels::new(&manifest.folder, &machine);
    let mut grid = Grid::new(&manifest, &observation, &plan, &labels);
    let published = client.job(&manifest.name).await?;
    let job = published.as_ref().map(|published| JobStatus::new(published, &plan, observation.at));
    grid.below.extend(job.iter().flat_map(JobStatus::lines));
    let page = grid.markdown();
    match printer.format {
        Format::Json => {
            let tokens: Vec<_> =
                plan.tokens.iter().map(|token| as_json(token, &manifest, &observation, &labels)).collect();
            let clock = observation.clock.map(|behind| json!({ "now": behind.now, "seen": behind.seen }));
            let mut all = json!({ "manifest": manifest.name, "at": observation.at, "tokens": tokens });
            if let Some(clock) = clock {
                all["clock_behind"] = clock;
            }
            if let Some(job) = &job {
                all["job"] = job.as_json();
            }
            printer.json(&all)?;
        }
        Format::Markdown => printer.block(&page)?,
        Format::Text => grid.print(printer)?,
    }
    actions::summarise(&page);
    let attention = grid.needs_attention() || job.is_some_and(|job| job.needs_attention());
    Ok(if arguments.detailed_exitcode && attention { Code::Changes } else { Code::Done })
}

fn as_json(
    token: &TokenPlan,
    manifest: &crate::manifest::Manifest,
    observation: &Observation,
    labels: &Labels,
) -> serde_json::Value {
    let record = token.record.as_deref();
    let versions: Vec<_> = record
        .into_iter()
        .flat_map(|record| record.live(observation.at).map(move |version| (record, version)))
        .map(|(record, version)| {
            let used = record.uses.get(&version.number.to_string());
            json!({
                "version": version.number,
                "state": version.state,
                "fingerprint": version.fingerprint(),
                "expires": record.deadline(version),
                "last_used": used.map(|used| used.last),
                "last_ip": used.and_then(|used| used.ip.as_ref()),
            })
        })
        .collect();
    let places: Vec<_> = token
        .findings
        .iter()
        .map(|(place, find)| {
            let held = Cell::of(token, place, find, observation);
            let reason = if let Finding::Unknown(error) = find { Some(error.to_string()) } else { None };
            json!({
                "id": place.id(),
                "place": labels.of(place).trim_matches('`'),
                "sink": grid::sink_of(manifest, observation, token, place),
                "holds": held.words(),
                "version": held.version,
                "drift": held.drift,
                "lagging": held.lagging,
                "reason": reason,
            })
        })
        .collect();
    let blocked: Vec<_> = remarks(token, labels)
        .into_iter()
        .filter(|remark| remark.tone == Tone::Problem)
        .map(|remark| json!({ "message": remark.sentence(), "help": remark.help }))
        .collect();
    let current = record.and_then(|record| record.current().map(|current| record.deadline(current)));
    let warnings: Vec<_> =
        remarks(token, labels).iter().filter(|remark| remark.is_urgent).map(Remark::sentence).collect();
    let mut status = json!({
        "user": token.user,
        "name": token.name,
        "id": record.map(|record| &record.id),
        "declared": token.declaration.is_some(),
        "moved_to": record.and_then(|record| record.moved_to.as_ref()),
        "versions": versions,
        "places": places,
        "rotation_due": record.and_then(|record| outstanding::due(record, observation.at)),
        "expires": current,
        "last_used": record.and_then(latchkey::token::Token::last_used),
        "blocked": blocked,
    });
    if !warnings.is_empty() {
        status["warnings"] = json!(warnings);
    }
    status
}

/// A page of the grid.
impl Grid {
    fn markdown(&self) -> String {
        let mut heads = vec!["Token", "Version"];
        heads.extend(self.columns.iter().map(String::as_str));
        let heads: Vec<String> = heads
            .iter()
            .map(|head| markdown::text(head))
            .chain(["Due", "Expires", "Last use"].map(str::to_owned))
            .collect();
        let heads: Vec<&str> = heads.iter().map(String::as_str).collect();
        let row = |row: &grid::Row| {
            let mut cells = vec![markdown::code(&format!("{}/{}", row.user, row.name)), markdown::text(&row.version)];
            cells.extend(row.cells.iter().map(|cell| markdown::text(cell)));
            cells.extend([&row.due, &row.expires, &row.used].map(|text| markdown::text(text)));
            cells
        };
        let rows: Vec<_> = self.rows.iter().map(row).collect();
        let below: Vec<String> = self.below.iter().map(|line| format!("- {}", markdown::text(line))).collect();
        let table = if rows.is_empty() { String::new() } else { markdown::table(&heads, &rows) };
        markdown::page(&[
            format!("### Status of {}", markdown::code(&self.manifest)),
            format!("**{}**", markdown::text(&self.sum())),
            table,
            below.join("\n"),
            markdown::text(&self.legend().join("; ")),
        ])
    }
}
