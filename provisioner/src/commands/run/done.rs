//! How a run ended: what it sends, prints and exits with.

use std::sync::atomic::AtomicBool;

use serde_json::{Value, json};

use super::super::exit::{Code, Fault};
use super::super::{notices, publish};
use super::Ended;
use crate::apply::Outcome;
use crate::manifest::Manifest;
use crate::notify::Sent;
use crate::output::{Format, Printer, actions, markdown, outcome_json, plan_json};
use crate::plan::{self, Labels, Plan};
use crate::service::Client;
use latchkey_sinks::reading::Allowances;

/// How publishing the manifest went.
pub(super) enum Publishing {
    /// Nobody asked for it.
    Unwanted,
    /// The run did not end well.
    LeftOut,
    Tried(Result<Box<publish::Report>, Fault>),
}

/// What a run did under its leases.
pub(super) struct Done {
    pub(super) plan: Option<Plan>,
    pub(super) changed: bool,
    pub(super) total: Outcome,
    pub(super) labels: Labels,
    pub(super) publishing: Publishing,
}

impl Done {
    fn is_good(&self) -> bool {
        self.total.is_good() && !self.plan.as_ref().is_some_and(Plan::is_blocked)
    }

    pub(super) fn code(&self) -> Code {
        let mut blocked = self.plan.iter().flat_map(|plan| &plan.tokens).flat_map(|token| &token.blocked);
        match self.is_good() {
            true => Code::Done,
            false if blocked.any(plan::Blocked::passes) || self.total.can_continue() => Code::Partly,
            false => Code::Error,
        }
    }

    /// Sends what there is to tell, and prints how it went. The leases are given back by then: no other run waits for a
    /// receiver.
    pub(super) async fn end(
        self,
        printer: Printer,
        (client, manifest): (&Client, &Manifest),
        notify: Option<&Allowances>,
        stop: &AtomicBool,
    ) -> Result<Ended, Fault> {
        let notices = match notify {
            Some(allowances) => {
                let untold = notices::Untold::of(self.plan.as_ref(), &self.total, &self.labels);
                notices::at_the_end(printer, (client, manifest), &untold, (allowances, stop)).await
            }
            None => None,
        };
        self.tell(printer, manifest, notices.as_ref())?;
        let failed = self.total.failures.iter().map(|failure| failure.subject.clone()).collect();
        let code = self.code();
        match self.publishing {
            Publishing::Tried(Err(fault)) => Err(fault),
            _ => Ok(Ended { code, failed }),
        }
    }

    /// Prints it, with what was published.
    fn tell(&self, printer: Printer, manifest: &Manifest, notices: Option<&Sent>) -> Result<(), Fault> {
        let report = match &self.publishing {
            Publishing::Unwanted => return self.print(printer, None, notices),
            Publishing::LeftOut | Publishing::Tried(Err(_)) => None,
            Publishing::Tried(Ok(report)) => Some(report),
        };
        self.print(printer, Some(report.map_or(Value::Null, |report| report.as_json())), notices)?;
        if matches!(self.publishing, Publishing::LeftOut) {
            printer.tell("nothing was published, as the run did not end well; what was published before is unchanged");
        }
        match (report, printer.format) {
            (Some(report), Format::Text | Format::Markdown) => report.show(printer, &manifest.name),
            _ => Ok(()),
        }
    }

    fn print(&self, printer: Printer, published: Option<Value>, notices: Option<&Sent>) -> Result<(), Fault> {
        let Self { plan, changed, total, labels, .. } = self;
        let (plan, changed) = (plan.as_ref(), *changed);
        let good = self.is_good();
        let failed = total.failures.len()
            + plan.map_or(0, |plan| plan.tokens.iter().filter(|token| !token.blocked.is_empty()).count());
        let sum = if good {
            format!("Done: {} changed", total.done)
        } else {
            format!("Incomplete: {} changed, {failed} failed", total.done)
        };
        let unchanged = || plan.map_or_else(String::new, plan::summary);
        let page = markdown::outcome(&if good && !changed { unchanged() } else { sum.clone() }, plan, total, labels);
        match printer.format {
            Format::Json => {
                let plan = plan.map(|plan| plan_json(plan, labels));
                let mut result = json!({ "plan": plan, "result": outcome_json(total) });
                if let Some(published) = published {
                    result["publication"] = published;
                }
                if let Some(notices) = notices {
                    result["notices"] = json!(notices);
                }
                printer.json(&result)?;
            }
            Format::Markdown => printer.block(&page)?,
            Format::Text if changed || !good => printer.result(&sum)?,
            Format::Text => {}
        }
        actions::summarise(&page);
        if let Some(notices) = notices {
            notices::show(printer, notices);
        }
        if total.stopped {
            printer.tell("stopped: no entry was left half-written; run it again to continue");
        }
        Ok(())
    }
}
