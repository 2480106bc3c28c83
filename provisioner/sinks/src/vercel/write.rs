//! Writing and removing rows: each compared with what was seen right before, and its outcome read row by row.

use futures_util::future::join_all;
use latchkey::place::Place;
use zeroize::Zeroizing;

use super::calls::{Listed, NewRow, shows};
use super::marker::Comment;
use super::row::{Reader, Row, is_same_state};
use super::{Vercel, all};
use crate::deadline::Deadline;
use crate::{Receipt, Removal, Seen, SinkError, Write};

/// What is to be done for one write.
enum Step {
    /// It is there already.
    Done(Receipt),
    Refused(SinkError),
    Edit(String, Option<&'static str>),
    Create(Reader),
}

impl Listed {
    /// The row that a place stands for.
    pub(super) fn row(&self, place: &Place, reader: &Reader) -> Option<&Row> {
        let name = place.part("name").unwrap_or_default();
        self.rows.iter().find(|row| row.is_read_by(name, reader))
    }

    /// Whether previews of a branch that were made then read a row of their own in place of one for all branches.
    pub(super) fn has_own(&self, general: &Row, branch: &str, made: i64) -> bool {
        self.rows.iter().any(|row| row.stands_before(general, branch) && row.made_before(made))
    }

    fn seen(&self, place: &Place, reader: &Reader) -> Seen {
        self.row(place, reader).map_or(Seen::Absent, |row| Seen::Holds(row.seen()))
    }
}

/// Whether what was seen is the version itself. With another fingerprint, or none, the caller knows that the row's marker
/// is not true of its value.
fn believed(write: &Write<'_>) -> bool {
    match write.seen {
        Seen::Absent | Seen::NotShown { .. } => true,
        Seen::Holds(held) => held.fingerprint.as_ref() == Some(&write.marker.fingerprint),
    }
}

fn step(listed: &Listed, write: &Write<'_>, reader: &Result<Reader, SinkError>) -> Step {
    let reader = match reader {
        Ok(reader) => reader,
        Err(error) => return Step::Refused(error.clone()),
    };
    let row = listed.row(write.place, reader);
    let now = listed.seen(write.place, reader);
    let as_seen = is_same_state(&now, write.seen);
    if let Some(row) = row
        && shows(row, write.marker)
        && (!as_seen || believed(write))
    {
        return Step::Done(row.receipt());
    }
    if !as_seen {
        return Step::Refused(SinkError::Changed);
    }
    let Some(row) = row else { return Step::Create(reader.clone()) };
    if let Some(error) = row.refused(write.place) {
        return Step::Refused(error);
    }
    let Some(id) = row.id.clone() else { return Step::Refused(SinkError::Changed) };
    // What was made sensitive once can never be made readable again.
    let wanted = kind(write.place);
    let kind = (!row.is_sensitive() && row.kind != wanted).then_some(wanted);
    Step::Edit(id, kind)
}

fn kind(place: &Place) -> &'static str {
    if place.readable { "encrypted" } else { "sensitive" }
}

impl Vercel {
    pub(super) async fn write_all(&self, writes: &[Write<'_>], deadline: Deadline) -> Vec<Result<Receipt, SinkError>> {
        let places: Vec<&Place> = writes.iter().map(|write| write.place).collect();
        let (listed, readers) = match self.project(&places).await {
            Ok(project) => project,
            Err(error) => return all(writes.len(), &error),
        };
        let comments: Vec<String> = writes.iter().map(|write| Comment::for_write(write, listed.at).text()).collect();
        let steps: Vec<Step> =
            writes.iter().zip(&readers).map(|(write, reader)| step(&listed, write, reader)).collect();
        let edits = writes.iter().zip(&comments).zip(&steps).map(|((write, comment), step)| async move {
            let Step::Edit(id, kind) = step else { return None };
            let edited = self.calls.edit(id, (write.secret.expose(), comment), *kind, deadline).await;
            Some(match edited {
                Ok(Some(row)) if row.id.is_some() && shows(&row, write.marker) => Ok(Some(row)),
                // An answer that does not tell: the list will.
                Ok(Some(_)) => Ok(None),
                Ok(None) => Err(SinkError::Changed),
                Err(error) => Err(error),
            })
        });
        let (edited, created) = futures_util::future::join(join_all(edits), async {
            self.create_all(writes, &steps, &comments, deadline).await
        })
        .await;
        let mut results: Vec<Option<Result<Row, SinkError>>> = Vec::new();
        for (edited, created) in edited.into_iter().zip(created) {
            results.push(edited.or(created).and_then(Result::transpose));
        }
        let results = self.settle(writes, &steps, &readers, results).await;
        for (write, result) in writes.iter().zip(&results) {
            if let Ok((_, Some(row))) = result {
                self.note_type(write.place, row);
            }
        }
        results.into_iter().map(|result| result.map(|(receipt, _)| receipt)).collect()
    }

    /// Makes the rows that are not there, in one request. `None` where nothing was to be made, `Ok(None)` where the
    /// answer does not tell.
    async fn create_all(
        &self,
        writes: &[Write<'_>],
        steps: &[Step],
        comments: &[String],
        deadline: Deadline,
    ) -> Vec<Option<Result<Option<Row>, SinkError>>> {
        let mut rows = Vec::new();
        for ((write, step), comment) in writes.iter().zip(steps).zip(comments) {
            let Step::Create(reader) = step else { continue };
            rows.push(NewRow {
                key: write.place.part("name").unwrap_or_default().to_owned(),
                value: Zeroizing::new(write.secret.expose().to_owned()),
                kind: kind(write.place),
                target: reader.custom.is_none().then(|| reader.target.clone()),
                branch: reader.branch.clone(),
                custom: reader.custom.clone(),
                comment: comment.clone(),
            });
        }
        if rows.is_empty() {
            return steps.iter().map(|_| None).collect();
        }
        let made = self.calls.create(&rows, deadline).await;
        let outcome = |(write, step): (&Write<'_>, &Step)| {
            let Step::Create(reader) = step else { return None };
            let name = write.place.part("name").unwrap_or_default();
            let made = match &made {
                Ok(made) => made,
                Err(error) => return Some(Err(error.clone())),
            };
            let row = made.created.iter().find(|row| row.is_read_by(name, reader));
            if let Some(row) = row {
                return Some(Ok((row.id.is_some() && shows(row, write.marker)).then(|| row.clone())));
            }
            let failed = made.failed.iter().find(|failed| failed.key() == Some(name)).or(made.failed.first());
            Some(failed.map_or(Ok(None), |failed| Err(failed.error())))
        };
        writes.iter().zip(steps).map(outcome).collect()
    }

    /// Looks once more where an answer did not come or did not tell: what arrived is success.
    async fn settle(
        &self,
        writes: &[Write<'_>],
        steps: &[Step],
        readers: &[Result<Reader, SinkError>],
        results: Vec<Option<Result<Row, SinkError>>>,
    ) -> Vec<Result<(Receipt, Option<Row>), SinkError>> {
        let unsure = |step: &Step, result: &Option<Result<Row, SinkError>>| {
            let acted = matches!(step, Step::Edit(..) | Step::Create(_));
            let told = matches!(
                result,
                Some(
                    Ok(_)
                        | Err(SinkError::Rejected(_)
                            | SinkError::Late
                            | SinkError::Login { .. }
                            | SinkError::Denied { .. })
                )
            );
            acted && !told
        };
        let list = if steps.iter().zip(&results).any(|(step, result)| unsure(step, result)) {
            let places: Vec<&Place> = writes.iter().map(|write| write.place).collect();
            self.project(&places).await.ok().map(|(listed, _)| listed)
        } else {
            None
        };
        let unread = || SinkError::Unreachable { reason: "Vercel's answer to a change cannot be read".to_owned() };
        let mut settled = Vec::with_capacity(writes.len());
        for (((write, step), reader), result) in writes.iter().zip(steps).zip(readers).zip(results) {
            settled.push(match (step, result) {
                (Step::Done(receipt), _) => Ok((receipt.clone(), None)),
                (Step::Refused(error), _) => Err(error.clone()),
                (_, Some(Ok(row))) => Ok((row.receipt(), Some(row))),
                (step, result) => {
                    let found = list.as_ref().filter(|_| unsure(step, &result)).zip(reader.as_ref().ok());
                    let row = found.and_then(|(list, reader)| list.row(write.place, reader));
                    let arrived =
                        |row: &&Row| shows(row, write.marker) && !is_same_state(&Seen::Holds(row.seen()), write.seen);
                    match row.filter(arrived) {
                        Some(row) => Ok((row.receipt(), Some(row.clone()))),
                        None => Err(result.and_then(Result::err).unwrap_or_else(unread)),
                    }
                }
            });
        }
        settled
    }

    /// A team's policy can make a row another type than was asked for, and says nothing of it.
    fn note_type(&self, place: &Place, row: &Row) {
        let (name, project) = (&row.key, &self.calls.project);
        match (place.readable, row.is_sensitive()) {
            (true, true) => self.remark(format!(
                "`{name}` in `{project}` is sensitive (type Secret on Vercel), by a policy of the team or from before, and \
                 cannot be read back; set `sensitive = true`, or remove the variable and allow the type Config"
            )),
            (false, false) => self.remark(format!(
                "`{name}` in `{project}` should be sensitive (type Secret on Vercel) but is of type Config: whoever can see \
                 the project can read it"
            )),
            _ => {}
        }
    }

    pub(super) async fn remove_all(&self, removals: &[Removal<'_>], deadline: Deadline) -> Vec<Result<(), SinkError>> {
        let places: Vec<&Place> = removals.iter().map(|removal| removal.place).collect();
        let (listed, readers) = match self.project(&places).await {
            Ok(project) => project,
            Err(error) => return all(removals.len(), &error),
        };
        let check =
            |(removal, reader): (&Removal<'_>, &Result<Reader, SinkError>)| -> Result<Option<String>, SinkError> {
                let Ok(reader) = reader else { return Ok(None) };
                let Some(row) = listed.row(removal.place, reader) else { return Ok(None) };
                if !is_same_state(&Seen::Holds(row.seen()), removal.seen) {
                    return Err(SinkError::Changed);
                }
                if let Some(error) = row.refused(removal.place) {
                    return Err(error);
                }
                row.id.clone().map(Some).ok_or(SinkError::Changed)
            };
        let checked: Vec<_> = removals.iter().zip(&readers).map(check).collect();
        let ids: Vec<&str> = checked.iter().filter_map(|checked| checked.as_ref().ok()?.as_deref()).collect();
        if ids.is_empty() {
            return checked.into_iter().map(|checked| checked.map(|_| ())).collect();
        }
        let gone = self.calls.delete(&ids, deadline).await;
        // What was not confirmed may be gone all the same: removals take effect a little later.
        let left = match &gone {
            Ok(gone) if ids.iter().all(|id| gone.iter().any(|gone| gone == id)) => Vec::new(),
            _ => match self.calls.list().await {
                Ok(listed) => listed.rows.into_iter().filter_map(|row| row.id).collect(),
                Err(_) => ids.iter().map(|id| (*id).to_owned()).collect(),
            },
        };
        let error = gone
            .map_err(|error| error.of_write().0)
            .err()
            .unwrap_or_else(|| SinkError::Unreachable { reason: "Vercel has not removed the variable yet".to_owned() });
        let ended = |checked: Result<Option<String>, SinkError>| match checked? {
            Some(id) if left.contains(&id) => Err(error.clone()),
            _ => Ok(()),
        };
        checked.into_iter().map(ended).collect()
    }
}
