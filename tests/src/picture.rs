//! A terminal session as a picture: what the screen showed, in its colours, as an SVG of text that can be selected and
//! that is light or dark as its reader prefers.

use std::fmt::Write as _;

use vt100::{Cell, Color, Parser};

/// How many columns the terminal of a picture has.
pub const COLUMNS: u16 = 96;
/// More than a picture should have.
const ROWS: u16 = 120;
/// One cell, in units of the picture, in tenths; most fonts of equal width are 0.6 as wide as they are high.
const CELL: usize = 84;
const LINE: usize = 20;
const MARGIN: usize = 24;
const BAR: usize = 36;

const STYLE: &str = r#"  <style>
    svg { --paper: #fdfdfb; --bar: #ecece6; --ink: #1b1c1d; --dim: #5b5f64; --red: #b3261e; --green: #2b6a37; --yellow: #86500a; --blue: #24508f; --magenta: #8a3a86; --cyan: #0b6470 }
    @media (prefers-color-scheme: dark) { svg { --paper: #16181a; --bar: #25282b; --ink: #e6e6e3; --dim: #9aa0a6; --red: #f29c94; --green: #8fce9b; --yellow: #e8b45f; --blue: #9dbcf0; --magenta: #dda3da; --cyan: #7fd0dc } }
    text { fill: var(--ink); font: 14px ui-monospace, "SF Mono", "Cascadia Mono", "DejaVu Sans Mono", Menlo, Consolas, monospace; white-space: pre }
    .paper { fill: var(--paper) } .bar, .edge { fill: var(--bar) } .edge { fill: none; stroke: var(--bar); stroke-width: 2 } .dots { fill: var(--dim); opacity: .5 } .b { font-weight: bold } .dim { fill: var(--dim) }
    .red { fill: var(--red) } .green { fill: var(--green) } .yellow { fill: var(--yellow) } .blue { fill: var(--blue) } .magenta { fill: var(--magenta) } .cyan { fill: var(--cyan) }
  </style>
"#;

/// Draws what a terminal shows after `stream`, under a title.
///
/// # Panics
/// On a colour or a way of writing that no picture has yet: it would be drawn wrongly.
pub fn draw(title: &str, stream: &str) -> String {
    let mut terminal = Parser::new(ROWS, COLUMNS, 0);
    terminal.process(stream.as_bytes());
    let mut lines: Vec<String> = (0..ROWS).map(|row| line(&terminal, row)).collect();
    assert!(lines.last().is_some_and(String::is_empty), "the session is longer than a picture");
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    let width = 2 * MARGIN + usize::from(COLUMNS) * CELL / 10;
    let height = BAR + lines.len() * LINE + MARGIN;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" role=\"img\" aria-labelledby=\"title\">\n  <title id=\"title\">{}</title>\n{STYLE}",
        escaped(title)
    );
    let _ = write!(
        svg,
        "  <rect class=\"paper\" width=\"{width}\" height=\"{height}\" rx=\"8\"/>\n  <path class=\"bar\" d=\"M0 \
         {below}V8a8 8 0 0 1 8-8H{side}a8 8 0 0 1 8 8V{below}z\"/>\n  <rect class=\"edge\" x=\"1\" y=\"1\" \
         width=\"{}\" height=\"{}\" rx=\"7\"/>\n  <path class=\"dots\" d=\"M18 8a5 5 0 1 0 .1 0zM36 8a5 5 0 1 0 .1 \
         0zM54 8a5 5 0 1 0 .1 0z\"/>\n  <g xml:space=\"preserve\">\n",
        width - 2,
        height - 2,
        below = BAR - 10,
        side = width - 8,
    );
    for (index, line) in lines.iter().enumerate().filter(|(_, line)| !line.is_empty()) {
        let _ = writeln!(svg, "<text x=\"{MARGIN}\" y=\"{}\"{line}</text>", BAR + 14 + index * LINE);
    }
    svg + "  </g>\n</svg>\n"
}

/// A row of the screen from the end of its `<text ..` on, as wide as its cells in whatever font; nothing where the row
/// shows nothing.
fn line(terminal: &Parser, row: u16) -> String {
    let cells: Vec<&Cell> = (0..COLUMNS).filter_map(|column| terminal.screen().cell(row, column)).collect();
    let length = cells.iter().rposition(|cell| !shown(cell).trim().is_empty()).map_or(0, |last| last + 1);
    if length == 0 {
        return String::new();
    }
    let wide = length * CELL;
    let mut line = format!(" textLength=\"{}.{}\" lengthAdjust=\"spacingAndGlyphs\">", wide / 10, wide % 10);
    for run in cells[..length].chunk_by(|one, other| looks(one) == looks(other)) {
        let text = escaped(&run.iter().map(|cell| shown(cell)).collect::<String>());
        let looks = looks(run[0]);
        let _ = if looks.is_empty() || text.trim().is_empty() {
            write!(line, "{text}")
        } else {
            write!(line, "<tspan class=\"{looks}\">{text}</tspan>")
        };
    }
    line
}

fn shown(cell: &Cell) -> &str {
    if cell.has_contents() { cell.contents() } else { " " }
}

/// The classes of a cell.
fn looks(cell: &Cell) -> String {
    let unknown = cell.italic() || cell.underline() || cell.inverse() || cell.is_wide();
    assert!(!unknown && cell.bgcolor() == Color::Default, "no picture draws this yet: {cell:?}");
    let colour = match cell.fgcolor() {
        Color::Default => "",
        Color::Idx(1 | 9) => "red",
        Color::Idx(2 | 10) => "green",
        Color::Idx(3 | 11) => "yellow",
        Color::Idx(4 | 12) => "blue",
        Color::Idx(5 | 13) => "magenta",
        Color::Idx(6 | 14) => "cyan",
        other => panic!("no picture has this colour yet: {other:?}"),
    };
    let words = [colour, if cell.bold() { "b" } else { "" }, if cell.dim() { "dim" } else { "" }];
    words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
