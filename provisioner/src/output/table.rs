//! Columns for people. On a terminal they fit it, and a cell that was cut ends in `…`; elsewhere nothing is cut.

use super::gate;
use super::screen::{columns, cut, padded};

/// What is between two columns.
const GAP: &str = "  ";
/// No column is cut to fewer than this.
const CELL_MIN: usize = 6;
/// The last column is cut to no fewer before others are.
const LAST_MIN: usize = 12;

/// How something is, which colour shows and never colour alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    Good,
    /// Unknown, waiting or changed.
    Unsure,
    /// Expired, failed or lost.
    Bad,
}

/// One cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    pub text: String,
    pub mark: Option<Mark>,
}

impl Cell {
    /// A cell as it is.
    pub fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), mark: None }
    }

    /// A cell by its word, where that is the state of something.
    pub(super) fn of_word(text: &str) -> Self {
        let mark = match text {
            "expired" | "deleted" | "revoked" | "suspended" | "failed" | "missing" => Some(Mark::Bad),
            "unknown" | "changed" | "leaving" | "waiting" => Some(Mark::Unsure),
            _ => None,
        };
        Self { text: text.to_owned(), mark }
    }
}

/// Cells, or a line above some that stands for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    Cells(Vec<Cell>),
    Heading(String),
}

/// The lines of a table that is at most so wide. `paint` is given what to print of a cell that is marked.
pub(super) fn lines(rows: &[Row], most: Option<usize>, paint: impl Fn(&str, Mark) -> String) -> Vec<String> {
    let rows: Vec<Row> = rows.iter().map(gated).collect();
    let widths = widths(&rows, most);
    let line = |row: &Row| match row {
        Row::Heading(text) => most.map_or_else(|| text.clone(), |most| cut(text, most)),
        Row::Cells(cells) => {
            let last = cells.iter().rposition(|cell| !cell.text.is_empty()).map_or(0, |last| last + 1);
            let cells = cells.iter().zip(&widths).take(last).enumerate().map(|(index, (cell, width))| {
                let text = cut(&cell.text, *width);
                let blanks = if index + 1 == last { String::new() } else { padded("", width - columns(&text)) };
                let text = if index + 1 == last { text.trim_end().to_owned() } else { text };
                format!("{}{blanks}", cell.mark.map_or_else(|| text.clone(), |mark| paint(&text, mark)))
            });
            cells.collect::<Vec<_>>().join(GAP)
        }
    };
    rows.iter().map(line).collect()
}

/// How wide a table is where nothing is cut.
pub fn natural_width(rows: &[Row]) -> usize {
    total(&widths(&rows.iter().map(gated).collect::<Vec<_>>(), None))
}

fn gated(row: &Row) -> Row {
    match row {
        Row::Heading(text) => Row::Heading(gate::line(text).into_owned()),
        Row::Cells(cells) => {
            let gated = |cell: &Cell| Cell { text: gate::line(&cell.text).into_owned(), mark: cell.mark };
            Row::Cells(cells.iter().map(gated).collect())
        }
    }
}

/// The width of each column. The last one gives way first, as it has descriptions, then the widest.
fn widths(rows: &[Row], most: Option<usize>) -> Vec<usize> {
    let cells = || {
        rows.iter().filter_map(|row| match row {
            Row::Cells(cells) => Some(cells),
            Row::Heading(_) => None,
        })
    };
    let count = cells().map(Vec::len).max().unwrap_or(0);
    let width =
        |column: usize| cells().filter_map(|row| row.get(column)).map(|cell| columns(&cell.text)).max().unwrap_or(0);
    let mut widths: Vec<usize> = (0..count).map(width).collect();
    let Some(most) = most else { return widths };
    let over = total(&widths).saturating_sub(most);
    if let Some(last) = widths.last_mut().filter(|last| **last > LAST_MIN) {
        *last -= over.min(*last - LAST_MIN);
    }
    while total(&widths) > most {
        let widest = widths.iter_mut().rev().max_by_key(|width| **width).filter(|width| **width > CELL_MIN);
        let Some(widest) = widest else { break };
        *widest -= 1;
    }
    widths
}

fn total(widths: &[usize]) -> usize {
    widths.iter().sum::<usize>() + GAP.len() * widths.len().saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Row> {
        let row = |cells: [&str; 3]| Row::Cells(cells.map(Cell::of_word).to_vec());
        vec![
            row(["NAME", "STATE", "DESCRIPTION"]),
            Row::Heading("ana".to_owned()),
            row(["laptop", "expired", "What Ana works with when she is not at her desk"]),
            row(["phone", "active", ""]),
        ]
    }

    #[test]
    fn a_table_is_cut_to_the_screen_and_whole_elsewhere() {
        let plain = |text: &str, _: Mark| text.to_owned();
        insta::assert_snapshot!(lines(&rows(), Some(40), plain).join("\n"), @"
        NAME    STATE    DESCRIPTION
        ana
        laptop  expired  What Ana works with wh…
        phone   active
        ");
        assert!(lines(&rows(), None, plain)[2].ends_with("at her desk"));
    }

    #[test]
    fn colour_is_around_the_word_and_not_around_the_blanks() {
        let painted = lines(&rows(), None, |text, _| format!("<{text}>"));
        assert!(painted[2].starts_with("laptop  <expired>  What"), "{}", painted[2]);
    }
}
