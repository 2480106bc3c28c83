//! What consumers of an environment read: the values of the deployments that its addresses lead to. Pure.
//!
//! Production's addresses lead to one deployment, which need not be the newest: a person may have gone back to an older
//! one, or may yet move to one that was made before the variable was. A preview's address is its branch's, so every branch
//! that has a preview counts, however old: long-lived ones are deployed seldom.

use std::collections::BTreeMap;

use super::deployments::{AliasRequest, Deployment, Project};
use crate::reading::listed;

/// The most branches that are named.
const NAMED_MAX: usize = 10;

const OLD: &str = "no production deployment is newer than the variable";
const ROLLED_BACK: &str = "production was rolled back to a deployment that is older than the variable";

/// Why consumers of production may read what was there before `changed`, if they may. `all` are production's
/// deployments, where they were asked for.
pub(super) fn production(project: &Project, all: Option<&[Deployment]>, changed: i64) -> Option<String> {
    let newer = |deployment: &Deployment| deployment.made().is_some_and(|made| made > changed);
    let Some(named) = project.target("production") else {
        // None was ever used: nobody reads anything older.
        let used = all.is_none_or(|all| all.iter().any(|found| !found.is_staged()));
        return used.then(|| "Vercel does not show which deployment is live in production".to_owned());
    };
    if let Some(moved) = project.moved().filter(|moved| moved.to_deployment_id != named.id()) {
        let to = all.into_iter().flatten().find(|found| found.id() == moved.to_deployment_id);
        let old_enough = !to.is_some_and(newer);
        if old_enough && moved.is_rollback() {
            return Some(ROLLED_BACK.to_owned());
        }
        if old_enough {
            return Some("production was moved to a deployment that is older than the variable".to_owned());
        }
        if !moved.is_going_on() {
            return None;
        }
    }
    if named.is_rolling() {
        return Some("a rolling release of production has not finished".to_owned());
    }
    if !named.is_reached() || named.is_staged() || !newer(named) {
        let rolled_back = project.moved().is_some_and(AliasRequest::is_rollback);
        return Some(if rolled_back { ROLLED_BACK } else { OLD }.to_owned());
    }
    None
}

/// Whether production's deployments have to be asked for too.
pub(super) fn needs_list(project: &Project) -> bool {
    let Some(named) = project.target("production") else { return true };
    project.moved().is_some_and(|moved| moved.to_deployment_id != named.id())
}

/// The branches whose newest deployment was made before `changed`, or no later.
pub(super) fn behind<'d>(
    deployments: impl IntoIterator<Item = &'d Deployment>,
    changed: i64,
) -> Vec<(&'d str, &'d Deployment)> {
    let mut newest: BTreeMap<&str, &Deployment> = BTreeMap::new();
    for deployment in deployments.into_iter().filter(|found| found.is_reached()) {
        let known = newest.entry(deployment.branch()).or_insert(deployment);
        if deployment.made() > known.made() {
            *known = deployment;
        }
    }
    newest.retain(|_, deployment| deployment.made().is_none_or(|made| made <= changed));
    newest.into_iter().collect()
}

/// What branches are waited for.
pub(super) fn awaited(target: &str, branches: &[&str]) -> String {
    let more = match branches.len().saturating_sub(NAMED_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let named = listed(&branches[..branches.len().min(NAMED_MAX)]);
    format!("no {target} deployment of {named}{more} is newer than the variable")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const CHANGED: i64 = 1000;

    fn read<T: serde::de::DeserializeOwned>(value: Value) -> T {
        serde_json::from_value(value).unwrap()
    }

    fn live(id: &str, made: i64) -> Value {
        json!({ "id": id, "createdAt": made, "readyState": "READY", "readySubstate": "PROMOTED" })
    }

    fn moved(kind: &str, status: &str, to: &str, at: i64) -> Value {
        json!({ "type": kind, "jobStatus": status, "toDeploymentId": to, "fromDeploymentId": "new", "requestedAt": at })
    }

    #[track_caller]
    fn waits(project: Value, all: Option<Value>, wanted: Option<&str>) {
        let all: Option<Vec<Deployment>> = all.map(read);
        let why = production(&read(project), all.as_deref(), CHANGED);
        match wanted {
            Some(wanted) => assert!(why.as_deref().is_some_and(|why| why.contains(wanted)), "{why:?}"),
            None => assert_eq!(why, None),
        }
    }

    #[test]
    fn the_deployment_that_production_leads_to_decides() {
        let newest = |more: Value| {
            let mut project = json!({ "targets": { "production": live("new", 2000) } });
            project.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            project
        };
        waits(newest(json!({})), None, None);
        waits(json!({ "targets": { "production": live("old", 1000) } }), None, Some("no production deployment"));
        // Going back shows in what is named, in the request, or in both.
        let back = moved("rollback", "succeeded", "old", 3000);
        let named_too = json!({ "targets": { "production": live("old", 500) }, "lastAliasRequest": back });
        waits(named_too, None, Some("rolled back"));
        let list = || Some(json!([live("new", 2000), live("old", 500)]));
        waits(newest(json!({ "lastAliasRequest": back })), list(), Some("rolled back"));
        waits(newest(json!({ "lastAliasRequest": back })), Some(json!([])), Some("rolled back"));
        for (status, wanted) in
            [("pending", Some("rolled back")), ("in-progress", Some("rolled back")), ("failed", None)]
        {
            waits(newest(json!({ "lastAliasRequest": moved("rollback", status, "old", 3000) })), list(), wanted);
        }
        // One that was made before and is used only now.
        let late = moved("promote", "succeeded", "old", 3000);
        waits(newest(json!({ "lastAliasRequest": late })), list(), Some("was moved to a deployment that is older"));
        let other = Some(json!([live("new", 2000), live("other", 1500)]));
        waits(newest(json!({ "lastAliasRequest": moved("promote", "succeeded", "other", 3000) })), other, None);
        // What was deployed after the request has taken over.
        waits(newest(json!({ "lastAliasRequest": moved("rollback", "succeeded", "old", 1800) })), None, None);
    }

    #[test]
    fn a_deployment_that_not_all_of_production_reads_is_not_enough() {
        for (field, value, wanted) in [
            ("readySubstate", json!("ROLLING"), "rolling release"),
            ("readySubstate", json!("STAGED"), "no production deployment"),
            ("readyState", json!("ERROR"), "no production deployment"),
            ("aliasError", json!({ "code": "x", "message": "y" }), "no production deployment"),
            ("aliasAssigned", json!(false), "no production deployment"),
        ] {
            let mut named = live("new", 2000);
            named[field] = value;
            waits(json!({ "targets": { "production": named } }), None, Some(wanted));
        }
        for nothing in [json!({}), json!({ "targets": {} }), json!({ "targets": { "production": null } })] {
            let staged = json!([{ "id": "a", "createdAt": 1, "readySubstate": "STAGED" }]);
            waits(nothing.clone(), Some(json!([])), None);
            waits(nothing.clone(), Some(staged), None);
            waits(nothing, Some(json!([live("a", 2000)])), Some("does not show which"));
        }
    }

    #[test]
    fn every_branch_is_told_by_its_newest_deployment_that_an_address_leads_to() {
        let of =
            |branch: &str, made: i64| json!({ "uid": "x", "created": made, "meta": { "gitlabCommitRef": branch } });
        let with = |mut deployment: Value, field: &str, value: Value| {
            deployment[field] = value;
            deployment
        };
        let all: Vec<Deployment> = read(json!([
            with(of("broken", 3000), "readyState", json!("ERROR")),
            with(of("gone", 500), "deleted", json!(600)),
            with(of("back", 500), "deleted", json!(600)),
            of("fresh", 2000),
            of("fresh", 500),
            of("staging", 900),
            of("broken", 400),
            { "uid": "y", "created": 300, "meta": {} },
        ]));
        let mut all = all;
        all[2] = read(with(with(of("back", 500), "deleted", json!(600)), "undeleted", json!(700)));
        let branches: Vec<&str> = behind(&all, CHANGED).into_iter().map(|(branch, _)| branch).collect();
        assert_eq!(branches, ["@", "back", "broken", "staging"]);
        // Made at the very time of the variable: which of the two was first nobody knows.
        let same: Vec<Deployment> = read(json!([of("same", CHANGED)]));
        assert_eq!(behind(&same, CHANGED).len(), 1);
        let many: Vec<String> = (0..12).map(|number| format!("b{number}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(awaited("preview", &many).contains("`b9` and 2 more is newer"), "{}", awaited("preview", &many));
    }
}
