//! The table `[rotation]`: when what is due is rotated, and how much of it in one run.

mod window;

use jiff::Timestamp;
use latchkey::lifetime::{Seconds, Terms};

use super::TokenDeclaration;
use latchkey_sinks::plural::count;
use latchkey_sinks::reading::{Fault, Fields, Reading, Section, Span, shown};

pub use window::{Window, WindowError};

/// How much time before its end a version no longer waits for a limit of restarts.
const MARGIN: Seconds = Seconds::days(1);

/// When what is due is rotated, and how much of it in one run.
#[derive(Debug, Clone, Default)]
pub struct Rotation {
    /// The hours in which what is due is rotated; always when `None`.
    pub window: Option<Window>,
    /// Where the window is in the file.
    pub window_span: Span,
    /// How many restarts of apps one run may cause by rotating what is due; any number when `None`.
    pub max_restarts: Option<u32>,
}

impl Rotation {
    /// When a rotation that is due may begin, if it has to wait: not at `now`, while the window is closed. It does not wait
    /// where its consumers would be left with less than the overlap before the version in use expires.
    pub fn waits_until(&self, now: Timestamp, expiry: Timestamp, terms: Terms) -> Option<Timestamp> {
        let opens = self.window.as_ref()?.opens_after(now)?;
        (terms.overlap.after(opens) <= expiry).then_some(opens)
    }

    /// Whether a rotation that is due can be left to a later run.
    pub fn can_wait(now: Timestamp, expiry: Timestamp, terms: Terms) -> bool {
        MARGIN.after(terms.overlap.after(now)) <= expiry
    }
}

/// Reads `[rotation]`.
pub(super) fn rotation(section: &Section<'_>, reading: &mut Reading<'_>) -> Rotation {
    let mut fields = Fields::new(section.table, "`[rotation]`".to_owned(), section.header.clone());
    let found = fields.text("window", reading);
    let window_span = found.as_ref().map(|found| found.span.clone()).unwrap_or_default();
    let window = found.and_then(|found| match found.text.parse::<Window>() {
        Ok(window) => Some(window),
        Err(error) => {
            reading.add(Fault::error("bad-window", found.span, error.to_string()).hint(error.hint()));
            None
        }
    });
    let max_restarts = fields.count("max_restarts", reading);
    if max_restarts == Some(0) {
        let span = fields.key_span("max_restarts").unwrap_or_default();
        let message = "`max_restarts` is at least 1: with 0 some tokens would never be rotated";
        reading.add(Fault::error("bad-number", span, message));
    }
    fields.finish(reading);
    Rotation { window, window_span, max_restarts }
}

/// Refuses a window that stays closed longer than a token can wait: between the time when it is due and the last time
/// when an overlap still fits before its version expires.
pub(super) fn check(rotation: &Rotation, tokens: &[TokenDeclaration], reading: &mut Reading<'_>) {
    let Some(window) = &rotation.window else { return };
    let closed = window.longest_closed();
    let slack = |terms: &Terms| terms.expires_in.0.saturating_sub(terms.rotate_every.0).saturating_sub(terms.overlap.0);
    let narrow: Vec<&TokenDeclaration> = tokens.iter().filter(|token| slack(&token.terms) < closed.0).collect();
    let Some(first) = narrow.first() else { return };
    let others = match narrow.len() {
        1 => String::new(),
        more => format!(" and {}", count(more - 1, "other token")),
    };
    let message = format!(
        "the window stays closed for up to {closed}, and `{}`{others} can wait {} at most",
        shown(first.name.as_str()),
        Seconds(slack(&first.terms))
    );
    let hint = "open it more often, or make `expires_in` longer: a token can wait for `expires_in` less `rotate_every` and \
                `overlap`";
    let fault = Fault::error("narrow-window", rotation.window_span.clone(), message).hint(hint);
    reading.add(fault.related(first.span.clone(), "this token"));
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        /// With a window that `check` takes, a token that is looked at every hour is rotated, and while an overlap still fits
        /// before its version expires.
        #[test]
        fn with_a_window_that_check_takes_no_overlap_is_cut_short(
            window in prop::sample::select(vec![
                "Mon-Fri 09:00-16:00 Europe/Berlin", "Sun 02:00-03:00 Europe/Berlin", "Sat 23:30-00:15 UTC", "03:00-04:00 UTC",
            ]),
            rotate_every in 1_u64..40,
            overlap in 1_u64..24,
            spare in 0_u64..400,
            promoted in 0_i64..10_000,
        ) {
            let window: Window = window.parse().unwrap();
            let (rotate_every, overlap) = (Seconds::days(rotate_every), Seconds::hours(overlap));
            let slack = window.longest_closed().0 + spare * 3600;
            let expires_in = Seconds(rotate_every.0 + overlap.0 + slack);
            let terms = Terms { expires_in, rotate_every, overlap };
            let rotation = Rotation { window: Some(window), ..Rotation::default() };
            let promoted: Timestamp = "2026-01-01T00:17:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_hours(promoted);
            let expiry = expires_in.after(promoted);
            let mut now = terms.due(promoted, expiry);
            while rotation.waits_until(now, expiry, terms).is_some() {
                now += SignedDuration::from_hours(1);
                prop_assert!(now < expiry);
            }
            // It is met at most an hour later than it could be.
            prop_assert!(overlap.after(now) <= Seconds::hours(1).after(expiry), "{now} {expiry}");
        }
    }
}
