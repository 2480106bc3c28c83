//! Rows of the index that an earlier version of this program wrote are written anew: some in each turn, until all are.

use latchkey::service::{DUE_RULES, DuePosition, Service};

use super::Job;

/// How many rows a turn goes through.
const ROWS: usize = 1000;

/// How far the rows are.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// By which rules all of them are written.
    pub(super) rules: u32,
    /// Where those of the next rules go on.
    pub(super) from: Option<DuePosition>,
}

impl Job<'_> {
    /// Goes through some more rows. What goes wrong ends no turn: the next one tries again.
    pub(super) async fn reindex(&self, service: &Service, rows: Rows) -> Rows {
        if rows.rules >= DUE_RULES || self.is_stopped() {
            return rows;
        }
        match service.reindex_due(ROWS, rows.from.as_ref()).await {
            Ok(done) if done.next.is_none() => Rows { rules: DUE_RULES, from: None },
            Ok(done) => Rows { from: done.next, ..rows },
            Err(error) => {
                tracing::warn!(%error, "the index of what falls due was not gone through");
                rows
            }
        }
    }
}
