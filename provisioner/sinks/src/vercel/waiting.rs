//! Which rows have consumers that still read what was there before: asked of Vercel once a look, whatever the number of
//! rows.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};

use futures_util::future::join_all;
use latchkey::mutex::Mutex;
use latchkey::place::{Place, PlaceId};

use super::calls::{Calls, Listed};
use super::deployments::{Deployment, Project};
use super::row::{Reader, Row};
use super::serving::{awaited, behind, needs_list, production};
use crate::forgotten::ForgottenBranches;
use crate::{SeenEntry, SinkError};

/// Which branches count: those that pushes name, and not those that the run's user gives up.
#[derive(Debug, Default)]
pub(super) struct Branches {
    /// By place, where a push names them.
    counting: Mutex<HashMap<PlaceId, Vec<String>>>,
    forgotten: OnceLock<Arc<ForgottenBranches>>,
}

impl Branches {
    /// Only these branches count for a place; all of them where `names` are none.
    pub(super) fn count(&self, place: &PlaceId, names: Option<&[String]>) {
        let mut counting = self.counting.lock();
        match names {
            Some(names) => drop(counting.insert(place.clone(), names.to_vec())),
            None => drop(counting.remove(place)),
        }
    }

    pub(super) fn forget(&self, branches: &Arc<ForgottenBranches>) {
        // There is one run.
        let _ = self.forgotten.set(branches.clone());
    }

    fn of(&self, place: &PlaceId) -> Option<Vec<String>> {
        self.counting.lock().get(place).cloned()
    }

    fn is_forgotten(&self, branch: &str) -> bool {
        self.forgotten.get().is_some_and(|forgotten| forgotten.covers(branch))
    }
}

/// A row that a place stands for, and what is told of it.
pub(super) struct Found<'a> {
    pub(super) place: &'a Place,
    pub(super) reader: &'a Reader,
    pub(super) row: &'a Row,
    pub(super) held: &'a mut SeenEntry,
}

/// A list of deployments: of an environment, and of one branch there.
type Question = (String, Option<String>);

/// What Vercel answered.
#[derive(Default)]
struct Answers {
    project: Option<Result<Project, SinkError>>,
    lists: BTreeMap<Question, Result<Vec<Deployment>, SinkError>>,
}

impl Answers {
    /// Asks what the rows' readers need, each question once.
    async fn ask(calls: &Calls, found: &[Found<'_>], branches: &Branches) -> Self {
        let environments = || found.iter().map(|found| (found.place, found.reader));
        let needs_project = environments().any(|(_, reader)| reader.target == "production" || reader.custom.is_some());
        let questions: BTreeSet<Question> =
            environments().flat_map(|(place, reader)| questions(place, reader, branches)).collect();
        let project = async {
            let project = if needs_project { Some(calls.read_project().await) } else { None };
            let production = environments().any(|(_, reader)| reader.target == "production");
            let list = match &project {
                Some(Ok(project)) if production && needs_list(project) => {
                    Some(calls.deployments("production", None).await)
                }
                _ => None,
            };
            (project, list)
        };
        let lists = join_all(questions.iter().map(|(target, branch)| calls.deployments(target, branch.as_deref())));
        let ((project, list), answers) = futures_util::future::join(project, lists).await;
        let mut lists: BTreeMap<_, _> = questions.iter().cloned().zip(answers).collect();
        lists.extend(list.map(|list| (("production".to_owned(), None), list)));
        Self { project, lists }
    }

    fn project(&self) -> Result<Option<&Project>, SinkError> {
        self.project.as_ref().map(|project| project.as_ref().map_err(Clone::clone)).transpose()
    }

    fn list(&self, question: &Question) -> Result<&[Deployment], SinkError> {
        match self.lists.get(question) {
            Some(Ok(list)) => Ok(list),
            Some(Err(error)) => Err(error.clone()),
            None => Ok(&[]),
        }
    }

    /// Why consumers of production may read what was there before `changed`.
    fn production(&self, changed: i64) -> Result<Option<String>, SinkError> {
        let Some(project) = self.project()? else { return Ok(None) };
        let all = if needs_list(project) { Some(self.list(&("production".to_owned(), None))?) } else { None };
        Ok(production(project, all, changed))
    }

    /// The deployments of the branches that count for a row.
    fn of_branches(&self, found: &Found<'_>, branches: &Branches) -> Result<Vec<&Deployment>, SinkError> {
        let mut deployments = Vec::new();
        for question in questions(found.place, found.reader, branches) {
            let of_branch = |found: &&Deployment| question.1.as_deref().is_none_or(|branch| branch == found.branch());
            deployments.extend(self.list(&question)?.iter().filter(of_branch));
        }
        match &found.reader.custom {
            Some(id) => Ok(of_custom(deployments, id, &found.reader.target)),
            None => Ok(deployments.into_iter().filter(|found| found.is_preview()).collect()),
        }
    }

    /// Whether the addresses of a custom environment lead to a deployment that is no newer than the variable, as far as
    /// the project tells: that need not be the newest of its branch.
    fn leads_to_older(&self, found: &Found<'_>) -> Result<bool, SinkError> {
        if found.reader.custom.is_none() {
            return Ok(false);
        }
        let live = self.project()?.and_then(|project| project.target(&found.reader.target));
        Ok(live.is_some_and(|live| live.made().is_none_or(|made| made <= found.row.changed())))
    }
}

/// The lists that tell what consumers of an environment read. Production's is told by the project itself, and people's
/// machines read the row.
fn questions(place: &Place, reader: &Reader, branches: &Branches) -> Vec<Question> {
    let target = || reader.target.clone();
    match (reader.target.as_str(), &reader.branch, branches.of(&place.id())) {
        ("production" | "development", ..) => Vec::new(),
        (_, Some(branch), _) => vec![(target(), Some(branch.clone()))],
        (_, None, Some(named)) => named.into_iter().map(|branch| (target(), Some(branch))).collect(),
        (_, None, None) => vec![(target(), None)],
    }
}

/// Notes on each row why its consumers may still read what was there before.
pub(super) async fn note(calls: &Calls, listed: &Listed, found: &mut [Found<'_>], branches: &Branches) {
    let answers = Answers::ask(calls, found, branches).await;
    for found in found {
        let why = why(&answers, listed, found, branches).unwrap_or_else(|error| {
            let of = found.reader.branch.as_ref().map_or_else(String::new, |branch| format!(" of `{branch}`"));
            Some(format!("its {} deployments{of} cannot be read: {error}", found.reader.target))
        });
        found.held.lagging = found.held.lagging.take().or(why);
    }
}

fn why(
    answers: &Answers,
    listed: &Listed,
    found: &Found<'_>,
    branches: &Branches,
) -> Result<Option<String>, SinkError> {
    match found.reader.target.as_str() {
        "development" => Ok(None),
        "production" => answers.production(found.row.changed()),
        _ => {
            let deployments = answers.of_branches(found, branches)?;
            if let Some(awaited) = awaited_branches(&deployments, listed, found, branches) {
                return Ok(Some(awaited));
            }
            let old = || format!("the {} deployment that is live is older than the variable", found.reader.target);
            Ok(answers.leads_to_older(found)?.then(old))
        }
    }
}

/// What consumers of an environment with branches wait for.
fn awaited_branches(
    deployments: &[&Deployment],
    listed: &Listed,
    found: &Found<'_>,
    branches: &Branches,
) -> Option<String> {
    let reads_own = |branch: &str, deployment: &Deployment| {
        let made = deployment.made().unwrap_or(i64::MIN);
        found.reader.branch.is_none() && listed.has_own(found.row, branch, made)
    };
    let behind = behind(deployments.iter().copied(), found.row.changed()).into_iter();
    let waited: Vec<&str> = behind
        .filter(|(branch, deployment)| !reads_own(branch, deployment) && !branches.is_forgotten(branch))
        .map(|(branch, _)| branch)
        .collect();
    let way = "; `--forget-branch NAME` stops waiting for one that nobody reads";
    (!waited.is_empty()).then(|| format!("{}{way}", awaited(&found.reader.target, &waited)))
}

/// The deployments of a custom environment. Where none tells that it is one, those that do not tell may be.
fn of_custom<'d>(deployments: Vec<&'d Deployment>, id: &str, slug: &str) -> Vec<&'d Deployment> {
    let told = deployments.iter().any(|found| found.is_of(id, slug) == Some(true));
    let wanted = if told { Some(true) } else { None };
    deployments.into_iter().filter(|found| found.is_of(id, slug) == wanted).collect()
}
