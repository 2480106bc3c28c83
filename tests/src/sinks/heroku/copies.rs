//! Review apps and CI runs of the fake's pipeline.

use serde_json::{Value, json};

use super::super::vendor::Reply;
use super::{PIPELINE, uuid};

#[derive(Debug)]
struct Review {
    branch: String,
    number: u64,
    app: Option<String>,
    status: &'static str,
}

#[derive(Debug)]
struct Run {
    number: u64,
    branch: String,
    status: &'static str,
}

/// Both.
#[derive(Debug, Default)]
pub(super) struct Copies {
    reviews: Vec<Review>,
    runs: Vec<Run>,
    hidden: Vec<String>,
    /// The most in one part of a list.
    pub(super) part: Option<usize>,
}

impl Copies {
    pub(super) fn review(&mut self, branch: &str, number: u64, app: Option<String>) {
        self.reviews.push(Review { branch: branch.to_owned(), number, app, status: "created" });
    }

    pub(super) fn status(&mut self, branch: &str, status: &'static str) {
        for review in self.reviews.iter_mut().filter(|review| review.branch == branch) {
            review.status = status;
            if status == "pending" {
                review.app = None;
            }
        }
    }

    pub(super) fn close(&mut self, branch: &str) -> Option<u64> {
        let at = self.reviews.iter().position(|review| review.branch == branch)?;
        Some(self.reviews.remove(at).number)
    }

    pub(super) fn hide(&mut self, app: String) {
        self.hidden.push(app);
    }

    pub(super) fn hides(&self, app: &str) -> bool {
        self.hidden.iter().any(|hidden| hidden == app)
    }

    pub(super) fn run(&mut self, number: u64, branch: &str, status: &'static str) {
        self.runs.retain(|run| run.number != number);
        self.runs.push(Run { number, branch: branch.to_owned(), status });
    }

    /// A part of a list, and where the next one begins.
    pub(super) fn page(&self, list: &str, range: Option<&str>, now: &str) -> Reply {
        let all: Vec<Value> = match list {
            "review-apps" => self.reviews.iter().map(|review| review_json(review, now)).collect(),
            _ => self.runs.iter().map(|run| run_json(run, now)).collect(),
        };
        let start = range.and_then(|range| range.strip_prefix("part ")?.parse().ok()).unwrap_or(0);
        let most = self.part.unwrap_or(usize::MAX);
        let shown: Vec<Value> = all.iter().skip(start).take(most).cloned().collect();
        let next = start + shown.len();
        if next < all.len() {
            return Reply::new(206, json!(shown)).with("next-range", format!("part {next}"));
        }
        Reply::new(200, json!(shown))
    }
}

fn review_json(review: &Review, now: &str) -> Value {
    json!({
        "app": review.app.as_ref().map(|id| json!({ "id": id })),
        "app_setup": { "id": uuid("setup", review.number) },
        "branch": review.branch,
        "created_at": now,
        "creator": { "id": uuid("user", 1) },
        "error_status": null,
        "fork_repo": null,
        "id": uuid("review", review.number),
        "message": null,
        "pipeline": { "id": PIPELINE },
        "pr_number": review.number,
        "status": review.status,
        "updated_at": now,
        "wait_for_ci": false,
    })
}

fn run_json(run: &Run, now: &str) -> Value {
    json!({
        "actor_email": "ci@example.com",
        "app_setup": null,
        "clear_cache": false,
        "commit_branch": run.branch,
        "commit_message": "a change",
        "commit_sha": "1d2c3b4a",
        "created_at": now,
        "debug": false,
        "dyno": { "size": "standard-1x" },
        "id": uuid("run", run.number),
        "message": null,
        "number": run.number,
        "organization": { "name": "acme" },
        "pipeline": { "id": PIPELINE },
        "source_blob_url": "https://example.com/source.tgz",
        "status": run.status,
        "updated_at": now,
        "user": { "id": uuid("user", 1), "email": "ci@example.com" },
        "warning_message": null,
    })
}
