//! The deployments of the fake's project, and which one production's addresses lead to.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::rows::Reader;
use super::{Call, PROJECT, PROJECT_ID, Reply};

/// A deployment, and what it reads.
pub(super) struct Deployment {
    id: String,
    made: i64,
    pub(super) reader: Reader,
    state: &'static str,
    substate: &'static str,
    values: Vec<(String, String)>,
    deleted: Option<i64>,
}

/// All of them, in the order in which they were made.
#[derive(Default)]
pub(super) struct Deployments {
    all: Vec<Deployment>,
    /// The one that production's addresses lead to.
    live: Option<usize>,
    /// Those that the project names for custom environments.
    pub(super) named: BTreeMap<String, usize>,
    /// The last request to move them.
    moved: Option<Value>,
    /// A deployment of production gets its addresses by itself, until a person has gone back.
    by_hand: bool,
    /// The most on one page of a list.
    pub(super) page: Option<usize>,
}

impl Deployment {
    fn is_reached(&self) -> bool {
        self.state == "READY" && self.deleted.is_none()
    }

    /// As the project and lists show it; they call its id otherwise.
    fn json(&self, id: &str) -> Value {
        let production = self.reader.target == "production";
        let branch = self.reader.branch.as_ref();
        let mut shown = json!({
            "name": PROJECT, "url": "acme-web.vercel.app", "created": self.made, "createdAt": self.made,
            "meta": branch.map_or_else(|| json!({}), |branch| json!({ "githubCommitRef": branch })),
            "state": self.state, "readyState": self.state, "readySubstate": self.substate,
            "target": production.then_some("production"), "type": "LAMBDAS", "aliasError": null,
        });
        shown[id] = json!(self.id);
        if let Some(custom) = &self.reader.custom {
            shown["customEnvironment"] = json!({ "id": custom, "slug": self.reader.target });
        }
        if let Some(deleted) = self.deleted {
            shown["deleted"] = json!(deleted);
        }
        shown
    }
}

impl Deployments {
    pub(super) fn add(
        &mut self,
        (made, reader): (i64, Reader),
        (state, substate): (&'static str, &'static str),
        values: Vec<(String, String)>,
    ) {
        let id = format!("dpl_{}", self.all.len());
        if reader.target == "production" && (state, substate) == ("READY", "PROMOTED") && !self.by_hand {
            self.live = Some(self.all.len());
        }
        self.all.push(Deployment { id, made, reader, state, substate, values, deleted: None });
    }

    /// A person moves production's addresses to a deployment, counted from the first.
    pub(super) fn moves(&mut self, kind: &str, to: usize, now: i64) {
        let from = self.live.map(|live| self.all[live].id.clone());
        self.moved = Some(json!({
            "type": kind, "jobStatus": "succeeded", "requestedAt": now, "fromDeploymentId": from,
            "toDeploymentId": self.all[to].id,
        }));
        self.all[to].substate = "PROMOTED";
        self.live = Some(to);
        self.by_hand = kind == "rollback";
    }

    pub(super) fn delete(&mut self, branch: &str, now: i64) {
        let of_branch = |found: &&mut Deployment| found.reader.branch.as_deref() == Some(branch);
        self.all.iter_mut().filter(of_branch).for_each(|found| found.deleted = Some(now));
    }

    pub(super) fn serving(&self, reader: &Reader) -> Option<&[(String, String)]> {
        if reader.target == "production" {
            return self.live.map(|live| self.all[live].values.as_slice());
        }
        let serving = self.all.iter().rev().find(|found| found.reader == *reader && found.is_reached());
        serving.map(|found| found.values.as_slice())
    }

    pub(super) fn project(&self) -> Reply {
        let production = self.live.map(|live| self.all[live].json("id"));
        let mut targets = json!({ "production": production });
        for (slug, number) in &self.named {
            targets[slug] = self.all[*number].json("id");
        }
        Reply::new(
            200,
            json!({
                "id": PROJECT_ID, "name": PROJECT, "accountId": "team_1", "targets": targets,
                "lastAliasRequest": self.moved,
            }),
        )
    }

    pub(super) fn list(&self, call: &Call) -> Reply {
        let number = |name: &str| call.parameter(name).and_then(|text| text.parse::<i64>().ok());
        let until = number("until").unwrap_or(i64::MAX);
        let wanted = |found: &&Deployment| {
            let state =
                call.parameter("state").is_none_or(|states| states.split(',').any(|state| state == found.state));
            let target = call.parameter("target").is_none_or(|target| target == found.reader.target);
            let branch = call.parameter("branch").is_none_or(|branch| found.reader.branch.as_deref() == Some(branch));
            state && target && branch && found.made < until
        };
        let most = usize::try_from(number("limit").unwrap_or(20)).unwrap_or(20);
        let most = self.page.map_or(most, |page| page.min(most));
        let found: Vec<&Deployment> = self.all.iter().rev().filter(wanted).collect();
        let shown: Vec<Value> = found.iter().take(most).map(|found| found.json("uid")).collect();
        let next = found.get(most).and_then(|_| found.get(most - 1)).map(|last| last.made);
        let pagination = json!({ "count": shown.len(), "next": next, "prev": found.first().map(|first| first.made) });
        Reply::new(200, json!({ "deployments": shown, "pagination": pagination }))
    }
}
