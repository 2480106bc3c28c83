//! The questions about deployments: which ones there are, and which one production's own addresses lead to.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::calls::Calls;
use crate::SinkError;
use crate::bearer::encoded;
use crate::forgotten::NO_BRANCH;

/// How many deployments are asked for at once.
const PAGE: &str = "100";
/// How many pages are read of a list.
const PAGES_MAX: usize = 100;

/// A deployment. It keeps the values that there were when it was made, whatever it was made from: another commit, an
/// older one again, a build from a cache or from elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Deployment {
    id: Option<String>,
    /// What lists call its id.
    uid: Option<String>,
    created_at: Option<i64>,
    created: Option<i64>,
    ready_state: Option<String>,
    state: Option<String>,
    ready_substate: Option<String>,
    target: Option<String>,
    custom_environment: Option<Custom>,
    meta: Option<BTreeMap<String, Value>>,
    alias_assigned: Option<Value>,
    alias_error: Option<Value>,
    deleted: Option<i64>,
    undeleted: Option<i64>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Custom {
    id: String,
    slug: Option<String>,
}

impl Deployment {
    pub(super) fn id(&self) -> &str {
        self.id.as_deref().or(self.uid.as_deref()).unwrap_or_default()
    }

    /// When it was made, in milliseconds.
    pub(super) fn made(&self) -> Option<i64> {
        self.created_at.or(self.created)
    }

    /// Whether addresses lead to it: it is ready, there, and nothing kept it from getting them.
    pub(super) fn is_reached(&self) -> bool {
        let ready = self.ready_state.as_deref().or(self.state.as_deref()).is_none_or(|state| state == "READY");
        let deleted = self.deleted.is_some_and(|deleted| self.undeleted.is_none_or(|undeleted| undeleted < deleted));
        let without_address = self.alias_error.is_some() || self.alias_assigned == Some(Value::Bool(false));
        ready && !deleted && !without_address
    }

    /// Whether production never used it.
    pub(super) fn is_staged(&self) -> bool {
        self.ready_substate.as_deref() == Some("STAGED")
    }

    /// Whether a part of the traffic goes to it and the rest elsewhere.
    pub(super) fn is_rolling(&self) -> bool {
        self.ready_substate.as_deref() == Some("ROLLING")
    }

    /// Whether it is a preview: of no other environment.
    pub(super) fn is_preview(&self) -> bool {
        self.custom_environment.is_none() && self.target.as_deref().is_none_or(|target| target == "preview")
    }

    /// Whether it is one of a custom environment; `None` where it does not tell.
    pub(super) fn is_of(&self, id: &str, slug: &str) -> Option<bool> {
        match &self.custom_environment {
            Some(custom) => Some(custom.id == id || custom.slug.as_deref() == Some(slug)),
            None if self.target.is_some() => Some(self.target.as_deref() == Some(slug)),
            None => None,
        }
    }

    /// The branch that it was made from; [`NO_BRANCH`] where it was made from none, as by the command of Vercel.
    pub(super) fn branch(&self) -> &str {
        let mut named = self.meta.iter().flatten().filter(|(name, _)| name.ends_with("CommitRef"));
        let branch = named.find_map(|(_, branch)| branch.as_str()).filter(|branch| !branch.is_empty());
        branch.unwrap_or(NO_BRANCH)
    }
}

/// What a project tells of its environments.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Project {
    id: Option<String>,
    targets: Option<BTreeMap<String, Option<Deployment>>>,
    last_alias_request: Option<AliasRequest>,
}

/// The last time that a person moved production's addresses to another deployment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct AliasRequest {
    #[serde(rename = "type")]
    kind: String,
    job_status: String,
    requested_at: i64,
    pub(super) to_deployment_id: String,
}

impl AliasRequest {
    /// Whether it has not ended yet: addresses may lead to either deployment.
    pub(super) fn is_going_on(&self) -> bool {
        !matches!(self.job_status.as_str(), "succeeded" | "failed" | "skipped")
    }

    fn has_effect(&self) -> bool {
        !matches!(self.job_status.as_str(), "failed" | "skipped")
    }

    pub(super) fn is_rollback(&self) -> bool {
        self.kind == "rollback"
    }
}

impl Project {
    /// The deployment of an environment that the project names.
    pub(super) fn target(&self, target: &str) -> Option<&Deployment> {
        self.targets.as_ref()?.get(target)?.as_ref()
    }

    /// The last request to move production's addresses, where it had an effect and no deployment of production was made
    /// after it.
    pub(super) fn moved(&self) -> Option<&AliasRequest> {
        let named = self.target("production").and_then(Deployment::made).unwrap_or(0);
        self.last_alias_request.as_ref().filter(|request| request.has_effect() && request.requested_at >= named)
    }
}

#[derive(Deserialize)]
struct List {
    deployments: Vec<Deployment>,
    #[serde(default)]
    pagination: Option<Page>,
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    next: Option<i64>,
}

impl Calls {
    /// The project itself.
    pub(super) async fn read_project(&self) -> Result<Project, SinkError> {
        let path = format!("/v9/projects/{}", encoded(&self.project));
        let what = format!("read the project `{}`", self.project);
        let project = self.read::<Project>(self.target(&path, &[]), &what).await?.0;
        if let Some(id) = &project.id {
            self.id.get_or_init(|| id.clone());
        }
        Ok(project)
    }

    /// The project's own id, whatever the settings call project and team. A look at production has asked for it.
    pub(super) async fn project_id(&self) -> Option<&String> {
        if self.id.get().is_none() {
            let _ = self.read_project().await;
        }
        self.id.get()
    }

    /// All ready deployments of an environment, or of one branch there, newest first.
    pub(super) async fn deployments(&self, target: &str, branch: Option<&str>) -> Result<Vec<Deployment>, SinkError> {
        let what = format!("read the deployments of `{}`", self.project);
        let mut found = Vec::new();
        let mut until: Option<i64> = None;
        for _ in 0..PAGES_MAX {
            let before = until.map(|until| until.to_string());
            let mut query =
                vec![("projectId", self.project.as_str()), ("target", target), ("state", "READY"), ("limit", PAGE)];
            query.extend(branch.map(|branch| ("branch", branch)));
            query.extend(before.as_deref().map(|before| ("until", before)));
            let (list, _) = self.read::<List>(self.target("/v6/deployments", &query), &what).await?;
            let empty = list.deployments.is_empty();
            found.extend(list.deployments);
            // Each page is older than the one before.
            match list.pagination.and_then(|page| page.next) {
                Some(next) if !empty && until.is_none_or(|until| next < until) => until = Some(next),
                _ => return Ok(found),
            }
        }
        Err(SinkError::Unreachable { reason: format!("there are more than {} of them", found.len()) })
    }
}
