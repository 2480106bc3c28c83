//! What a run wrote, sink by sink, so that each can have its consumers redeployed once when all is written.

use std::sync::Arc;

use latchkey::place::Place;

use super::{Failure, Outcome, Run};
use latchkey_sinks::Sink;
use latchkey_sinks::plural::count;

/// The sinks that a run wrote to, each with the places written.
#[derive(Default)]
pub(super) struct Written(Vec<(Arc<dyn Sink>, Vec<Place>)>);

impl Written {
    /// Notes places that were written.
    pub(super) fn note(&mut self, sink: &Arc<dyn Sink>, places: Vec<Place>) {
        if places.is_empty() {
            return;
        }
        match self.0.iter_mut().find(|(other, _)| Arc::ptr_eq(other, sink)) {
            Some((_, noted)) => noted.extend(places),
            None => self.0.push((sink.clone(), places)),
        }
    }

    /// Informs each sink once that its writes are done.
    pub(super) async fn tell(self, run: &Run<'_>, outcome: &mut Outcome) {
        for (sink, mut places) in self.0 {
            places.sort();
            places.dedup();
            let places: Vec<&Place> = places.iter().collect();
            match sink.written(&places).await {
                Ok(None) => {}
                Ok(Some(text)) => run.reporter.remark(&text),
                Err(error) => {
                    let subject = places.first().map_or_else(String::new, |place| run.labels.of(place));
                    let failure = Failure {
                        subject,
                        message: format!(
                            "nothing was redeployed after writing to {}: {error}",
                            count(places.len(), "place")
                        ),
                        state: "the values are in place; consumers read them after their next deployment".to_owned(),
                        hint: error.hint().map_or_else(|| "redeploy them by hand".to_owned(), str::to_owned),
                        passes: error.passes(),
                    };
                    run.reporter.failed(&failure);
                    outcome.failures.push(failure);
                }
            }
        }
    }
}
