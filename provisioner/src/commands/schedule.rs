//! `provision rotate --every` and `provision serve --rotate`: a run that comes back and rotates what is due.

mod pauses;

use std::path::PathBuf;
use std::time::Duration;

use latchkey::entropy::{SystemEntropy, jitter};
use latchkey::lifetime::Seconds;

use super::arguments::{Allow, RunFlags};
use super::exit::{Code, Fault};
use super::interrupt::Signals;
use super::job;
use super::open::{self, IfMissing};
use super::run::{At, RunRequest, Stop, run_until};
use super::settings;
use crate::output::Printer;
use crate::plan::{Options, minute};
use crate::service::Client;
use latchkey_sinks::plural::count;
use pauses::Pauses;

/// The shortest time between two runs.
pub(super) const EVERY_MIN: Seconds = Seconds::minutes(1);

/// At most this much is added at random, so that many schedules do not come at once.
const JITTER_MAX: Duration = Duration::from_mins(5);

/// What comes back, and how often.
#[derive(Debug)]
pub(super) struct Schedule {
    pub(super) printer: Printer,
    /// Where the service is, where that is not what a manifest says.
    pub(super) service: Option<String>,
    pub(super) what: What,
    /// From the end of a run to the next.
    pub(super) every: Seconds,
}

/// What is rotated.
#[derive(Debug)]
pub(super) enum What {
    /// What a manifest declares.
    Manifest {
        /// Read anew for each run.
        file: Option<PathBuf>,
        allow: Allow,
        how: RunFlags,
    },
    /// What manifests have published.
    Published {
        /// What receivers of notices may be.
        allow: Allow,
    },
}

/// An interval as it is typed.
///
/// # Errors
/// When it is none, or too short.
pub(super) fn interval(text: &str) -> Result<Seconds, String> {
    let every: Seconds = text.parse().map_err(|error: latchkey::lifetime::SecondsError| error.to_string())?;
    if every < EVERY_MIN { Err(format!("an interval is at least {EVERY_MIN}")) } else { Ok(every) }
}

impl Schedule {
    /// Runs until it is interrupted; answers how the last run went. `client` is the service, where it is open already.
    pub(super) async fn run(&self, client: Option<&Client>, signals: &Signals) -> Code {
        let mut pauses = Pauses::default();
        loop {
            let code = match self.once(client, &mut pauses, signals).await {
                Ok(code) => code,
                Err(fault) => {
                    // The next run may go better: a server that is down, or a file that somebody is editing.
                    self.printer.error_with(&fault.message, &fault.details, fault.hint.as_deref());
                    fault.code
                }
            };
            if signals.have_ended() {
                return code;
            }
            self.printer.talk(&format!("next run in about {}", self.every));
            let every = Duration::from_secs(self.every.0);
            signals.pause(every + jitter(&SystemEntropy, (every / 10).min(JITTER_MAX))).await;
            if signals.have_ended() {
                return code;
            }
        }
    }

    async fn once(&self, client: Option<&Client>, pauses: &mut Pauses, signals: &Signals) -> Result<Code, Fault> {
        let (file, allow, how) = match &self.what {
            What::Manifest { file, allow, how } => (file, allow, how),
            What::Published { allow } => {
                let service = self.service.as_deref();
                self.printer.talk(&format!("rotating what is due of published manifests, every {}", self.every));
                return job::run(self.printer, service, &allow.allowances(), &signals.begin()).await;
            }
        };
        let manifest = open::load(self.printer, file.as_deref(), allow)?;
        let address = open::address(self.service.as_deref(), Some(&manifest))?;
        let opened = match client {
            Some(client) => client.clone(),
            None => open::client(&address, IfMissing::Create).await?,
        };
        settings::switch_on(self.printer, &opened, &manifest).await?;
        let allowances = allow.allowances();
        let now = opened.protocol().now();
        self.printer.talk(&format!("{}: rotating what is due, every {}", minute(now), self.every));
        let pausing = pauses.at(now);
        if let Some(until) = pauses.next().filter(|_| !pausing.is_empty()) {
            let tokens = count(pausing.len(), "token");
            self.printer.talk(&format!("{tokens} that failed before will be tried again from {} on", minute(until)));
        }
        let wish = RunRequest {
            how,
            may: Options::default(),
            only: &[],
            pausing: &pausing,
            machines: &[],
            plan_id: None,
            saved: None,
            asks: false,
            publish: false,
            notify: Some(&allowances),
        };
        let at = At { address: &address, client: &opened };
        let ended = run_until(self.printer, at, &manifest, wish, &Stop::Told(signals.begin())).await?;
        pauses.note(&ended.failed, now, self.every);
        Ok(ended.code)
    }
}
