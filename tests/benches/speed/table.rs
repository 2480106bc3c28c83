//! The result: one table of ratios, and the same as JSON.

use serde_json::{Value, json};
use tests::deployment::root;

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Seconds,
    PerSecond,
    Mebibytes,
    Bytes,
}

/// What was promised: of the ratio where there is another, and else of the number itself.
#[derive(Debug, Clone, Copy)]
pub(super) enum Bar {
    AtMost(f64),
    AtLeast(f64),
}

/// One row: what ours takes, and what another does for the same.
#[derive(Debug)]
pub(super) struct Row {
    what: String,
    /// CPU, p50 and the like.
    measure: &'static str,
    unit: Unit,
    ours: f64,
    other: Option<(String, f64)>,
    bar: Option<Bar>,
}

impl Row {
    pub(super) fn new(what: impl Into<String>, measure: &'static str, unit: Unit, ours: f64) -> Self {
        Self { what: what.into(), measure, unit, ours, other: None, bar: None }
    }

    /// Sets another's number beside it.
    pub(super) fn beside(self, other: impl Into<String>, number: f64) -> Self {
        Self { other: Some((other.into(), number)), ..self }
    }

    pub(super) fn bar(self, bar: Bar) -> Self {
        Self { bar: Some(bar), ..self }
    }

    fn ratio(&self) -> Option<f64> {
        self.other.as_ref().map(|(_, number)| self.ours / number)
    }

    /// Whether the bar holds, where there is one.
    fn holds(&self) -> Option<bool> {
        let measured = self.ratio().unwrap_or(self.ours);
        self.bar.map(|bar| match bar {
            Bar::AtMost(most) => measured <= most,
            Bar::AtLeast(least) => measured >= least,
        })
    }

    fn told_bar(&self) -> String {
        let shown = |number: f64| if self.other.is_some() { ratio(number) } else { shown(number, self.unit) };
        match self.bar {
            None => String::new(),
            Some(Bar::AtMost(most)) => format!("<= {}", shown(most)),
            Some(Bar::AtLeast(least)) => format!(">= {}", shown(least)),
        }
    }

    fn json(&self) -> Value {
        json!({
            "what": self.what, "measure": self.measure, "unit": self.unit.word(), "ours": self.ours,
            "other": self.other.as_ref().map(|(name, _)| name), "other_measured": self.other.as_ref().map(|(_, number)| number),
            "ratio": self.ratio(), "bar": self.told_bar(), "holds": self.holds(),
        })
    }
}

impl Unit {
    fn word(self) -> &'static str {
        match self {
            Self::Seconds => "s",
            Self::PerSecond => "/s",
            Self::Mebibytes => "MiB",
            Self::Bytes => "bytes",
        }
    }
}

/// A number in the unit that people read.
fn shown(number: f64, unit: Unit) -> String {
    match unit {
        Unit::Seconds if number < 0.0995e-3 => format!("{:.1} us", 1e6 * number),
        Unit::Seconds if number < 0.995e-3 => format!("{:.0} us", 1e6 * number),
        Unit::Seconds if number < 9.95e-3 => format!("{:.2} ms", 1e3 * number),
        Unit::Seconds if number < 0.995 => format!("{:.0} ms", 1e3 * number),
        Unit::Seconds => format!("{number:.2} s"),
        Unit::PerSecond => format!("{number:.0}/s"),
        Unit::Mebibytes => format!("{number:.1} MiB"),
        Unit::Bytes => format!("{number:.0} B"),
    }
}

fn ratio(number: f64) -> String {
    if number < 0.0995 { format!("{number:.3}") } else { format!("{number:.2}") }
}

/// All rows, printed as they come.
#[derive(Debug)]
pub(super) struct Table {
    rows: Vec<Row>,
    skipped: Vec<String>,
}

impl Table {
    /// An empty one: prints what the columns are.
    pub(super) fn begin() -> Self {
        println!(
            "\n{:<50} {:<8} {:>9} {:>9}  {:<64} {:>6} {:>12}",
            "what", "measure", "ours", "other", "which other", "ratio", "bar"
        );
        Self { rows: Vec::new(), skipped: Vec::new() }
    }

    pub(super) fn add(&mut self, row: Row) {
        let (name, other) =
            row.other.as_ref().map_or(("", String::new()), |(name, number)| (name.as_str(), shown(*number, row.unit)));
        let verdict = match row.holds() {
            Some(true) => "holds",
            Some(false) => "FAILS",
            None => "",
        };
        let line = format!(
            "{:<50} {:<8} {:>9} {:>9}  {:<64} {:>6} {:>12} {verdict}",
            row.what,
            row.measure,
            shown(row.ours, row.unit),
            other,
            name,
            row.ratio().map(ratio).unwrap_or_default(),
            row.told_bar()
        );
        println!("{}", line.trim_end());
        self.rows.push(row);
    }

    /// Something that could not be measured here, and why.
    pub(super) fn skip(&mut self, what: &str, why: &str) {
        println!("SKIPPED: {what}: {why}");
        self.skipped.push(format!("{what}: {why}"));
    }

    /// Writes it as JSON; whether all bars hold.
    pub(super) fn end(self, file: &str, measured: &str) -> bool {
        let rows: Vec<Value> = self.rows.iter().map(Row::json).collect();
        let text = json!({"measured": measured, "rows": rows, "skipped": self.skipped}).to_string() + "\n";
        let path = root().join(file);
        std::fs::create_dir_all(path.parent().expect("its folder")).expect("a folder can be created");
        latchkey_sinks::files::write_atomic(&path, text.as_bytes(), 0o644).expect("a file of one's own can be written");
        let failed = self.rows.iter().filter(|row| row.holds() == Some(false)).count();
        let held = self.rows.iter().filter(|row| row.holds() == Some(true)).count();
        println!("\n{held} bars hold, {failed} fail, {} were SKIPPED; as JSON in {file}", self.skipped.len());
        failed == 0
    }
}
