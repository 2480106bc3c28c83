//! What this process waits for right now, so that whoever watches a run sees it. What waits notes it here, and nothing is
//! decided by it.

use std::time::Duration;

use latchkey::mutex::Mutex;

use crate::deadline::since_boot;

/// What is waited for, by number, with when that began.
static WAITING: Mutex<(u64, Vec<(u64, Duration, String)>)> = Mutex::new((0, Vec::new()));

/// Something is waited for until this goes.
#[derive(Debug)]
pub struct Waiting(u64);

impl Waiting {
    /// Begins to wait, in words without a value of anybody's.
    #[must_use]
    pub fn begin(what: impl Into<String>) -> Self {
        let mut waiting = WAITING.lock();
        waiting.0 += 1;
        let number = waiting.0;
        waiting.1.push((number, since_boot(), what.into()));
        Self(number)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        WAITING.lock().1.retain(|(number, ..)| *number != self.0);
    }
}

/// What is waited for the longest, and for how long.
pub fn longest() -> Option<(String, Duration)> {
    let waiting = WAITING.lock();
    let (_, since, what) = waiting.1.first()?;
    Some((what.clone(), since_boot().saturating_sub(*since)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_began_first_is_told_until_it_ends() {
        let release = Waiting::begin("`acme`: release v42");
        let request = Waiting::begin("`api.example.org`");
        let told = |what: &str| longest().is_some_and(|(told, _)| told == what);
        // Other tests of this process may wait too.
        assert!(longest().is_some());
        drop(release);
        assert!(!told("`acme`: release v42"));
        drop(request);
        assert!(!told("`api.example.org`"));
    }
}
