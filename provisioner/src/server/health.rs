//! Whether the process lives, and whether it can answer: what balancers and supervisors ask.

use std::time::Duration;

use latchkey::api::Response;
use latchkey::mutex::Mutex;
use latchkey::service::Service;
use tokio::time::Instant;

/// What was found is said again for so long, so that asking costs the table nothing.
const FRESH: Duration = Duration::from_secs(1);
/// A table that takes longer is not ready.
const WITHIN: Duration = Duration::from_secs(2);

/// What is known of the table.
#[derive(Debug, Default)]
pub(super) struct Health(Mutex<Option<(Instant, bool)>>);

impl Health {
    /// The answer to a request for `/healthz` or `/readyz`; `None` for any other path.
    pub(super) async fn answer(&self, path: &str, service: &Service, is_ending: bool) -> Option<Response> {
        match path {
            "/healthz" => Some(said(200, "ok")),
            "/readyz" if is_ending => Some(said(503, "ending")),
            "/readyz" if self.is_ready(service).await => Some(said(200, "ready")),
            "/readyz" => Some(said(503, "the table does not answer")),
            _ => None,
        }
    }

    async fn is_ready(&self, service: &Service) -> bool {
        let held = *self.0.lock();
        if let Some((_, ready)) = held.filter(|(at, _)| at.elapsed() < FRESH) {
            return ready;
        }
        let ready = matches!(tokio::time::timeout(WITHIN, service.reach()).await, Ok(Ok(())));
        *self.0.lock() = Some((Instant::now(), ready));
        ready
    }
}

fn said(status: u16, text: &str) -> Response {
    let headers =
        vec![("content-type", "text/plain; charset=utf-8".to_owned()), ("cache-control", "no-store".to_owned())];
    Response { status, headers, body: format!("{text}\n").into_bytes() }
}
