//! What Node's own reader (`node --env-file`) makes of the lines above an entry.
//!
//! Up to version 20 it looks for the next `=` wherever a line has none, blanks and all; since version 22 it looks for a
//! value in the lines below where nothing but blanks stands behind an `=`. A comment that has a `=` ends both.

use super::scan::{Line, line_ending};

/// The line that we write above an entry which Node would not find otherwise.
pub(super) const GUARD: &str = "# = (this line lets Node.js read the next one)\n";

/// Where Node is when it has read some lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Position {
    /// At the start of a line.
    Clear,
    /// Still looking for the `=` or the value of an entry above.
    RunsOn,
    /// It may be in a quoted text that this line (an index) starts.
    Lost(usize),
}

/// Where it is above the line `end`. The `others` are the lines that are not [as we write
/// them](super::spelling::is_as_written): below any other it is at the start of a line.
pub(super) fn position(lines: &[Line], others: &[usize], end: usize, byte_order_mark: bool) -> Position {
    let (mut name_open, mut value_open) = (false, false);
    let mut next = 0;
    for at in others.iter().copied().take_while(|at| *at < end) {
        if at > next {
            (name_open, value_open) = (false, false);
        }
        next = at + 1;
        let line = &lines[at];
        let text = line.text.strip_suffix(line_ending(&line.text)).unwrap_or(&line.text);
        let marked = byte_order_mark && at == 0;
        let blank = text.trim().is_empty();
        value_open = if blank { value_open } else { has_blank_value(line, text) };
        match text.split_once('=') {
            _ if !name_open && !marked && (text.is_empty() || text.starts_with('#')) => {}
            None => name_open = true,
            Some((_, value)) => {
                if line.assignment.is_none() && opens_quote(value) {
                    return Position::Lost(at);
                }
                name_open = false;
            }
        }
    }
    if next == end && (name_open || value_open) { Position::RunsOn } else { Position::Clear }
}

/// Whether blanks, and nothing else, stand behind the `=`.
fn has_blank_value(line: &Line, text: &str) -> bool {
    let value = line.assignment.as_ref().map_or("", |assignment| &text[assignment.value.start..]);
    !value.is_empty() && value.trim().is_empty()
}

fn opens_quote(value: &str) -> bool {
    let value = value.trim_start();
    value.strip_prefix(['\'', '"', '`']).is_some_and(|rest| !rest.contains(&value[..1]))
}
