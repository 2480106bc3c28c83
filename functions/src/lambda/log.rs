//! One JSON line an invocation, for people and for CloudWatch: the line is its own embedded metrics.
//!
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>
//!
//! No secret is in it: only what a [`Record`] contains and what the gateway reports of a request.

use std::io::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use crate::api::{Function, Record};
use crate::table::Counted;

/// The namespace of the metrics.
const NAMESPACE: &str = "Latchkey";

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    Info,
    Warn,
    Error,
}

/// What is said of one invocation.
#[derive(Debug)]
pub(super) struct Invocation<'a> {
    pub(super) at: Timestamp,
    pub(super) function: Function,
    /// The gateway's id of the request, which its access log has too.
    pub(super) request_id: &'a str,
    /// Lambda's id of the invocation.
    pub(super) lambda_id: &'a str,
    pub(super) record: &'a Record,
    /// The status of the reply; none for an authorizer.
    pub(super) status: Option<u16>,
    pub(super) level: Level,
    /// A word for what came of it, where the record has none.
    pub(super) outcome: &'static str,
    pub(super) latency: Duration,
    /// Whether it was the first of this process.
    pub(super) cold: bool,
    /// What the table was asked for it.
    pub(super) table: Counted,
}

#[derive(Serialize)]
struct Line<'a> {
    level: Level,
    time: Timestamp,
    function: &'static str,
    request_id: &'a str,
    lambda_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    route: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    caller: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    check: Option<&'static str>,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    internal: Option<&'a str>,
    cold: bool,
    latency_ms: f64,
    table_calls: u64,
    table_units: f64,
    table_retries: u64,
    throttles: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    checks: Option<u8>,
    #[serde(rename = "_aws")]
    metrics: Metrics,
}

impl Invocation<'_> {
    /// The line.
    pub(super) fn line(&self) -> String {
        let record = self.record;
        let line = Line {
            level: self.level,
            time: self.at,
            function: self.function.as_str(),
            request_id: self.request_id,
            lambda_id: self.lambda_id,
            route: record.route.as_deref(),
            caller: record.caller.as_deref(),
            token: record.token.as_ref().map(crate::secret::TokenId::as_str),
            check: record.check,
            outcome: record.code.unwrap_or(self.outcome),
            status: self.status,
            internal: record.internal.as_deref(),
            cold: self.cold,
            latency_ms: (self.latency.as_secs_f64() * 1e6).round() / 1e3,
            table_calls: self.table.calls,
            table_units: self.table.units,
            table_retries: self.table.retries,
            throttles: self.table.throttles,
            checks: record.check.map(|_| 1),
            metrics: Metrics::of(self.at, record.check.is_some()),
        };
        serde_json::to_string(&line).unwrap_or_default()
    }
}

/// Which members of the line are metrics, and by what they are told apart.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Metrics {
    timestamp: i64,
    cloud_watch_metrics: &'static [Set],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Set {
    namespace: &'static str,
    dimensions: &'static [&'static [&'static str]],
    metrics: &'static [Metric],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Metric {
    name: &'static str,
    unit: &'static str,
}

/// The sets of a line without a check are all but the last.
const SETS: &[Set] = &[
    Set {
        namespace: NAMESPACE,
        dimensions: &[&["function"]],
        metrics: &[Metric { name: "latency_ms", unit: "Milliseconds" }, Metric { name: "throttles", unit: "Count" }],
    },
    Set {
        namespace: NAMESPACE,
        dimensions: &[&["function", "check"]],
        metrics: &[Metric { name: "checks", unit: "Count" }],
    },
];

impl Metrics {
    fn of(at: Timestamp, checked: bool) -> Self {
        let sets = if checked { SETS } else { &SETS[..1] };
        Self { timestamp: at.as_millisecond(), cloud_watch_metrics: sets }
    }
}

/// The member of a line that says which of its members are metrics of the function, each with its unit.
pub(super) fn metrics(at: Timestamp, metrics: &[(&str, &str)]) -> serde_json::Value {
    let metrics: Vec<_> = metrics.iter().map(|(name, unit)| json!({ "Name": name, "Unit": unit })).collect();
    let set = json!({ "Namespace": NAMESPACE, "Dimensions": [["function"]], "Metrics": metrics });
    json!({ "Timestamp": at.as_millisecond(), "CloudWatchMetrics": [set] })
}

/// A line about something else than an invocation.
pub(super) fn note(at: Timestamp, level: Level, function: Function, message: &str, internal: &str) -> String {
    let line = json!({
        "level": level, "time": at, "function": function.as_str(), "message": message, "internal": internal,
    });
    line.to_string()
}

/// Writes a line at once and whole, so that Lambda never takes two for one.
pub(super) fn write(mut line: String) {
    line.push('\n');
    // There is nobody to tell that the log is gone.
    let _ = std::io::stdout().lock().write_all(line.as_bytes());
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    const NOTHING: Counted = Counted { calls: 0, retries: 0, throttles: 0, units: 0.0, index_units: 0.0 };

    fn line(record: &Record) -> Value {
        let invocation = Invocation {
            at: "2026-11-22T10:00:00.5Z".parse().unwrap(),
            function: Function::AUTHORIZE,
            request_id: "gateway",
            lambda_id: "lambda",
            record,
            status: None,
            level: Level::Info,
            outcome: "ok",
            latency: Duration::from_micros(1234),
            cold: true,
            table: Counted { calls: 1, units: 1.0, throttles: 2, ..NOTHING },
        };
        serde_json::from_str(&invocation.line()).unwrap()
    }

    #[test]
    fn every_metric_and_dimension_is_a_member_of_the_line() {
        let record = Record { check: Some("valid"), caller: Some("ana".to_owned()), ..Record::default() };
        let line = line(&record);
        let sets = line["_aws"]["CloudWatchMetrics"].as_array().unwrap();
        assert_eq!(sets.len(), 2);
        for set in sets {
            assert_eq!(set["Namespace"], NAMESPACE);
            for metric in set["Metrics"].as_array().unwrap() {
                assert!(line[metric["Name"].as_str().unwrap()].is_number(), "{metric}");
            }
            for name in set["Dimensions"][0].as_array().unwrap() {
                assert!(line[name.as_str().unwrap()].is_string(), "{name}");
            }
        }
        assert_eq!(line["_aws"]["Timestamp"], 1_795_341_600_500_i64);
        assert_eq!(line["latency_ms"], 1.234);
        assert_eq!(line["throttles"], 2);
    }

    #[test]
    fn what_was_not_checked_counts_no_check() {
        let line = line(&Record::default());
        assert_eq!(line["_aws"]["CloudWatchMetrics"].as_array().unwrap().len(), 1);
        assert!(line.get("checks").is_none() && line.get("check").is_none());
    }

    #[test]
    fn the_code_of_a_problem_is_the_outcome() {
        let record = Record { code: Some("not_found"), ..Record::default() };
        assert_eq!(line(&record)["outcome"], "not_found");
        assert_eq!(line(&Record::default())["outcome"], "ok");
    }
}
