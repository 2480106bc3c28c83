//! Ctrl-C, and a job that is cancelled: the first signal lets the pushes in flight finish, the second ends the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::output::Printer;

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
        printer.talk("stopping after the pushes in flight; interrupt again to stop at once");
        let code = either(&mut interrupt, &mut terminate).await;
        printer.talk(HALF_DONE);
        #[expect(clippy::exit, reason = "who asks twice wants no waiting")]
        std::process::exit(code);
    });
}

/// Waits for one of the two; answers the exit code that a shell gives for it.
async fn either(interrupt: &mut Signal, terminate: &mut Signal) -> i32 {
    tokio::select! {
        _ = interrupt.recv() => 130,
        _ = terminate.recv() => 143,
    }
}
