//! What a run did, and what it could not do.

use super::stage::STOPPED;

/// Something that a run could not do for one token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The token, `user/name`.
    pub subject: String,
    /// What went wrong and where.
    pub message: String,
    /// What state things are in now.
    pub state: String,
    /// What to do next.
    pub hint: String,
    /// Whether running again can help although nobody changes anything.
    pub passes: bool,
}

impl Failure {
    /// Whether nothing went wrong: the run was stopped before it came to this.
    pub fn is_stop(&self) -> bool {
        self.message == STOPPED
    }
}

/// What a run did.
#[derive(Debug, Default)]
pub struct Outcome {
    /// How many roles, users and tokens were brought in sync.
    pub done: usize,
    /// What could not be done.
    pub failures: Vec<Failure>,
    /// How many planned changes have to wait for a later run.
    pub waiting: usize,
    /// A place was found in a state that is to be repaired at once: plan and apply again.
    pub another_pass: bool,
    /// It was stopped from outside.
    pub stopped: bool,
}

impl Outcome {
    /// Whether all was done that was to be.
    pub fn is_good(&self) -> bool {
        self.failures.is_empty() && !self.stopped
    }

    /// Whether another run has something to continue: this one did a part, or what it met may pass by itself.
    pub fn can_continue(&self) -> bool {
        self.done > 0 || self.waiting > 0 || self.stopped || self.failures.iter().any(|failure| failure.passes)
    }
}

/// Receives the progress of a run.
pub trait Reporter: Send + Sync {
    /// So many tokens will change.
    fn begin(&self, tokens: usize);
    /// Something was done.
    fn done(&self, subject: &str, words: &str);
    /// Something to know, which changes nothing about what was done.
    fn remark(&self, text: &str);
    /// Something could not be done.
    fn failed(&self, failure: &Failure);
}

/// Reports nothing on the way: what came of a run is in its outcome.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Reporter for Silent {
    fn begin(&self, _: usize) {}
    fn done(&self, _: &str, _: &str) {}
    fn remark(&self, _: &str) {}
    fn failed(&self, _: &Failure) {}
}
