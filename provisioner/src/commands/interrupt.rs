//! Ctrl-C, and a job that is cancelled: the first signal lets the pushes in flight finish, the second ends the process. What
//! waits for its next turn is woken, by a signal of its own too.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use latchkey::mutex::Mutex;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;

use crate::output::Printer;

const STOPPING: &str = "stopping after the pushes in flight; interrupt again to stop at once";
/// The message for a run that was stopped in the middle of a push.
const HALF_DONE: &str = "stopped at once: a push may be half-done, and a version staged; an entry that was being \
                         written contains the former version or the new one, and both are valid; run it again to \
                         continue";

/// Watches for SIGINT and SIGTERM from now on.
pub(super) fn stop_on_interrupt(printer: Printer, seen: Arc<AtomicBool>) {
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return;
    };
    tokio::spawn(async move {
        either(&mut interrupt, &mut terminate).await;
        seen.store(true, Ordering::Relaxed);
        printer.talk(STOPPING);
        let code = either(&mut interrupt, &mut terminate).await;
        printer.tell(HALF_DONE);
        end_at_once(code);
    });
}

#[expect(clippy::exit, reason = "who asks twice wants no waiting")]
fn end_at_once(code: i32) -> ! {
    std::process::exit(code)
}

/// What signals ask of runs that come back.
#[derive(Debug, Clone)]
pub(super) struct Signals {
    /// Whether there is to be no further run.
    ended: Arc<AtomicBool>,
    /// What stops the run under way.
    running: Arc<Mutex<Arc<AtomicBool>>>,
    /// Told at each signal.
    came: Arc<Notify>,
}

impl Signals {
    /// Watches from now on: SIGINT and SIGTERM end it, SIGUSR1 asks for the next run at once.
    pub(super) fn watch(printer: Printer) -> Self {
        let signals = Self { ended: Arc::default(), running: Arc::default(), came: Arc::default() };
        if let (Ok(mut interrupt), Ok(mut terminate), Ok(mut next)) =
            (signal(SignalKind::interrupt()), signal(SignalKind::terminate()), signal(SignalKind::user_defined1()))
        {
            let signals = signals.clone();
            tokio::spawn(async move {
                loop {
                    let code = tokio::select! {
                        code = either(&mut interrupt, &mut terminate) => Some(code),
                        _ = next.recv() => None,
                    };
                    if let Some(code) = code {
                        if signals.end() {
                            printer.tell(HALF_DONE);
                            end_at_once(code);
                        }
                        printer.talk(STOPPING);
                    }
                    signals.came.notify_one();
                }
            });
        }
        signals
    }

    /// Ends it; whether it had been ended before.
    fn end(&self) -> bool {
        let before = self.ended.swap(true, Ordering::Relaxed);
        self.running.lock().store(true, Ordering::Relaxed);
        before
    }

    /// Whether there is to be no further run.
    pub(super) fn have_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    /// What stops the next run, which nothing has stopped so far.
    pub(super) fn begin(&self) -> Arc<AtomicBool> {
        let stop = Arc::new(AtomicBool::new(self.have_ended()));
        *self.running.lock() = stop.clone();
        stop
    }

    /// Waits so long, or until a signal comes.
    pub(super) async fn pause(&self, length: Duration) {
        if !self.have_ended() {
            let _ = tokio::time::timeout(length, self.came.notified()).await;
        }
    }
}

/// Waits for one of the two; answers the exit code that a shell gives for it.
async fn either(interrupt: &mut Signal, terminate: &mut Signal) -> i32 {
    tokio::select! {
        _ = interrupt.recv() => 130,
        _ = terminate.recv() => 143,
    }
}
