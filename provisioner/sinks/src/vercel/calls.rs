//! The requests to one project of Vercel.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

use super::failure::{failed, is_taken};
use super::row::Row;
use crate::bearer::{Api, code, date, encoded};
use crate::deadline::Deadline;
use crate::host::{Ask, Effect};
use crate::transport::Incoming;
use crate::{Marker, SinkError};

/// How many pages of a list are read: far more than any project has rows.
const PAGES_MAX: usize = 200;

/// One project, reached with one login.
#[derive(Debug)]
pub(super) struct Calls {
    pub(super) api: Api,
    pub(super) project: String,
    pub(super) team: Option<String>,
    /// The project's own id, once Vercel has named it.
    pub(super) id: OnceLock<String>,
}

/// All rows of a project at one time.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) rows: Vec<Row>,
    /// When, in seconds since 1970 by Vercel's clock.
    pub(super) at: i64,
}

/// A row that is to be made. It has no `Debug`: it holds a value.
pub(super) struct NewRow {
    pub(super) key: String,
    pub(super) value: Zeroizing<String>,
    pub(super) kind: &'static str,
    pub(super) target: Option<String>,
    pub(super) branch: Option<String>,
    pub(super) custom: Option<String>,
    pub(super) comment: String,
}

/// What became of rows that were to be made.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) created: Vec<Row>,
    pub(super) failed: Vec<Failed>,
}

/// A row that was not made.
#[derive(Debug, Deserialize)]
pub(super) struct Failed {
    error: FailedWords,
}

/// Of the vendor's words only those that name the row. `value`, which may be an echo, is never read.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct FailedWords {
    code: String,
    #[serde(default)]
    key: Option<String>,
    #[serde(default)]
    env_var_key: Option<String>,
}

impl Failed {
    pub(super) fn key(&self) -> Option<&str> {
        self.error.key.as_deref().or(self.error.env_var_key.as_deref())
    }

    pub(super) fn error(&self) -> SinkError {
        let code = code(&self.error.code);
        if is_taken(code) {
            return SinkError::Changed;
        }
        SinkError::Refused {
            reason: format!("Vercel refused to create the variable (`{code}`)"),
            hint: "check the project's environment variables, and its limits".to_owned(),
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum List {
    Many { envs: Vec<Row>, pagination: Option<Page> },
    One(Box<Row>),
}

#[derive(Deserialize)]
struct Page {
    next: Option<i64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    Many(Vec<Row>),
    One(Box<Row>),
}

impl Calls {
    pub(super) fn target(&self, path: &str, query: &[(&str, &str)]) -> String {
        let mut target = path.to_owned();
        let team =
            self.team.as_deref().map(|team| if team.starts_with("team_") { ("teamId", team) } else { ("slug", team) });
        for (index, (name, value)) in query.iter().copied().chain(team).enumerate() {
            target.push(if index == 0 { '?' } else { '&' });
            target.push_str(name);
            target.push('=');
            target.push_str(&encoded(value));
        }
        target
    }

    fn env(&self, version: &str) -> String {
        format!("/{version}/projects/{}/env", encoded(&self.project))
    }

    fn unreadable(what: &str) -> SinkError {
        SinkError::Unreachable { reason: format!("Vercel's answer to {what} cannot be read") }
    }

    pub(super) async fn read<T: for<'de> Deserialize<'de>>(
        &self,
        target: String,
        what: &str,
    ) -> Result<(T, Incoming), SinkError> {
        let answer = self.api.ask(|| Ask::read(target.clone())).await?;
        if answer.status != 200 {
            return Err(failed(&answer, &self.project, what));
        }
        // What exactly is wrong is dropped, as it may hold a value.
        let read = serde_json::from_slice(&answer.body).map_err(|_| Self::unreadable("a request"))?;
        Ok((read, answer))
    }

    /// All rows, page by page.
    pub(super) async fn list(&self) -> Result<Listed, SinkError> {
        let what = format!("read the variables of `{}`", self.project);
        let mut listed = Listed { rows: Vec::new(), at: i64::MAX };
        let mut until: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let query: Vec<(&str, &str)> = until.as_deref().map(|until| ("until", until)).into_iter().collect();
            let (list, answer) = self.read::<List>(self.target(&self.env("v10"), &query), &what).await?;
            let at = date(&answer).ok_or_else(|| Self::unreadable("a request, which has no date,"))?;
            // The first page is the oldest.
            listed.at = listed.at.min(at);
            let next = match list {
                List::One(row) => {
                    listed.rows.push(*row);
                    None
                }
                List::Many { envs, pagination } => {
                    listed.rows.extend(envs);
                    pagination.and_then(|page| page.next)
                }
            };
            let next = next.map(|next| next.to_string());
            if next.is_none() || next == until {
                return Ok(listed);
            }
            until = next;
        }
        Err(SinkError::Unreachable {
            reason: format!("Vercel's list of the variables of `{}` does not end", self.project),
        })
    }

    /// The ids of the project's custom environments by their slugs.
    pub(super) async fn custom_environments(&self) -> Result<BTreeMap<String, String>, SinkError> {
        #[derive(Deserialize)]
        struct Environments {
            environments: Vec<Environment>,
        }
        #[derive(Deserialize)]
        struct Environment {
            id: String,
            slug: String,
        }
        let path = format!("/v9/projects/{}/custom-environments", encoded(&self.project));
        let what = format!("read the custom environments of `{}`", self.project);
        let (found, _) = self.read::<Environments>(self.target(&path, &[]), &what).await?;
        Ok(found.environments.into_iter().map(|found| (found.slug, found.id)).collect())
    }

    /// The value of a row whose type lets it be read.
    pub(super) async fn value(&self, id: &str) -> Result<Option<Zeroizing<String>>, SinkError> {
        #[derive(Deserialize)]
        struct Valued {
            #[serde(default)]
            value: Option<String>,
            #[serde(default)]
            decrypted: Option<bool>,
        }
        let target = self.target(&format!("{}/{}", self.env("v1"), encoded(id)), &[]);
        let answer = self.api.ask(|| Ask::read(target.clone())).await?;
        if answer.status == 404 {
            return Ok(None);
        }
        if answer.status != 200 {
            return Err(failed(&answer, &self.project, "read a variable"));
        }
        let found: Valued = serde_json::from_slice(&answer.body).map_err(|_| Self::unreadable("a request"))?;
        let value = found.value.map(Zeroizing::new);
        // A ciphertext is no value.
        Ok(value.filter(|_| found.decrypted != Some(false)))
    }

    /// Gives a row a value and the comment that goes with it, in one request. `None` when there is no such row.
    pub(super) async fn edit(
        &self,
        id: &str,
        (value, comment): (&str, &str),
        kind: Option<&str>,
        deadline: Deadline,
    ) -> Result<Option<Row>, SinkError> {
        #[derive(serde::Serialize)]
        struct Edit<'a> {
            value: &'a str,
            comment: &'a str,
            #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
            kind: Option<&'a str>,
        }
        let target = self.target(&format!("{}/{}", self.env("v9"), encoded(id)), &[]);
        let edit = Edit { value, comment, kind };
        // Sent twice it writes the same twice.
        let ask = || Ask::new("PATCH", target.clone(), Effect::Repeatable(deadline)).json(&edit);
        let answer = self.api.ask(ask).await?;
        match answer.status {
            200 => serde_json::from_slice(&answer.body).map(Some).map_err(|_| Self::unreadable("a change")),
            404 => Ok(None),
            _ => {
                let error = failed(&answer, &self.project, &format!("change a variable of `{}`", self.project));
                Err(self.api.of_change(&answer, error))
            }
        }
    }

    /// Makes rows that are not there. Without `upsert`: a row that somebody made meanwhile is never overwritten.
    pub(super) async fn create(&self, rows: &[NewRow], deadline: Deadline) -> Result<Made, SinkError> {
        #[derive(serde::Serialize)]
        #[serde(rename_all = "camelCase")]
        struct New<'a> {
            key: &'a str,
            value: &'a str,
            #[serde(rename = "type")]
            kind: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            target: Option<[&'a str; 1]>,
            #[serde(skip_serializing_if = "Option::is_none")]
            git_branch: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            custom_environment_ids: Option<[&'a str; 1]>,
            comment: &'a str,
        }
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default)]
            created: Option<OneOrMany>,
            #[serde(default)]
            failed: Vec<Failed>,
        }
        let rows: Vec<New<'_>> = rows
            .iter()
            .map(|row| New {
                key: &row.key,
                value: &row.value,
                kind: row.kind,
                target: row.target.as_deref().map(|target| [target]),
                git_branch: row.branch.as_deref(),
                custom_environment_ids: row.custom.as_deref().map(|id| [id]),
                comment: &row.comment,
            })
            .collect();
        let target = self.target(&self.env("v10"), &[]);
        let ask = || Ask::new("POST", target.clone(), Effect::Once(deadline)).json(&rows);
        let answer = self.api.ask(ask).await?;
        // A refusal of all of them may list them too.
        let listed =
            matches!(answer.status, 200 | 201 | 400).then(|| serde_json::from_slice::<Answer>(&answer.body).ok());
        match listed.flatten() {
            Some(found) if answer.status != 400 || !found.failed.is_empty() => {
                let created = match found.created {
                    None => Vec::new(),
                    Some(OneOrMany::One(row)) => vec![*row],
                    Some(OneOrMany::Many(rows)) => rows,
                };
                Ok(Made { created, failed: found.failed })
            }
            _ => {
                let error = failed(&answer, &self.project, &format!("create variables in `{}`", self.project));
                Err(self.api.of_change(&answer, error))
            }
        }
    }

    /// Removes rows. Answers the ids that went.
    pub(super) async fn delete(&self, ids: &[&str], deadline: Deadline) -> Result<Vec<String>, SinkError> {
        #[derive(Deserialize)]
        struct Deleted {
            ids: Vec<String>,
        }
        let target = self.target(&self.env("v1"), &[]);
        // An id is never used again, so to send it twice removes nothing else.
        let ask = || Ask::new("DELETE", target.clone(), Effect::Repeatable(deadline)).json(&json!({ "ids": ids }));
        let answer = self.api.ask(ask).await?;
        match answer.status {
            200 => {
                let gone: Deleted = serde_json::from_slice(&answer.body).map_err(|_| Self::unreadable("a removal"))?;
                Ok(gone.ids)
            }
            404 => Ok(Vec::new()),
            _ => Err(failed(&answer, &self.project, &format!("remove variables of `{}`", self.project))),
        }
    }
}

/// Whether a marker is the one that is to be written.
pub(super) fn shows(row: &Row, marker: &Marker) -> bool {
    row.comment().is_some_and(|comment| comment.marker == *marker)
}
