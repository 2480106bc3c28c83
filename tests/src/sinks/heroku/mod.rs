//! Heroku, as far as config vars and their releases go: stateful, and as strict as Heroku.

mod apps;
mod bench;
mod copies;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use latchkey::clock::{Clock, SystemClock};
use latchkey::mutex::{Mutex, MutexGuard};
use latchkey_sinks::conformance::Trouble;
use serde_json::{Value, json};

use self::apps::{App, Phase, change, map, release_json};
use self::copies::Copies;
use super::contract::Contract;
use super::vendor::{Call, Listening, Reply, Vendor};

pub use bench::HerokuBench;

/// The requests that an account has at the most.
const BUCKET: i64 = 4500;
/// The pipeline that there is.
pub const PIPELINE: &str = "01234567-89ab-cdef-0123-456789abcdef";

static CONTRACT: LazyLock<Contract> =
    LazyLock::new(|| Contract::load(include_str!("../../../specs/heroku-config-vars.schema.json")));

/// A fake of Heroku with the apps that it was made with, and one pipeline.
pub struct Heroku {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

struct State {
    login: String,
    scopes: String,
    apps: BTreeMap<String, App>,
    stages: BTreeMap<String, BTreeMap<String, String>>,
    copies: Copies,
    left: i64,
    requests: u64,
    /// How the next releases go.
    phases: Vec<Phase>,
}

fn uuid(kind: &str, number: u64) -> String {
    let kind = kind.bytes().fold(7_u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(u32::from(byte)));
    format!("{kind:08x}-0000-4000-8000-{number:012x}")
}

fn refusal(status: u16, id: &str, message: &str) -> Reply {
    Reply::new(status, json!({ "id": id, "message": message }))
}

impl Heroku {
    /// With these apps, at the present time. `login` is the API key that it accepts.
    pub fn new(login: &str, apps: &[&str]) -> Self {
        Self::at(Arc::new(SystemClock), login, apps)
    }

    /// The same at another time.
    pub fn at(clock: Arc<dyn Clock>, login: &str, apps: &[&str]) -> Self {
        let made = clock.now().to_string();
        let app = |name: &&str| {
            let mut app = App { vars: BTreeMap::new(), releases: Vec::new() };
            app.release("Initial release", Phase { asks: 0, fails: false }, made.clone());
            ((*name).to_owned(), app)
        };
        let state = State {
            login: login.to_owned(),
            scopes: "global".to_owned(),
            apps: apps.iter().map(app).collect(),
            stages: ["test", "review"].map(|stage| (stage.to_owned(), BTreeMap::new())).into(),
            copies: Copies::default(),
            left: BUCKET,
            requests: 0,
            phases: Vec::new(),
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

    /// The release of the next change stays pending for so many looks at the list of releases.
    pub fn release_pending(&self, asks: usize) {
        self.state().phases.push(Phase { asks, fails: false });
    }

    /// The release of the next change fails, after so many looks.
    pub fn release_fails(&self, asks: usize) {
        self.state().phases.push(Phase { asks, fails: true });
    }

    /// From now on only this API key is accepted.
    pub fn accept(&self, login: &str) {
        login.clone_into(&mut self.state().login);
    }

    /// From now on the login has these scopes.
    pub fn scopes(&self, scopes: &str) {
        scopes.clone_into(&mut self.state().scopes);
    }

    /// The account has so many requests left.
    pub fn left(&self, left: i64) {
        self.state().left = left;
    }

    /// A person sets or removes a config var in the dashboard.
    pub fn by_hand(&self, app: &str, name: &str, value: Option<&str>) {
        let made = self.clock.now().to_string();
        let mut state = self.state();
        let app = state.apps.get_mut(app).expect("there is such an app");
        match value {
            Some(value) => app.vars.insert(name.to_owned(), value.to_owned()),
            None => app.vars.remove(name),
        };
        app.release("Set by hand", Phase { asks: 0, fails: false }, made);
    }

    /// A person deploys: a release that succeeds, with the config vars as they stand.
    pub fn deploy(&self, app: &str) {
        let made = self.clock.now().to_string();
        let mut state = self.state();
        state.apps.get_mut(app).expect("there is such an app").release("Deploy", Phase { asks: 0, fails: false }, made);
    }

    /// What dynos of an app read.
    pub fn running(&self, app: &str, name: &str) -> Option<String> {
        let state = self.state();
        state.apps.get(app)?.serving()?.vars.get(name).cloned()
    }

    /// An app's own id.
    pub fn id(&self, app: &str) -> String {
        uuid(app, 0)
    }

    /// What the config vars of an app hold.
    pub fn value(&self, app: &str, name: &str) -> Option<String> {
        self.state().apps.get(app)?.vars.get(name).cloned()
    }

    /// What a pipeline's stage holds.
    pub fn stage(&self, stage: &str, name: &str) -> Option<String> {
        self.state().stages.get(stage)?.get(name).cloned()
    }

    /// A pull request gets a review app, which copies the stage's config vars. Answers the app's name.
    pub fn review_app(&self, branch: &str, number: u64) -> String {
        let made = self.clock.now().to_string();
        let mut state = self.state();
        let name = format!("acme-pr-{number}");
        let mut app = App { vars: state.stages["review"].clone(), releases: Vec::new() };
        app.release("Initial release", Phase { asks: 0, fails: false }, made);
        state.apps.insert(name.clone(), app);
        state.copies.review(branch, number, Some(uuid(&name, 0)));
        name
    }

    /// A review app is in another state, for instance `creating`.
    pub fn review_status(&self, branch: &str, status: &'static str) {
        self.state().copies.status(branch, status);
    }

    /// A pull request is closed, and its review app goes.
    pub fn close_review(&self, branch: &str) {
        let mut state = self.state();
        if let Some(number) = state.copies.close(branch) {
            state.apps.remove(&format!("acme-pr-{number}"));
        }
    }

    /// The login may not see an app.
    pub fn hide_app(&self, app: &str) {
        self.state().copies.hide(uuid(app, 0));
    }

    /// A CI run is in a state, for instance `running`.
    pub fn ci_run(&self, number: u64, branch: &str, status: &'static str) {
        self.state().copies.run(number, branch, status);
    }

    /// Lists of a pipeline come in parts of so many.
    pub fn parts(&self, most: usize) {
        self.state().copies.part = Some(most);
    }

    /// How many releases an app has had, its first included.
    pub fn releases(&self, app: &str) -> usize {
        self.state().apps.get(app).map_or(0, |app| app.releases.len())
    }
}

/// `version ..; order=desc, max=10`: whether newest first, and how many.
fn range(header: Option<&str>) -> (bool, usize) {
    let header = header.unwrap_or_default();
    let max =
        header.split("max=").nth(1).and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok());
    (header.contains("order=desc"), max.unwrap_or(200))
}

impl State {
    fn apps(&mut self, name: &str) -> Result<(&str, &mut App), Reply> {
        let by_id = self.apps.keys().find(|app| app.as_str() == name || uuid(app, 0) == name).cloned();
        let missing = || refusal(404, "not_found", "Couldn't find that app.");
        let name = by_id.ok_or_else(missing)?;
        let (name, app) = self.apps.iter_mut().find(|(app, _)| **app == name).ok_or_else(missing)?;
        Ok((name, app))
    }

    fn route(&mut self, call: &Call, now: &str) -> Result<Reply, Reply> {
        let phase = || Phase { asks: 0, fails: false };
        match (call.method.as_str(), call.parts().as_slice()) {
            ("GET", ["account", "rate-limits"]) => Ok(Reply::new(200, json!({ "remaining": self.left }))),
            ("GET", ["account"]) => Ok(Reply::new(200, json!({ "id": uuid("user", 1), "email": "ci@example.com" }))),
            ("GET", ["apps", name, ..]) if self.copies.hides(name) => {
                Err(refusal(403, "forbidden", "You do not have access to this app."))
            }
            ("GET", ["apps", name, "config-vars"]) => Ok(Reply::new(200, map(self.apps(name)?.1.shown()))),
            ("PATCH", ["apps", name, "config-vars"]) => {
                let phase = if self.phases.is_empty() { phase() } else { self.phases.remove(0) };
                let (_, app) = self.apps(name)?;
                change(&mut app.vars, &call.body, true)?;
                // Heroku was seen to make a release even of a change that changes nothing.
                app.release("Set config vars", phase, now.to_owned());
                Ok(Reply::new(200, map(&app.vars)))
            }
            ("GET", ["apps", name, "releases"]) => {
                let (name, app) = self.apps(name)?;
                let (newest_first, most) = range(call.headers.get("range").map(String::as_str));
                let mut releases: Vec<Value> =
                    app.releases.iter().map(|release| release_json(name, app, release)).collect();
                if newest_first {
                    releases.reverse();
                }
                let status = if releases.len() > most { 206 } else { 200 };
                releases.truncate(most);
                if let Some(last) = app.releases.last_mut() {
                    last.pending = last.pending.saturating_sub(1);
                }
                Ok(Reply::new(status, Value::Array(releases)))
            }
            ("GET", ["apps", name, "releases", which, rest @ ..]) => {
                let (name, app) = self.apps(name)?;
                let found = app
                    .releases
                    .iter()
                    .find(|release| release.version.to_string() == *which || uuid(name, release.version) == *which);
                let release = found.ok_or_else(|| refusal(404, "not_found", "Couldn't find that release."))?;
                let body = if rest == ["config-vars"] { map(&release.vars) } else { release_json(name, app, release) };
                Ok(Reply::new(200, body))
            }
            ("GET", ["pipelines", id, list @ ("review-apps" | "test-runs")]) if *id == PIPELINE => {
                Ok(self.copies.page(list, call.headers.get("range").map(String::as_str), now))
            }
            (method @ ("GET" | "PATCH"), ["pipelines", id, "stage", stage, "config-vars"]) => {
                let missing = || refusal(404, "not_found", "Couldn't find that pipeline.");
                let stage = self.stages.get_mut(*stage).filter(|_| *id == PIPELINE).ok_or_else(missing)?;
                if method == "PATCH" {
                    change(stage, &call.body, false)?;
                }
                Ok(Reply::new(200, map(stage)))
            }
            _ => Err(refusal(404, "not_found", "The requested API endpoint was not found.")),
        }
    }
}

impl Vendor for Heroku {
    fn answer(&self, call: &Call) -> Reply {
        let now = self.clock.now().to_string();
        let mut state = self.state();
        state.requests += 1;
        let is_free = call.parts() == ["account", "rate-limits"];
        let good_accept = call
            .headers
            .get("accept")
            .is_some_and(|accept| accept.contains("application/vnd.heroku+json") && accept.contains("version=3"));
        let reads_only = !state.scopes.split(',').any(|scope| matches!(scope, "global" | "write-protected"));
        let reply = if call.login() != Some(state.login.as_str()) {
            refusal(401, "unauthorized", "Invalid credentials provided.")
        } else if !good_accept {
            refusal(406, "not_acceptable", "Please specify a valid version in the Accept header.")
        } else if state.left < 1 && !is_free {
            refusal(429, "rate_limit", "Your account reached the API rate limit. Please wait a few minutes.")
        } else if call.method == "PATCH" && reads_only {
            refusal(403, "forbidden", "You do not have the scope write-protected.")
        } else {
            state.route(call, &now).unwrap_or_else(|refused| refused)
        };
        if !is_free {
            state.left -= 1;
        }
        reply
            .with("request-id", uuid("request", state.requests))
            .with("ratelimit-remaining", state.left.max(0))
            .with("ratelimit-multiplier", 1)
            .with("oauth-scope", &state.scopes)
            .with("oauth-scope-accepted", "global write-protected")
    }

    fn trouble(&self, trouble: Trouble) -> Reply {
        match trouble {
            Trouble::Throttled(wait) => {
                let reply = refusal(429, "rate_limit", "Your account reached the API rate limit.");
                wait.into_iter().fold(reply, |reply, wait| reply.with("retry-after", wait))
            }
            Trouble::Broken(status) => refusal(status, "internal_server_error", "An error occurred."),
            Trouble::Forbidden => refusal(403, "forbidden", "You do not have access to the app."),
            _ => refusal(401, "unauthorized", "Invalid credentials provided."),
        }
    }

    fn contract(&self) -> &Contract {
        &CONTRACT
    }

    fn is_outside(&self, call: &Call) -> bool {
        // What the vendor's own command asks besides.
        call.headers.get("user-agent").is_some_and(|agent| agent.contains("heroku-cli"))
            && !CONTRACT.knows(&call.method, &call.path)
    }

    fn extra(&self) -> &'static [&'static str] {
        &[]
    }

    fn clock(&self) -> &dyn Clock {
        &*self.clock
    }
}
