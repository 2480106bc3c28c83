//! What a server counts, as `OpenMetrics` shows it, on an address of its own.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// The media type of what is shown.
pub(super) const KIND: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// From 0.1 ms to 6.5 s.
const BUCKETS: [f64; 9] = [0.0001, 0.0004, 0.0016, 0.0064, 0.0256, 0.1024, 0.4096, 1.6384, 6.5536];

/// What tells requests apart: routes are those of the table, never what a caller wrote.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Checked {
    result: &'static str,
}

/// The counters of a process.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Answered, Counter>,
    checks: Family<Checked, Counter>,
    seconds: Histogram,
    refused: Counter,
    pub(super) connections: Gauge,
    calls: Counter<u64, AtomicU64>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("latchkey");
        let requests = Family::<Answered, Counter>::default();
        let checks = Family::<Checked, Counter>::default();
        let (seconds, refused, connections) = (Histogram::new(BUCKETS), Counter::default(), Gauge::default());
        let calls = Counter::<u64, AtomicU64>::default();
        registry.register("requests", "Answered requests, by route and status", requests.clone());
        registry.register("checks", "Checks of tokens, by what was found", checks.clone());
        registry.register("request_seconds", "Time from a request to its answer", seconds.clone());
        registry.register("paced", "Requests that were refused as their caller asks too much", refused.clone());
        registry.register("connections", "Connections now", connections.clone());
        registry.register("table_calls", "Answered requests to the table", calls.clone());
        Self { registry, requests, checks, seconds, refused, connections, calls }
    }
}

impl Metrics {
    /// Counts an answer.
    pub(super) fn answered(&self, route: Option<&str>, status: u16, check: Option<&'static str>, took: Duration) {
        self.requests.get_or_create(&Answered { route: route.unwrap_or("none").to_owned(), status }).inc();
        self.seconds.observe(took.as_secs_f64());
        if let Some(result) = check {
            self.checks.get_or_create(&Checked { result }).inc();
        }
    }

    /// Counts a request that came too soon.
    pub(super) fn paced(&self) {
        self.refused.inc();
    }

    /// All of it, as text; `calls` is what the table has answered so far.
    pub(super) fn text(&self, calls: u64) -> String {
        let counted = self.calls.get();
        self.calls.inc_by(calls.saturating_sub(counted));
        let mut shown = String::new();
        // Writing into memory fails only where it is out of it.
        let _ = text::encode(&mut shown, &self.registry);
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_shown_as_openmetrics_has_it() {
        let metrics = Metrics::default();
        for _ in 0..3 {
            metrics.answered(Some("GET /v1/me"), 200, Some("valid"), Duration::from_millis(1));
        }
        metrics.answered(None, 404, None, Duration::from_secs(1));
        let text = metrics.text(7) + &metrics.text(9);
        for line in [
            "latchkey_requests_total{route=\"GET /v1/me\",status=\"200\"} 3",
            "latchkey_requests_total{route=\"none\",status=\"404\"} 1",
            "latchkey_checks_total{result=\"valid\"} 3",
            "latchkey_request_seconds_bucket{le=\"0.0016\"} 3",
            "latchkey_table_calls_total 7",
            "latchkey_table_calls_total 9",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }
}
