//! Vercel, as far as environment variables and deployments go: stateful, and as strict as Vercel.

mod bench;
mod deployments;
mod rows;

use std::sync::{Arc, LazyLock};

use latchkey::clock::{Clock, SystemClock};
use latchkey::mutex::{Mutex, MutexGuard};
use latchkey_sinks::conformance::Trouble;
use serde_json::{Value, json};

use self::deployments::Deployments;
use self::rows::{Row, Rows};
use super::contract::Contract;
use super::vendor::{Call, Listening, Reply, Vendor};

pub use bench::VercelBench;

/// The project that there is, by name.
pub const PROJECT: &str = "acme-web";
/// And by id.
pub const PROJECT_ID: &str = "prj_XLKmu1DyR1eY7zq8UgeRKbA7yVLA";
/// Its deploy hook, less the host.
pub const HOOK: &str = "/v1/integrations/deploy/prj_XLKmu1DyR1eY7zq8UgeRKbA7yVLA/hunter2";

static CONTRACT: LazyLock<Contract> =
    LazyLock::new(|| Contract::load(include_str!("../../../specs/vercel-env.openapi.json")));

/// A fake of Vercel with one project.
pub struct Vercel {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

struct State {
    login: String,
    team: Option<(String, String)>,
    rows: Rows,
    deployments: Deployments,
    /// The rows of one page of a list.
    page: Option<usize>,
    /// Lists of one row come as that row.
    alone: bool,
    sees_deployments: bool,
    hooked: usize,
    refused: Option<(u16, &'static str)>,
}

fn refusal(status: u16, code: &str, message: &str) -> Reply {
    Reply::new(status, json!({ "error": { "code": code, "message": message } }))
}

impl Vercel {
    /// With the project `acme-web` of nobody's team, at the present time. `login` is the token that it accepts.
    pub fn new(login: &str) -> Self {
        Self::at(Arc::new(SystemClock), login)
    }

    /// The same at another time.
    pub fn at(clock: Arc<dyn Clock>, login: &str) -> Self {
        let state = State {
            login: login.to_owned(),
            team: None,
            rows: Rows::default(),
            deployments: Deployments::default(),
            page: None,
            alone: false,
            sees_deployments: true,
            hooked: 0,
            refused: None,
        };
        Self { clock, state: Mutex::new(state) }
    }

    /// Listens on loopback.
    pub async fn serve(self) -> Listening<Self> {
        Listening::serve(self).await
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    fn now(&self) -> i64 {
        self.clock.now().as_millisecond()
    }

    /// From now on only this token is accepted.
    pub fn accept(&self, login: &str) {
        login.clone_into(&mut self.state().login);
    }

    /// The project belongs to a team, by id and slug.
    pub fn team(&self, id: &str, slug: &str) {
        self.state().team = Some((id.to_owned(), slug.to_owned()));
    }

    /// A custom environment is made.
    pub fn environment(&self, id: &str, slug: &str) {
        self.state().rows.environments.push((id.to_owned(), slug.to_owned()));
    }

    /// The team's policy makes every row of production and previews sensitive.
    pub fn policy(&self) {
        self.state().rows.policy = true;
    }

    /// Lists come in pages of so many rows.
    pub fn pages(&self, rows: usize) {
        self.state().page = Some(rows);
    }

    /// A list of one row comes as that row alone.
    pub fn alone(&self) {
        self.state().alone = true;
    }

    /// The login may not see deployments.
    pub fn hide_deployments(&self) {
        self.state().sees_deployments = false;
    }

    /// How often the deploy hook was called.
    pub fn hooked(&self) -> usize {
        self.state().hooked
    }

    /// Something is deployed and ready at once; it reads the rows as they stand.
    pub fn deploy(&self, target: &str, branch: Option<&str>) {
        self.deployment(target, branch, "READY", "PROMOTED");
    }

    /// Something is deployed in another state, for instance `BUILDING`, or `STAGED` and so ready without serving.
    pub fn deployment(&self, target: &str, branch: Option<&str>, state: &'static str, substate: &'static str) {
        let now = self.now();
        let mut state_of = self.state();
        let made = state_of.rows.tick(now);
        let reader = state_of.rows.reader(target, branch);
        let values = state_of.rows.read_by(&reader);
        state_of.deployments.add((made, reader), (state, substate), values);
    }

    /// A person goes back: production's addresses lead to an older deployment, the first one is 0.
    pub fn roll_back(&self, to: usize) {
        let now = self.now();
        let mut state = self.state();
        let at = state.rows.tick(now);
        state.deployments.moves("rollback", to, at);
    }

    /// A person moves production's addresses to a deployment that was made before.
    pub fn promote(&self, to: usize) {
        let now = self.now();
        let mut state = self.state();
        let at = state.rows.tick(now);
        state.deployments.moves("promote", to, at);
    }

    /// The project names a deployment, counted from the first, as the one of a custom environment.
    pub fn names(&self, slug: &str, deployment: usize) {
        self.state().deployments.named.insert(slug.to_owned(), deployment);
    }

    /// All previews of a branch are deleted.
    pub fn delete_previews(&self, branch: &str) {
        let now = self.now();
        self.state().deployments.delete(branch, now);
    }

    /// Lists of deployments come in pages of so many.
    pub fn deployment_pages(&self, deployments: usize) {
        self.state().deployments.page = Some(deployments);
    }

    /// Rows are refused as if they were there, with such a status and code.
    pub fn refuse_rows(&self, status: u16, code: &'static str) {
        self.state().refused = Some((status, code));
    }

    /// What consumers of an environment read: what was there when the deployment that serves them was made.
    pub fn serving(&self, name: &str, target: &str, branch: Option<&str>) -> Option<String> {
        let state = self.state();
        let reader = state.rows.reader(target, branch);
        let values = state.deployments.serving(&reader)?;
        values.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
    }

    /// What the row of an environment holds.
    pub fn value(&self, name: &str, target: &str, branch: Option<&str>) -> Option<String> {
        let state = self.state();
        let reader = state.rows.reader(target, branch);
        state.rows.find(name, &reader).map(|row| row.value.clone())
    }

    /// The comment of that row.
    pub fn comment(&self, name: &str, target: &str) -> Option<String> {
        let state = self.state();
        let reader = state.rows.reader(target, None);
        state.rows.find(name, &reader)?.comment.clone()
    }

    /// The ids of all rows with that name.
    pub fn ids(&self, name: &str) -> Vec<String> {
        self.state().rows.all.iter().filter(|row| row.key == name).map(|row| row.id.clone()).collect()
    }

    /// A person sets a value in the dashboard, comment and type as they are; a new row is sensitive.
    pub fn by_hand(&self, name: &str, target: &str, branch: Option<&str>, value: &str) {
        let now = self.now();
        self.state().rows.by_hand(name, target, branch, value, now);
    }

    /// A row as somebody else made it: any fields of it, with `key` and `target`.
    pub fn foreign(&self, fields: &Value) {
        let now = self.now();
        self.state().rows.foreign(fields, now);
    }

    /// A person changes a row's fields, for instance its targets; that moves its `updatedAt`.
    pub fn edit(&self, name: &str, target: &str, change: impl FnOnce(&mut Row)) {
        let now = self.now();
        let mut state = self.state();
        let reader = state.rows.reader(target, None);
        state.rows.edit(name, &reader, now, change);
    }

    /// A person removes a row.
    pub fn removed_by_hand(&self, name: &str, target: &str, branch: Option<&str>) {
        let mut state = self.state();
        let reader = state.rows.reader(target, branch);
        state.rows.all.retain(|row| !(row.key == name && row.is_read_by(&reader)));
    }
}

impl State {
    fn allowed(&self, call: &Call, project: &str) -> Result<(), Reply> {
        let scoped = match (&self.team, call.parameter("teamId"), call.parameter("slug")) {
            (None, None, None) => true,
            (Some((id, slug)), by_id, by_slug) => by_id == Some(id) || by_slug == Some(slug),
            _ => false,
        };
        if scoped && (project == PROJECT || project == PROJECT_ID) {
            return Ok(());
        }
        // The contract has no 404 for questions.
        let (status, code) = if call.method == "GET" { (403, "forbidden") } else { (404, "not_found") };
        Err(refusal(status, code, "Project not found."))
    }

    fn list(&self, call: &Call) -> Reply {
        let mut rows: Vec<&Row> = self.rows.all.iter().collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.created));
        let Some(page) = self.page else {
            if let ([row], true) = (rows.as_slice(), self.alone) {
                return Reply::new(200, row.json(false));
            }
            let rows: Vec<Value> = rows.into_iter().map(|row| row.json(false)).collect();
            return Reply::new(200, json!({ "envs": rows }));
        };
        let until: i64 = call.parameter("until").and_then(|until| until.parse().ok()).unwrap_or(i64::MAX);
        let left: Vec<&Row> = rows.into_iter().filter(|row| row.created < until).collect();
        let next = left.get(page).and_then(|_| left.get(page - 1)).map(|last| last.created);
        let shown: Vec<Value> = left.iter().take(page).map(|row| row.json(false)).collect();
        let pagination = json!({ "count": shown.len(), "next": next, "prev": left.first().map(|row| row.created) });
        Reply::new(200, json!({ "envs": shown, "pagination": pagination }))
    }

    fn deployments(&self, answer: impl FnOnce(&Deployments) -> Reply) -> Reply {
        if self.sees_deployments {
            return answer(&self.deployments);
        }
        refusal(403, "forbidden", "You don't have permission to list the deployments.")
    }

    fn route(&mut self, call: &Call, now: i64) -> Result<Reply, Reply> {
        match (call.method.as_str(), call.parts().as_slice()) {
            ("GET", ["v10", "projects", project, "env"]) => {
                self.allowed(call, project)?;
                Ok(self.list(call))
            }
            ("POST", ["v10", "projects", project, "env"]) => {
                self.allowed(call, project)?;
                if let Some((status, code)) = self.refused {
                    return Err(refusal(status, code, "Another variable of that name exists."));
                }
                Ok(self.rows.create(&call.body, call.parameter("upsert") == Some("true"), now))
            }
            ("GET", ["v1", "projects", project, "env", id]) => {
                self.allowed(call, project)?;
                let row = self.rows.all.iter().find(|row| row.id == *id).ok_or_else(not_found)?;
                Ok(Reply::new(200, row.json(true)))
            }
            ("PATCH", ["v9", "projects", project, "env", id]) => {
                self.allowed(call, project)?;
                self.rows.patch(id, &call.body, now)
            }
            ("DELETE", ["v1", "projects", project, "env"]) => {
                self.allowed(call, project)?;
                Ok(self.rows.delete(&call.body))
            }
            ("GET", ["v9", "projects", project, "custom-environments"]) => {
                self.allowed(call, project)?;
                let one = |(id, slug): &(String, String)| json!({ "id": id, "slug": slug, "type": "preview", "createdAt": 1, "updatedAt": 1 });
                let environments: Vec<Value> = self.rows.environments.iter().map(one).collect();
                Ok(Reply::new(200, json!({ "accountLimit": { "total": 12 }, "environments": environments })))
            }
            ("GET", ["v9", "projects", project]) => {
                self.allowed(call, project)?;
                Ok(self.deployments(Deployments::project))
            }
            ("GET", ["v6", "deployments"]) => {
                self.allowed(call, call.parameter("projectId").unwrap_or_default())?;
                Ok(self.deployments(|found| found.list(call)))
            }
            _ => Err(refusal(404, "not_found", "The requested API endpoint was not found.")),
        }
    }
}

fn not_found() -> Reply {
    // The contract has no 404 for reading one row.
    refusal(403, "forbidden", "You do not have access to this environment variable.")
}

impl Vendor for Vercel {
    fn answer(&self, call: &Call) -> Reply {
        let now = self.now();
        let mut state = self.state();
        if call.method == "POST" && format!("/{}", call.path.join("/")) == HOOK {
            state.hooked += 1;
            return Reply::new(201, json!({ "job": { "id": "job_1", "state": "PENDING", "createdAt": now } }));
        }
        if call.login() != Some(state.login.as_str()) {
            // Tokens that ended get a 403, those that never were a 401.
            let body = json!({ "error": { "code": "forbidden", "message": "Not authorized", "invalidToken": true } });
            return Reply::new(403, body);
        }
        let reply = state.route(call, now).unwrap_or_else(|refused| refused);
        reply.with("x-ratelimit-limit", 100).with("x-ratelimit-remaining", 99)
    }

    fn trouble(&self, trouble: Trouble) -> Reply {
        match trouble {
            Trouble::Throttled(wait) => {
                let reset = self.clock.now().as_second() + i64::try_from(wait.unwrap_or(7)).unwrap_or(7);
                let limit = json!({ "total": 60, "remaining": 0, "reset": reset });
                let error = json!({ "code": "rate_limited", "message": "Too many requests", "limit": limit });
                let reply = Reply::new(429, json!({ "error": error }));
                wait.into_iter().fold(reply, |reply, wait| reply.with("retry-after", wait))
            }
            Trouble::Broken(status) => refusal(status, "internal_server_error", "An unexpected error occurred"),
            Trouble::Forbidden => refusal(403, "forbidden", "You don't have permission"),
            _ => refusal(401, "unauthorized", "Not authorized"),
        }
    }

    fn contract(&self) -> &Contract {
        &CONTRACT
    }

    fn is_outside(&self, call: &Call) -> bool {
        matches!(
            call.parts().as_slice(),
            ["v6", "deployments"] | ["v9", "projects", _] | ["v1", "integrations", "deploy", ..]
        )
    }

    fn extra(&self) -> &'static [&'static str] {
        &["limit", "until", "since"]
    }

    fn clock(&self) -> &dyn Clock {
        &*self.clock
    }
}
