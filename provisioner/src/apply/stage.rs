//! Before anything is written: credentials and permissions are checked, old versions are retired, records change, and
//! the version that goes to the places is staged, or read back from where it is.

use std::collections::BTreeMap;

use futures_util::stream::{self, StreamExt};
use latchkey::name::{ManifestName, UserName};
use latchkey::place::Place;
use latchkey::service::{Edit, Life, NewToken};
use latchkey::token::Token;

use super::retire::retire;
use super::{Failure, Run, Work};
use crate::manifest::TokenDeclaration;
use crate::observe::finding::Known;
use crate::observe::preparing::refusals;
use crate::observe::{Looks, Observation, recover};
use crate::plan::{Change, TokenField, TokenPlan};
use crate::service::ServiceError;
use latchkey_sinks::SinkError;

/// Checks credentials and permissions of every sink that will be written to, so that nothing is staged in vain.
pub(super) async fn prepare(run: &Run<'_>, works: &mut [Work<'_>]) {
    let refusals = refusals(run.sinks, works.iter().flat_map(|work| work.plan.targets())).await;
    for work in works {
        let refused = work.plan.targets().into_iter().find_map(|place| Some((place, refusals.get(&place.id())?)));
        if let Some((place, refusal)) = refused {
            work.fail(refused_write(run, work, place, &refusal.error));
        }
    }
}

fn refused_write(run: &Run<'_>, work: &Work<'_>, place: &Place, error: &SinkError) -> Failure {
    Failure {
        subject: work.subject(),
        message: format!("cannot write {}: {error}", run.labels.of(place)),
        state: "nothing was staged, and no place was changed".to_owned(),
        hint: error.hint().map_or_else(|| "fix it and run `provision apply` again".to_owned(), str::to_owned),
        passes: error.passes(),
    }
}

/// Retires, edits and stages, users side by side: creates of one user would only meet each other's conflicts.
pub(super) async fn stage(run: &Run<'_>, works: &mut [Work<'_>], observation: &Observation) {
    let mut groups: BTreeMap<UserName, Vec<&mut Work<'_>>> = BTreeMap::new();
    for work in works.iter_mut().filter(|work| work.failure.is_none()) {
        groups.entry(work.plan.user.clone()).or_default().push(work);
    }
    let known = &observation.known(run.manifest);
    let breadth = run.client.breadth();
    stream::iter(groups.into_values())
        .for_each_concurrent(breadth.requests, |group| {
            stream::iter(group).for_each_concurrent(breadth.of_a_user, |work| async move {
                if run.stopped() {
                    work.fail(interrupted(work));
                } else if let Err(failure) = stage_one(run, work, (observation, known)).await {
                    work.fail(failure);
                }
            })
        })
        .await;
}

/// The message for a token that a stopped run did not reach.
pub(super) const STOPPED: &str = "the run was stopped before this token was done";

pub(super) fn interrupted(work: &Work<'_>) -> Failure {
    Failure {
        subject: work.subject(),
        message: STOPPED.to_owned(),
        state: "the pushes in flight have ended, and no place was left half-written".to_owned(),
        hint: "run `provision apply` again to continue".to_owned(),
        passes: true,
    }
}

async fn stage_one(
    run: &Run<'_>,
    work: &mut Work<'_>,
    (observation, known): (&Observation, &Known<'_>),
) -> Result<(), Failure> {
    let subject = work.subject();
    let failed = |error: ServiceError| service_failure(&subject, &error);
    retire(run, work, known).await.map_err(failed)?;
    let plan = work.plan;
    let declaration = plan.declaration.map(|index| &run.manifest.tokens[index]);
    if let (Some(token), Some(declaration)) = (&work.token, declaration)
        && let Some(edit) = edit(plan, declaration, &run.manifest.name)
    {
        work.token = Some(run.client.edit(token, &edit).await.map_err(failed)?);
    }
    for change in &plan.changes {
        let carried = match (change, &work.token, declaration) {
            (Change::Create, _, Some(declaration)) => {
                run.client.create(declared(&run.manifest.name, plan, declaration)).await.map_err(failed)?
            }
            (Change::NewVersion(_), Some(token), _) => run.client.stage(token).await.map_err(failed)?,
            (Change::Resume { number, to, .. }, Some(token), _) if !to.is_empty() => {
                let (number, token) = (*number, token.clone());
                work.carried = Some((number, read_back(run, &subject, &token, number, &observation.looks).await?));
                continue;
            }
            (Change::Mend { number, .. }, Some(token), _) if work.carried.is_none() => {
                let (number, token) = (*number, token.clone());
                work.carried = Some((number, read_back(run, &subject, &token, number, &observation.looks).await?));
                continue;
            }
            _ => continue,
        };
        work.token = Some(carried.token);
        work.carried = Some((carried.number, carried.secret));
    }
    Ok(())
}

async fn read_back(
    run: &Run<'_>,
    subject: &str,
    token: &Token,
    number: u32,
    looks: &Looks,
) -> Result<latchkey::secret::Secret, Failure> {
    let gone = || Failure {
        subject: subject.to_owned(),
        message: format!("version {number} can no longer be read back"),
        state: "nothing was written".to_owned(),
        hint: "run `provision apply` again".to_owned(),
        passes: true,
    };
    let version = token.version(number).ok_or_else(gone)?;
    let found = recover((run.client, &run.manifest.name), run.sinks, token, version, looks).await;
    let found = found.map_err(|error| service_failure(subject, &error))?;
    found.map(|(_, secret)| secret).ok_or_else(gone)
}

/// Everything of the record that differs from the declaration, as one edit.
fn edit(plan: &TokenPlan, declaration: &TokenDeclaration, manifest: &ManifestName) -> Option<Edit> {
    let mut edit = Edit::default();
    let mut any = false;
    for change in &plan.changes {
        any |= matches!(change, Change::Rename { .. } | Change::Move { .. } | Change::TakeOver | Change::Update(_));
        match change {
            Change::Rename { .. } => edit.name = Some(declaration.name.clone()),
            Change::Move { from, name } => {
                edit.managed_by = Some(manifest.clone());
                edit.moving.from = Some(from.clone());
                edit.name = Some(declaration.name.clone()).filter(|new| new != name);
            }
            Change::TakeOver => {
                edit.managed_by = Some(manifest.clone());
                edit.terms = Some(declaration.terms);
            }
            Change::Update(fields) => {
                for field in fields {
                    match field.name {
                        TokenField::Description => {
                            edit.description = Some(declaration.description.clone().unwrap_or_default());
                        }
                        TokenField::Roles => edit.roles = Some(plan.roles.clone()),
                        TokenField::Labels => edit.labels = Some(declaration.labels.clone()),
                        TokenField::AllowedIps => edit.allowed_ips = Some(declaration.allowed_ips.clone()),
                        TokenField::ExpiresIn | TokenField::RotateEvery | TokenField::Overlap => {
                            edit.terms = Some(declaration.terms);
                        }
                        TokenField::Places => edit.places = Some(plan.places.clone()),
                        TokenField::Leaving => edit.leaving = Some(false),
                        TokenField::MovedTo => edit.moving.to = Some(declaration.moved_to.clone()),
                    }
                }
            }
            _ => {}
        }
    }
    any.then_some(edit)
}

fn declared(manifest: &ManifestName, plan: &TokenPlan, declaration: &TokenDeclaration) -> NewToken {
    let life = Life::Managed { manifest: manifest.clone(), terms: declaration.terms };
    NewToken {
        description: declaration.description.clone(),
        roles: Some(plan.roles.clone()),
        labels: declaration.labels.clone(),
        allowed_ips: declaration.allowed_ips.clone(),
        places: plan.places.clone(),
        ..NewToken::new(declaration.key(), life)
    }
}

/// A failure of the service, with what it means for the token.
pub(super) fn service_failure(subject: &str, error: &ServiceError) -> Failure {
    let hint = match error {
        ServiceError::Refused(refusal) if refusal.code == "not_granted" => {
            "extend the grant with `provision manifest grant`, then run `provision apply` again"
        }
        ServiceError::Refused(refusal) if refusal.code == "clock_behind" => {
            "set the clock of the table's machine, for example by NTP; if it is right, pass `--clock-is-right` there"
        }
        ServiceError::Refused(_) => "change the manifest accordingly and run `provision apply` again",
        ServiceError::Version(latchkey::protocol::VersionError::Superseded { .. }) => {
            "another run is rotating this token; run `provision apply` again when it is done"
        }
        _ => "run `provision apply` again to continue",
    };
    Failure {
        subject: subject.to_owned(),
        message: error.to_string(),
        state: "no place was changed by what failed".to_owned(),
        hint: hint.to_owned(),
        passes: !matches!(error, ServiceError::Refused(_)),
    }
}
