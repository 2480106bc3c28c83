//! A vendor's host: one queue for all requests to it, whichever sink sends them, with bounded concurrency, pauses that
//! its answers ask for, and retries that know what is safe.

mod queue;

use std::sync::Arc;
use std::time::Duration;

use aws_smithy_async::rt::sleep::{AsyncSleep, SharedAsyncSleep, TokioSleep};
use latchkey::entropy::{SystemEntropy, jitter};
use zeroize::Zeroizing;

use crate::deadline::{Deadline, Elapsed, since_boot};
use crate::transport::{Address, Http, Incoming, Outgoing, Transport};
use crate::waiting::Waiting;

use queue::Queue;
pub use queue::Queues;

/// How often a request is sent at the most.
const TRIES: u32 = 5;
/// How long a question is asked again and waited for. A write has its deadline.
const ASK_FOR: Duration = Duration::from_mins(2);
/// The longest pause that a change waits for.
const WRITE_PAUSE: Duration = Duration::from_secs(10);
/// What asks for more is taken for this.
const LONGEST_PAUSE: Duration = Duration::from_hours(1);
const PAUSE_BASE: Duration = Duration::from_millis(250);
const PAUSE_CAP: Duration = Duration::from_secs(8);

/// What a request may do.
#[derive(Debug, Clone, Copy)]
pub enum Effect {
    /// It only reads.
    None,
    /// It changes something, and sent twice it changes nothing more. No attempt starts after the deadline.
    Repeatable(Deadline),
    /// It changes something, and sent twice it might do so twice: it is sent again only where the vendor said that it
    /// did nothing. No attempt starts after the deadline.
    Once(Deadline),
}

impl Effect {
    fn deadline(self) -> Option<Deadline> {
        match self {
            Self::None => None,
            Self::Repeatable(deadline) | Self::Once(deadline) => Some(deadline),
        }
    }
}

/// A request to a host.
#[derive(Debug)]
pub struct Ask {
    /// What is sent, but for the login.
    pub outgoing: Outgoing,
    /// What it may do.
    pub effect: Effect,
}

impl Ask {
    /// A request without a body.
    pub fn read(target: impl Into<String>) -> Self {
        Self::new("GET", target, Effect::None)
    }

    /// A request of any kind.
    pub fn new(method: &'static str, target: impl Into<String>, effect: Effect) -> Self {
        let body = Zeroizing::new(Vec::new());
        Self { outgoing: Outgoing { method, target: target.into(), headers: Vec::new(), body }, effect }
    }

    /// The same with a header; its name in lower case.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.outgoing.headers.push((name, value.into()));
        self
    }

    /// The same with a JSON body, which may contain secrets.
    #[must_use]
    pub fn json(mut self, body: &impl serde::Serialize) -> Self {
        // What is sent here has text keys only, so it can always be written.
        self.outgoing.body = Zeroizing::new(serde_json::to_vec(body).unwrap_or_default());
        self.outgoing.headers.push(("content-type", "application/json".to_owned()));
        self
    }
}

/// Why a request brought no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Unanswered {
    /// Nothing was sent: its deadline had passed.
    #[error("the time allowed for this write ran out before it could start")]
    Late,
    /// Nothing came back, or nothing of use. A write may or may not have arrived.
    #[error("{0}")]
    Silent(String),
}

/// What a vendor's answers ask for: how long to wait before the next request. Called with every answer.
pub type Pacing = fn(&Incoming) -> Option<Duration>;

/// A host as one sink reaches it.
#[derive(Debug, Clone)]
pub struct Host {
    name: String,
    transport: Arc<dyn Transport>,
    queue: Arc<Queue>,
    sleep: SharedAsyncSleep,
    elapsed: Elapsed,
    pacing: Pacing,
}

impl Host {
    /// The host at an address, with the queue that all sinks share.
    pub fn new(address: Address, queues: &Queues, pacing: Pacing) -> Self {
        let name = address.to_string();
        Self {
            queue: queues.queue(&name),
            name,
            transport: Arc::new(Http::new(address)),
            sleep: SharedAsyncSleep::new(TokioSleep::new()),
            elapsed: since_boot,
            pacing,
        }
    }

    /// The same over another way, with another clock: for tests.
    #[must_use]
    pub fn with_transport(
        mut self,
        transport: Arc<dyn Transport>,
        sleep: impl AsyncSleep + 'static,
        elapsed: Elapsed,
    ) -> Self {
        (self.transport, self.sleep, self.elapsed) = (transport, SharedAsyncSleep::new(sleep), elapsed);
        self
    }

    /// Its address, for messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Waits, on the clock that pauses are kept with.
    pub async fn wait(&self, length: Duration) {
        self.sleep.sleep(length).await;
    }

    /// `length` from now, on the clock that pauses are kept with.
    pub fn until(&self, length: Duration) -> Deadline {
        Deadline::by(self.elapsed, length)
    }

    /// Sends a request in its turn, and again where that is safe: after a 429 when the pause is over, and after a 5xx
    /// or silence where it may be repeated. The last answer is returned whatever its status.
    ///
    /// # Errors
    /// When there is no answer to return.
    pub async fn ask(&self, ask: &Ask) -> Result<Incoming, Unanswered> {
        let until = ask.effect.deadline().unwrap_or_else(|| Deadline::by(self.elapsed, ASK_FOR));
        let mut silent = None;
        let _waiting = Waiting::begin(format!("`{}`", self.name));
        for attempt in 1..=TRIES {
            let _turn = self.queue.turn().await;
            let pause = self.queue.pause(self.elapsed);
            // Waiting until it is too late helps nobody.
            // A write that rests on a look must not sit out a long pause: its caller looks again, which waits.
            let most = match ask.effect {
                Effect::None => until.left(),
                Effect::Repeatable(_) | Effect::Once(_) => until.left().min(WRITE_PAUSE),
            };
            if pause >= most && !pause.is_zero() {
                let reason = format!("`{}` asks to wait for {} s", self.name, pause.as_secs().max(1));
                return Err(match (&ask.effect, silent) {
                    (Effect::None, _) => Unanswered::Silent(reason),
                    (_, None) => Unanswered::Late,
                    (_, Some(silent)) => Unanswered::Silent(silent),
                });
            }
            self.sleep.sleep(pause).await;
            if until.has_passed() {
                return Err(match (&ask.effect, silent) {
                    (_, Some(silent)) => Unanswered::Silent(silent),
                    (Effect::None, None) => {
                        Unanswered::Silent(format!("too many requests to `{}` were waiting", self.name))
                    }
                    (_, None) => Unanswered::Late,
                });
            }
            let answer = self.transport.send(&ask.outgoing).await;
            let last = attempt == TRIES;
            match answer {
                Ok(mut answer) => {
                    answer.sent = attempt;
                    let status = answer.status;
                    if let Some(wait) = (self.pacing)(&answer).or_else(|| told_to_wait(&answer)) {
                        self.queue.hold(self.elapsed, wait);
                    } else if status == 429 {
                        self.queue.hold(self.elapsed, backoff(attempt));
                    }
                    let again = status == 429 || (status >= 500 && !matches!(ask.effect, Effect::Once(_)));
                    if !again || last {
                        return Ok(answer);
                    }
                    if status >= 500 {
                        silent = Some(format!("`{}` answered {status}", self.name));
                        self.sleep.sleep(backoff(attempt)).await;
                    }
                }
                Err(error) => {
                    let reason = format!("`{}` did not answer: {error}", self.name);
                    if last || matches!(ask.effect, Effect::Once(_)) {
                        return Err(Unanswered::Silent(reason));
                    }
                    silent = Some(reason);
                    self.sleep.sleep(backoff(attempt)).await;
                }
            }
        }
        Err(Unanswered::Silent(silent.unwrap_or_else(|| format!("`{}` did not answer", self.name))))
    }
}

/// `Retry-After` in seconds, RFC 9110 section 10.2.3. A date is taken for a minute: no vendor here sends one.
fn told_to_wait(answer: &Incoming) -> Option<Duration> {
    if !matches!(answer.status, 429 | 503) {
        return None;
    }
    let value = answer.header("retry-after")?.trim();
    Some(value.parse().map_or(Duration::from_mins(1), Duration::from_secs).min(LONGEST_PAUSE))
}

/// Full jitter, so that many who were refused together do not come back together.
fn backoff(attempt: u32) -> Duration {
    let most = PAUSE_CAP.min(PAUSE_BASE * 2_u32.pow(attempt.min(6)));
    most / 4 + jitter(&SystemEntropy, most / 4 * 3)
}
