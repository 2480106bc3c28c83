//! The result, as one table, and whether the bars hold.

use std::time::Duration;

use latchkey::api::Function as Which;

use super::cold::{Cold, Subject};
use super::warm::Warm;

/// Something that was promised.
#[derive(Debug)]
pub(super) struct Bar {
    what: String,
    measured: Option<f64>,
    most: f64,
    unit: &'static str,
}

impl Bar {
    /// Whether it holds; what could not be measured is only told.
    pub(super) fn holds(&self) -> bool {
        self.measured.is_none_or(|measured| measured <= self.most)
    }

    fn print(&self) {
        let verdict = match self.measured {
            None => "not measured".to_owned(),
            Some(measured) => {
                let word = if self.holds() { "holds" } else { "FAILS" };
                format!("{measured:.2} {}, {word}", self.unit)
            }
        };
        println!("  {:<62} at most {:>6} {}: {verdict}", self.what, self.most, self.unit);
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

pub(super) fn print(rows: &[(Subject, Cold)], warm: Option<&Warm>) -> Vec<Bar> {
    let noop = rows.iter().find(|(subject, _)| *subject == Subject::Noop).map(|(_, cold)| *cold);
    let noop = noop.expect("the no-op was measured");
    let times = |time: Duration| time.as_secs_f64() / noop.ready.as_secs_f64();
    println!("CPU in ms, medians; x: times the no-op's CPU until ready\n");
    println!(
        "{:<14} {:>15} {:>15} {:>15} {:>12} {:>9} {:>8}",
        "function", "before the read", "until ready", "first answer", "7 % quota", "peak MiB", "size MB"
    );
    for (subject, cold) in rows {
        let with_ratio = |time: Duration| format!("{:.2} ({:.2}x)", millis(time), times(time));
        println!(
            "{:<14} {:>15} {:>15} {:>15} {:>12} {:>9.1} {:>8}",
            subject.name(),
            cold.before_read.map_or_else(|| "-".to_owned(), with_ratio),
            with_ratio(cold.ready),
            with_ratio(cold.answered),
            cold.under_quota.map_or_else(|| "-".to_owned(), |time| format!("{:.0} ms", millis(time))),
            cold.memory,
            if cold.size > 0.0 { format!("{:.2}", cold.size) } else { "-".to_owned() },
        );
    }
    let Some(warm) = warm else {
        println!("\n`authorize` or `introspect` is not built: nothing was measured warm, and no bar is held");
        return Vec::new();
    };
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    println!("\nwarm, CPU of one request in µs, the runtime's loop included:");
    println!(
        "  no-op {:.0}, one GetItem {:.0}, authorize {:.0}, introspect {:.0}",
        micros(warm.noop),
        micros(warm.get_item),
        micros(warm.authorize),
        micros(warm.introspect)
    );
    println!("\nbars:");
    let bars = bars(rows, warm, times);
    bars.iter().for_each(Bar::print);
    bars
}

fn bars(rows: &[(Subject, Cold)], warm: &Warm, times: impl Fn(Duration) -> f64) -> Vec<Bar> {
    let ours = || rows.iter().filter(|(subject, _)| matches!(subject, Subject::Function(_))).map(|(_, cold)| cold);
    let checks = |(subject, _): &&(Subject, Cold)| {
        [Which::AUTHORIZE, Which::INTROSPECT].map(Subject::Function).contains(subject)
    };
    let most = |values: &mut dyn Iterator<Item = f64>| values.reduce(f64::max);
    let bar = |what: &str, measured: Option<f64>, most: f64, unit: &'static str| Bar {
        what: what.to_owned(),
        measured,
        most,
        unit,
    };
    let over = |all: Duration| (all.saturating_sub(warm.noop)).as_secs_f64();
    let mut before = ours().filter_map(|cold| cold.before_read).map(&times);
    let mut ready = ours().map(|cold| times(cold.ready));
    let mut answered = rows.iter().filter(checks).map(|(_, cold)| millis(cold.answered));
    let mut throttled = rows.iter().filter(checks).filter_map(|(_, cold)| cold.under_quota).map(millis);
    vec![
        bar("any function, CPU until ready, before its read / the no-op's", most(&mut before), 1.6, "x"),
        bar("any function, CPU until ready / the no-op's", most(&mut ready), 3.0, "x"),
        bar("authorize, introspect: CPU to the first verified answer", most(&mut answered), 7.0, "ms"),
        bar("the same under a quota of 7 %", most(&mut throttled), 130.0, "ms"),
        bar("peak memory of any function", most(&mut ours().map(|cold| cold.memory)), 9.0, "MiB"),
        bar("size of any function", most(&mut ours().map(|cold| cold.size)), 7.5, "MB"),
        bar(
            "authorize, warm / one GetItem, both with the runtime's loop",
            Some(warm.authorize.as_secs_f64() / warm.get_item.as_secs_f64()),
            1.15,
            "x",
        ),
        bar(
            "authorize, warm / one GetItem, both without it",
            Some(over(warm.authorize) / over(warm.get_item)),
            1.15,
            "x",
        ),
        bar("a check without its read", warm.check.map(|time| time.as_secs_f64() * 1e6), 2.0, "µs"),
    ]
}
