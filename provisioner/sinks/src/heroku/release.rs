//! Releases: a change of config vars is read by dynos once its release has succeeded, and not before.

use std::time::Duration;

use super::calls::{Calls, Status, Vars};
use super::settings::Target;
use crate::SinkError;
use crate::waiting::Waiting;

/// How long a release is waited for. A release-phase command may migrate a database.
const WAIT: Duration = Duration::from_mins(20);
const PAUSE: Duration = Duration::from_secs(5);
/// How long a release may take to show up in the list.
const SHOWS_WITHIN: Duration = Duration::from_secs(30);

/// Which values the dynos run with.
pub(super) enum Running {
    /// The config vars as they stand.
    Now,
    /// Those of before this release, until it has finished.
    Pending(u64),
    /// Those of an older release, as the newest did not succeed.
    Older { newest: u64, status: &'static str, serving: u64, vars: Vars },
}

impl Running {
    /// Why an entry is not what dynos run with, if so. `value` is what the config vars hold now.
    pub(super) fn behind(&self, name: &str, value: Option<&str>) -> Option<SinkError> {
        match self {
            Self::Now => None,
            Self::Pending(version) => Some(SinkError::Unreachable {
                reason: format!("release v{version} has not finished, so dynos still run with the value before it"),
            }),
            Self::Older { newest, status, serving, vars } => {
                let old = vars.get(name).map(|value| value.0.as_str());
                (old != value).then(|| SinkError::Unreachable {
                    reason: format!(
                        "release v{newest} {status}, so dynos still run v{serving} with the older value: see \
                         `heroku releases:output v{newest}`, and deploy again when that is fixed"
                    ),
                })
            }
        }
    }
}

impl Calls {
    /// Which values the dynos run with now. A pipeline has none.
    pub(super) async fn running(&self) -> Result<Running, SinkError> {
        match &self.target {
            Target::App(app) => self.running_of(app).await,
            Target::Pipeline { .. } => Ok(Running::Now),
        }
    }

    /// Which values the dynos of an app run with now.
    pub(super) async fn running_of(&self, app: &str) -> Result<Running, SinkError> {
        let Some(newest) = self.newest_of(app).await? else { return Ok(Running::Now) };
        let status = match newest.status {
            Status::Succeeded => return Ok(Running::Now),
            Status::Pending => return Ok(Running::Pending(newest.version)),
            Status::Failed => "failed",
            Status::Expired => "expired",
        };
        // Without one that succeeded nothing runs.
        let Some((serving, vars)) = self.serving(app).await? else { return Ok(Running::Now) };
        Ok(Running::Older { newest: newest.version, status, serving, vars })
    }

    /// What is waited for, in words.
    fn awaited(&self, version: Option<u64>) -> String {
        let of = match &self.target {
            Target::App(app) => format!("Heroku `{app}`"),
            Target::Pipeline { .. } => "Heroku's pipeline".to_owned(),
        };
        version.map_or_else(|| format!("{of}: its release"), |version| format!("{of}: release v{version}"))
    }

    /// Waits until the release that follows `before` has finished, or whichever is the newest then.
    pub(super) async fn released(&self, before: Option<u64>) -> Result<Running, SinkError> {
        let until = self.api.host.until(WAIT);
        let shown_by = self.api.host.until(SHOWS_WITHIN);
        let (mut waiting, mut waited_for) = (Waiting::begin(self.awaited(None)), None);
        loop {
            let missing = before.is_some() && self.newest().await?.map(|newest| newest.version) <= before;
            if missing && !shown_by.has_passed() {
                self.api.wait(PAUSE).await;
                continue;
            }
            let running = self.running().await?;
            let Running::Pending(version) = running else { return Ok(running) };
            if waited_for != Some(version) {
                (waiting, waited_for) = (Waiting::begin(self.awaited(Some(version))), Some(version));
            }
            if until.has_passed() {
                drop(waiting);
                return Ok(running);
            }
            self.api.wait(PAUSE).await;
        }
    }
}
