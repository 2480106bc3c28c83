//! The requests to one app, or to one stage of a pipeline.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use super::failure::failed;
use super::settings::Target;
use crate::SinkError;
use crate::bearer::{Api, encoded};
use crate::deadline::Deadline;
use crate::host::{Ask, Effect};
use crate::transport::Incoming;

/// Names the third version of the API; without it Heroku answers 406.
const ACCEPT: &str = "application/vnd.heroku+json; version=3";
/// How many releases are looked through for one that succeeded.
const RELEASES: u32 = 50;

/// A value that is wiped. It has no `Debug`.
pub(super) struct Value(pub(super) Zeroizing<String>);

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Zeroizing::new(text)))
    }
}

/// All config vars by name.
pub(super) type Vars = BTreeMap<String, Value>;

/// What is to change: a value, or none to remove it.
pub(super) type Changes<'a> = BTreeMap<&'a str, Option<&'a str>>;

/// An app or a stage, reached with one login.
#[derive(Debug)]
pub(super) struct Calls {
    pub(super) api: Api,
    pub(super) target: Target,
    /// The app's own id, once Heroku has named it.
    pub(super) id: OnceLock<String>,
}

/// A release of an app.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Release {
    pub(super) version: u64,
    #[serde(default)]
    pub(super) status: Status,
}

/// A release in a list, which names its app.
#[derive(Deserialize)]
struct Listed {
    #[serde(flatten)]
    release: Release,
    #[serde(default)]
    app: Option<Named>,
}

#[derive(Deserialize)]
struct Named {
    id: String,
}

/// How a release went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    /// Its release-phase command runs; dynos run the release before.
    Pending,
    #[default]
    Succeeded,
    Failed,
    Expired,
}

impl Calls {
    /// Which app or stage, for messages.
    pub(super) fn whose(&self) -> String {
        match &self.target {
            Target::App(app) => format!("app `{app}`"),
            Target::Pipeline { id, stage } => format!("stage `{}` of the pipeline `{id}`", stage.name()),
        }
    }

    fn path(&self) -> String {
        match &self.target {
            Target::App(app) => format!("/apps/{}/config-vars", encoded(app)),
            Target::Pipeline { id, stage } => {
                format!("/pipelines/{}/stage/{}/config-vars", encoded(id), stage.name())
            }
        }
    }

    async fn read<T: for<'de> Deserialize<'de>>(
        &self,
        path: &str,
        range: Option<&str>,
        what: &str,
    ) -> Result<(T, Incoming), SinkError> {
        let answer = self.api.ask(|| asked(path, range)).await?;
        // A range is answered in part.
        if !matches!(answer.status, 200 | 206) {
            return Err(failed(&answer, &self.whose(), what));
        }
        Ok((parsed(&answer)?, answer))
    }

    /// The same; `None` where there is nothing.
    pub(super) async fn read_if_there<T: for<'de> Deserialize<'de>>(
        &self,
        path: &str,
        range: Option<&str>,
        what: &str,
    ) -> Result<Option<(T, Incoming)>, SinkError> {
        let answer = self.api.ask(|| asked(path, range)).await?;
        match answer.status {
            200 | 206 => Ok(Some((parsed(&answer)?, answer))),
            404 => Ok(None),
            _ => Err(failed(&answer, &self.whose(), what)),
        }
    }

    /// The config vars of another app as they stand; `None` when it is gone.
    pub(super) async fn vars_of(&self, app: &str, what: &str) -> Result<Option<Vars>, SinkError> {
        let path = format!("/apps/{}/config-vars", encoded(app));
        Ok(self.read_if_there::<Vars>(&path, None, what).await?.map(|(vars, _)| vars))
    }

    /// The config vars as they stand.
    pub(super) async fn vars(&self) -> Result<(Vars, Incoming), SinkError> {
        self.read(&self.path(), None, &format!("read the config vars of {}", self.whose())).await
    }

    /// The names of the config vars. Heroku answers with their values too, which nothing here keeps.
    #[expect(
        clippy::zero_sized_map_values,
        reason = "the answer is a map, and its values are dropped as they are read"
    )]
    pub(super) async fn names(&self) -> Result<Vec<String>, SinkError> {
        let what = format!("read the config vars of {}", self.whose());
        let (names, _) = self.read::<BTreeMap<String, IgnoredAny>>(&self.path(), None, &what).await?;
        Ok(names.into_keys().collect())
    }

    /// Changes config vars, all in one request and so in one release. Not sent twice by itself: each time it would
    /// restart the app.
    pub(super) async fn change(&self, changes: &Changes<'_>, deadline: Deadline) -> Result<(), SinkError> {
        let path = self.path();
        let ask = || Ask::new("PATCH", &*path, Effect::Once(deadline)).header("accept", ACCEPT).json(changes);
        let answer = self.api.ask(ask).await?;
        if answer.status == 200 {
            return Ok(());
        }
        let error = failed(&answer, &self.whose(), &format!("change the config vars of {}", self.whose()));
        Err(self.api.of_change(&answer, error))
    }

    /// The newest releases of an app, newest first.
    async fn releases(&self, app: &str, most: u32) -> Result<Vec<Release>, SinkError> {
        let path = format!("/apps/{}/releases", encoded(app));
        let range = format!("version ..; order=desc, max={most}");
        let what = format!("read the releases of {}", self.whose());
        let (listed, _) = self.read::<Vec<Listed>>(&path, Some(&range), &what).await?;
        if let (Target::App(own), Some(named)) = (&self.target, listed.iter().find_map(|listed| listed.app.as_ref()))
            && own == app
        {
            self.id.get_or_init(|| named.id.clone());
        }
        let mut releases: Vec<Release> = listed.into_iter().map(|listed| listed.release).collect();
        releases.sort_by_key(|release| std::cmp::Reverse(release.version));
        Ok(releases)
    }

    /// The newest release; none for a pipeline, which has no releases.
    pub(super) async fn newest(&self) -> Result<Option<Release>, SinkError> {
        let Target::App(app) = &self.target else { return Ok(None) };
        self.newest_of(app).await
    }

    /// The newest release of an app.
    pub(super) async fn newest_of(&self, app: &str) -> Result<Option<Release>, SinkError> {
        Ok(self.releases(app, 1).await?.into_iter().next())
    }

    /// The newest release that succeeded: the one that dynos run when a newer one did not. With its config vars.
    pub(super) async fn serving(&self, app: &str) -> Result<Option<(u64, Vars)>, SinkError> {
        let releases = self.releases(app, RELEASES).await?;
        let full = releases.len() >= RELEASES as usize;
        let found = releases.into_iter().find(|release| release.status == Status::Succeeded);
        let Some(Release { version, .. }) = found else {
            // An older one may be running.
            let reason = format!("none of the newest {RELEASES} releases of {} succeeded", self.whose());
            return if full { Err(SinkError::Unreachable { reason }) } else { Ok(None) };
        };
        let path = format!("/apps/{}/releases/{version}/config-vars", encoded(app));
        let (vars, _) = self.read::<Vars>(&path, None, &format!("read a release of {}", self.whose())).await?;
        Ok(Some((version, vars)))
    }

    /// The app's own id, whatever the settings call it. Releases name it, and a look has mostly asked for them.
    pub(super) async fn app_id(&self) -> Option<&String> {
        if self.id.get().is_none() {
            let _ = self.newest().await;
        }
        self.id.get()
    }

    /// How many requests the account has left. Asking costs none.
    pub(super) async fn left(&self) -> Result<i64, SinkError> {
        #[derive(Deserialize)]
        struct Limits {
            remaining: i64,
        }
        let (limits, _) = self.read::<Limits>("/account/rate-limits", None, "read the account's rate limit").await?;
        Ok(limits.remaining)
    }
}

fn parsed<T: for<'de> Deserialize<'de>>(answer: &Incoming) -> Result<T, SinkError> {
    // What exactly is wrong is dropped, as it may hold a value.
    serde_json::from_slice(&answer.body)
        .map_err(|_| SinkError::Unreachable { reason: "Heroku's answer to a request cannot be read".to_owned() })
}

fn asked(path: &str, range: Option<&str>) -> Ask {
    let ask = Ask::read(path).header("accept", ACCEPT);
    range.into_iter().fold(ask, |ask, range| ask.header("range", range))
}
