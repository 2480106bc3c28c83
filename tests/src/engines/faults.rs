//! Faults on order: the n-th request with a target goes wrong in a chosen way.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;

use hyper::StatusCode;
use latchkey::mutex::Mutex;

use super::http::Answer;

type Deed = Box<dyn FnOnce() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// What goes wrong with a request.
pub enum Fault {
    /// It is answered with `ThrottlingException`.
    Throttle,
    /// It is answered with a status of 500.
    ServerError,
    /// It is answered with this error, and has no effect.
    Refuse(StatusCode, &'static str, String),
    /// The connection ends before the request has an effect.
    LoseRequest,
    /// It has its effect; then the connection ends without an answer.
    LoseReply,
    /// Nothing: but something else happens just before it.
    Meanwhile(Deed),
}

impl Fault {
    /// Lets `deed` happen just before the request has its effect.
    pub fn meanwhile<F: Future<Output = ()> + Send + 'static>(deed: impl FnOnce() -> F + Send + 'static) -> Self {
        Self::Meanwhile(Box::new(|| Box::pin(deed())))
    }

    /// The answer in place of the service's, if this fault has one.
    pub(super) fn answer(&self) -> Option<Answer> {
        let (status, code, message) = match self {
            Self::Throttle => (StatusCode::BAD_REQUEST, "ThrottlingException", "Rate exceeded"),
            Self::ServerError => (StatusCode::INTERNAL_SERVER_ERROR, "InternalServiceError", "An error occurred"),
            Self::Refuse(status, code, message) => (*status, *code, message.as_str()),
            Self::LoseRequest | Self::LoseReply | Self::Meanwhile(_) => return None,
        };
        Some(Answer::error(status, code, message))
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Fault")
    }
}

/// How often each target was asked, and which faults are to come.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    counts: Mutex<BTreeMap<String, usize>>,
    planned: Mutex<Vec<Planned>>,
}

#[derive(Debug)]
struct Planned {
    target: String,
    left: usize,
    fault: Fault,
}

impl Ledger {
    pub(super) fn plan(&self, target: &str, nth: usize, fault: Fault) {
        let planned = Planned { target: target.to_owned(), left: nth, fault };
        self.planned.lock().push(planned);
    }

    pub(super) fn pending(&self, target: &str) -> usize {
        let planned = self.planned.lock();
        planned.iter().filter(|plan| plan.target == target).count()
    }

    pub(super) fn forgive(&self) {
        self.planned.lock().clear();
    }

    pub(super) fn count(&self, target: &str) -> usize {
        self.counts.lock().get(target).copied().unwrap_or(0)
    }

    pub(super) fn targets(&self) -> Vec<String> {
        self.counts.lock().keys().cloned().collect()
    }

    /// Notes a request; the faults that it meets.
    pub(super) fn note(&self, target: &str) -> Vec<Fault> {
        *self.counts.lock().entry(target.to_owned()).or_default() += 1;
        let mut planned = self.planned.lock();
        for plan in planned.iter_mut().filter(|plan| plan.target == target) {
            plan.left = plan.left.saturating_sub(1);
        }
        planned.extract_if(.., |plan| plan.target == target && plan.left == 0).map(|plan| plan.fault).collect()
    }
}
