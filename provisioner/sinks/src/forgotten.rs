//! Branches that a run does not wait for: what was deployed of a merged branch stays for ever, although nobody reads it.

#![warn(missing_docs)]

use std::collections::BTreeSet;

use latchkey::mutex::Mutex;

/// The name that stands for what was deployed without a branch. Git allows no branch of that name.
pub(crate) const NO_BRANCH: &str = "@";

/// Branches that the user of a run says nobody reads any more.
#[derive(Debug, Default)]
pub struct ForgottenBranches {
    names: BTreeSet<String>,
    /// Those of them that would have been waited for.
    met: Mutex<BTreeSet<String>>,
}

impl ForgottenBranches {
    /// These branches.
    pub fn new(names: BTreeSet<String>) -> Self {
        Self { names, met: Mutex::default() }
    }

    /// Whether a branch that would be waited for is one of them.
    pub fn covers(&self, branch: &str) -> bool {
        let covers = self.names.contains(branch);
        if covers {
            self.met.lock().insert(branch.to_owned());
        }
        covers
    }

    /// Those that nothing would have waited for: slips, most likely.
    pub fn unmet(&self) -> Vec<String> {
        let met = self.met.lock();
        self.names.difference(&met).cloned().collect()
    }
}
