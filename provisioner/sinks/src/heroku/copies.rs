//! Copies of a stage's config vars: review apps and CI runs get them when they are made, and keep them. Whoever uses one
//! reads an older version until it is made again, is set there by hand, or ends.

use futures_util::future::join_all;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::calls::{Calls, Vars};
use super::release::Running;
use super::settings::{Stage, Target};
use crate::SinkError;
use crate::bearer::encoded;
use crate::plural::noun_for;
use crate::value::contained;

/// How many parts a list may have.
const PARTS_MAX: usize = 100;
/// The most copies that are named.
const NAMED_MAX: usize = 10;

#[derive(Deserialize)]
struct ReviewApp {
    #[serde(default)]
    app: Option<Id>,
    status: String,
    #[serde(default)]
    branch: Option<String>,
    #[serde(default)]
    pr_number: Option<u64>,
}

#[derive(Deserialize)]
struct Id {
    #[serde(default)]
    id: Option<String>,
}

#[derive(Deserialize)]
struct TestRun {
    status: String,
    #[serde(default)]
    number: Option<u64>,
    #[serde(default)]
    commit_branch: Option<String>,
}

/// What one copy may run with.
enum Holds {
    /// These, one or the other.
    Vars(Vec<Vars>),
    /// Nobody can tell, and why.
    Unknown(&'static str),
    /// Nothing any more.
    Gone,
}

/// All copies of a stage's config vars.
pub(super) struct Copies {
    /// What they are: `review app`, `CI run`.
    noun: &'static str,
    copies: Vec<(String, Holds)>,
}

impl Copies {
    /// Why consumers of an entry may read an older version than `value`, which the stage holds.
    pub(super) fn behind(&self, name: &str, value: &str) -> Option<String> {
        let older = |vars: &Vars| {
            let copied = vars.get(name).map(|copied| copied.0.as_str());
            copied.is_some_and(|copied| copied != value && contained(copied).is_some())
        };
        let mut behind = Vec::new();
        for (who, holds) in &self.copies {
            match holds {
                Holds::Vars(vars) if vars.iter().any(older) => behind.push(who.clone()),
                Holds::Unknown(why) => behind.push(format!("{who} ({why})")),
                Holds::Vars(_) | Holds::Gone => {}
            }
        }
        let more = behind.len().saturating_sub(NAMED_MAX);
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        let named: Vec<&str> = behind.iter().take(NAMED_MAX).map(String::as_str).collect();
        (!named.is_empty()).then(|| {
            let noun = noun_for(behind.len(), self.noun);
            format!("the {noun} {}{more} may still use an older value, copied from here", named.join(", "))
        })
    }
}

impl Calls {
    /// The copies that there are of a stage's config vars; of an app's there are none.
    pub(super) async fn copies(&self) -> Result<Option<Copies>, SinkError> {
        match &self.target {
            Target::App(_) => Ok(None),
            Target::Pipeline { id, stage: Stage::Review } => self.review_apps(id).await.map(Some),
            Target::Pipeline { id, stage: Stage::Test } => self.test_runs(id).await.map(Some),
        }
    }

    async fn review_apps(&self, pipeline: &str) -> Result<Copies, SinkError> {
        let path = format!("/pipelines/{}/review-apps", encoded(pipeline));
        let apps: Vec<ReviewApp> = self.list(&path, "list the review apps").await?.unwrap_or_default();
        let copies = join_all(apps.into_iter().map(|app| async move {
            let who = named(app.branch.as_deref(), app.pr_number);
            Ok::<_, SinkError>((who, self.held_by(&app).await?))
        }));
        let copies = copies.await.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(Copies { noun: "review app", copies })
    }

    async fn held_by(&self, review: &ReviewApp) -> Result<Holds, SinkError> {
        let app = review.app.as_ref().and_then(|app| app.id.as_deref());
        match (review.status.as_str(), app) {
            ("deleted", _) | ("errored" | "deleting", None) => Ok(Holds::Gone),
            // When it gets its copy is Heroku's affair.
            ("pending" | "creating", _) => Ok(Holds::Unknown("being created")),
            (_, None) => Ok(Holds::Unknown("its app is not shown")),
            (_, Some(app)) => self.held_by_app(app).await,
        }
    }

    /// What an app runs with: its config vars, and until a newer release has succeeded those of an older one.
    async fn held_by_app(&self, app: &str) -> Result<Holds, SinkError> {
        let unreadable = Ok(Holds::Unknown("its config vars cannot be read"));
        let what = "read the config vars of a review app";
        let asked = async { Ok((self.vars_of(app, what).await?, self.running_of(app).await?)) };
        let asked: Result<_, SinkError> = asked.await;
        match asked {
            Ok((None, _)) => Ok(Holds::Gone),
            Ok((Some(vars), Running::Now)) => Ok(Holds::Vars(vec![vars])),
            Ok((Some(now), Running::Older { vars, .. })) => Ok(Holds::Vars(vec![now, vars])),
            Ok((Some(_), Running::Pending(_))) => Ok(Holds::Unknown("its release has not finished")),
            Err(SinkError::Denied { .. } | SinkError::Refused { .. }) => unreadable,
            Err(error) => Err(error),
        }
    }

    async fn test_runs(&self, pipeline: &str) -> Result<Copies, SinkError> {
        let path = format!("/pipelines/{}/test-runs", encoded(pipeline));
        // A pipeline without CI has none.
        let runs: Vec<TestRun> = self.list(&path, "list the CI runs").await?.unwrap_or_default();
        let active = runs
            .into_iter()
            .filter(|run| !matches!(run.status.as_str(), "succeeded" | "failed" | "errored" | "cancelled"));
        let copies = active.map(|run| {
            let who = named(run.commit_branch.as_deref(), run.number);
            (who, Holds::Unknown("it has not ended"))
        });
        Ok(Copies { noun: "CI run", copies: copies.collect() })
    }

    /// A whole list, part by part; `None` where there is no such list.
    async fn list<T: DeserializeOwned>(&self, path: &str, what: &str) -> Result<Option<Vec<T>>, SinkError> {
        let mut all = Vec::new();
        let mut range: Option<String> = None;
        for _ in 0..PARTS_MAX {
            let Some((part, answer)) = self.read_if_there::<Vec<T>>(path, range.as_deref(), what).await? else {
                return Ok(None);
            };
            all.extend(part);
            let next = answer.header("next-range").map(str::to_owned).filter(|_| answer.status == 206);
            if next.is_none() || next == range {
                return Ok(Some(all));
            }
            range = next;
        }
        Err(SinkError::Unreachable { reason: format!("the list of Heroku does not end: {what}") })
    }
}

/// A copy as people know it: by its branch, and the number of its pull request or run.
fn named(branch: Option<&str>, number: Option<u64>) -> String {
    let branch = branch.map(|branch| format!("`{branch}`"));
    let number = number.map(|number| format!("#{number}"));
    match (branch, number) {
        (Some(branch), Some(number)) => format!("{branch} {number}"),
        (one, other) => one.or(other).unwrap_or_else(|| "of an unknown branch".to_owned()),
    }
}
