//! The grid for people: a table that fits a terminal, and lines below it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use latchkey_sinks::plural::count;

use super::grid::{Down, Grid};
use crate::output::{Cell as TableCell, Mark, Printer, Row as Line, natural_width, screen};

/// The widest table that is printed with the sinks' names as heads.
const WIDTH_MAX: usize = 110;
/// So many of a kind are still told one by one.
const DOWN_EACH: usize = 2;
/// The longest token's name that is shown whole.
const NAME_MAX: usize = 32;

impl Grid {
    /// Prints it for people.
    pub(super) fn print(&self, printer: Printer) -> io::Result<()> {
        if !self.rows.is_empty() {
            let most = screen::stdout_width().map_or(WIDTH_MAX, |width| width.min(WIDTH_MAX));
            let named = self.table(&self.columns);
            if natural_width(&named) <= most {
                printer.rows(&named)?;
            } else {
                // Too many or too long names: letters replace them.
                let letters: Vec<String> = (0..self.columns.len())
                    .map(|index| char::from(b'A' + u8::try_from(index % 26).unwrap_or(0)).to_string())
                    .collect();
                printer.rows(&self.table(&letters))?;
                let key = letters.iter().zip(&self.columns).map(|(letter, name)| format!("{letter}: {name}"));
                printer.result(&key.collect::<Vec<_>>().join(", "))?;
            }
            let legend = self.legend();
            if !legend.is_empty() {
                printer.result(&legend.join("; "))?;
            }
        }
        for line in self.told(printer) {
            let word = line.split(' ').next().unwrap_or_default();
            printer.judged(mark_of(word), word, &line[word.len()..])?;
        }
        let sum = self.sum();
        let (counted, state) = sum.split_at(sum.find(", ").map_or(sum.len(), |at| at + 2));
        let mark = if self.needs_attention() { Mark::Unsure } else { Mark::Good };
        printer.ending(counted, state, mark)
    }

    /// What is told below the table: many places of one sink that cannot be read are one line, and so are many tokens that
    /// this service does not know.
    fn told(&self, printer: Printer) -> Vec<String> {
        let mut lines: Vec<Option<String>> = self.below.iter().cloned().map(Some).collect();
        let mut sinks: BTreeMap<(&str, &str), Vec<&Down>> = BTreeMap::new();
        for down in &self.down {
            sinks.entry((&down.sink, &down.why)).or_default().push(down);
        }
        let many = |(_, places): &(_, Vec<&Down>)| places.len() > DOWN_EACH && !printer.lists_all();
        for ((sink, why), places) in sinks.into_iter().filter(many) {
            let tokens: BTreeSet<&str> = places.iter().map(|down| down.token.as_str()).collect();
            let (number, tokens) = (count(places.len(), "place"), count(tokens.len(), "token"));
            for down in &places {
                lines[down.line] = None;
            }
            lines[places[0].line] = Some(format!("unknown  sink `{sink}`: {why}: {number} of {tokens}"));
        }
        if let [(first, text), others @ ..] = &self.strangers[..]
            && others.len() >= DOWN_EACH
            && !printer.lists_all()
        {
            for (line, _) in others {
                lines[*line] = None;
            }
            lines[*first] = Some(format!("warning  {}: {text}", count(self.strangers.len(), "token")));
        }
        lines.into_iter().flatten().collect()
    }

    /// The table's rows: a user's name is above the user's tokens.
    fn table(&self, heads: &[String]) -> Vec<Line> {
        let ends = ["DUE", "EXPIRES", "LAST USE"].map(str::to_owned);
        let heads = [vec!["TOKEN".to_owned(), "VERSION".to_owned()], heads.to_vec(), ends.to_vec()].concat();
        let mut rows = vec![Line::Cells(heads.into_iter().map(TableCell::plain).collect())];
        let mut last = "";
        for row in &self.rows {
            if row.user != last {
                rows.push(Line::Heading(row.user.clone()));
            }
            last = &row.user;
            let version =
                TableCell { mark: (row.version == "expired").then_some(Mark::Bad), text: row.version.clone() };
            let mut cells = vec![TableCell::plain(format!("  {}", shortened(&row.name))), version];
            cells.extend(row.cells.iter().map(|text| TableCell { mark: mark_in(text), text: text.clone() }));
            let ended = row.expires.ends_with(" ago").then_some(Mark::Bad);
            let due = (row.due.ends_with(" ago") || row.due == "now").then_some(Mark::Unsure);
            cells.push(TableCell { mark: due, text: row.due.clone() });
            cells.push(TableCell { mark: ended, text: row.expires.clone() });
            cells.push(TableCell::plain(row.used.clone()));
            rows.push(Line::Cells(cells));
        }
        rows
    }
}

/// How what is told below the table is, by its first word.
fn mark_of(word: &str) -> Mark {
    match word {
        "drift" | "blocked" => Mark::Bad,
        _ => Mark::Unsure,
    }
}

/// How the places in a cell are: the worst of them counts.
fn mark_in(cell: &str) -> Option<Mark> {
    let marks = cell.split(' ').filter_map(|place| match place {
        "-" | "away" => None,
        "none" | "changed" | "foreign" | "other" => Some(Mark::Bad),
        place if place.ends_with('x') => Some(Mark::Bad),
        place if place.ends_with(['!', '~', '?']) => Some(Mark::Unsure),
        _ => Some(Mark::Good),
    });
    marks.max_by_key(|mark| match mark {
        Mark::Good => 0,
        Mark::Unsure => 1,
        Mark::Bad => 2,
    })
}

/// A name that fits its column; its end tells it from others more often than its middle.
fn shortened(name: &str) -> String {
    let count = name.chars().count();
    if count <= NAME_MAX {
        return name.to_owned();
    }
    let (first, last) = (NAME_MAX / 2, NAME_MAX - NAME_MAX / 2 - 1);
    let start: String = name.chars().take(first).collect();
    let end: String = name.chars().skip(count - last).collect();
    format!("{start}…{end}")
}
