//! What every sink promises, as tests that a sink's author runs: one a promise, so that the first failure hides no other.
//!
//! Implement [`Bench`] for the sink and what is behind it, and have the tests made, in a crate that depends on `tokio`
//! with `macros` and `rt`:
//!
//! ```ignore
//! mod shelf {
//!     latchkey_sinks::conformance!(Some(ShelfBench::new()));
//! }
//! ```
//!
//! The expression is evaluated once a test, and may `await`. Where it is `None`, for instance because a program is not
//! installed, a test passes without having tested anything: say so there. A case is left out only where a capability or
//! the bench says that the type cannot have it, which is printed.
//!
//! `tests/shelf.rs` of this package is an example in full.

#![warn(missing_docs)]

mod bench;
mod entries;
mod suite;
mod trouble;

pub use bench::{Bench, On, Trouble};
pub use entries::*;
pub use trouble::*;

/// Makes one test of each promise for an expression of the type `Option<impl Bench>`, see
/// [`conformance`](mod@crate::conformance).
#[macro_export]
macro_rules! conformance {
    ($bench:expr) => {
        $crate::conformance! {
            @tests $bench;
            what_is_written_is_seen
            a_second_write_changes_nothing
            a_newer_version_takes_over
            neighbours_stay_as_they_are
            what_is_foreign_is_not_taken_for_ours
            what_changed_since_the_look_is_not_overwritten
            a_change_by_hand_is_found
            what_is_there_is_listed_by_its_name_and_never_with_its_value
            only_what_was_seen_is_removed
            a_batch_is_one_change
            nothing_starts_after_its_deadline
            checks_change_nothing
            what_only_this_machine_reaches_is_told
            passing_trouble_on_a_look_is_waited_for
            passing_trouble_on_a_write_loses_and_repeats_nothing
            an_expired_login_is_told_by_a_look
            an_expired_login_is_told_by_a_write
            a_refusal_is_certain_only_where_nothing_can_arrive
            nothing_shows_a_secret
        }
    };
    (@tests $bench:expr; $($promise:ident)*) => {$(
        #[::tokio::test]
        async fn $promise() {
            if let ::core::option::Option::Some(bench) = $bench {
                $crate::conformance::$promise(&bench).await;
            }
        }
    )*};
}

#[cfg(test)]
mod tests {
    /// A promise that the macro forgets would be tested by nobody.
    #[test]
    fn the_macro_makes_a_test_of_every_promise() {
        let promises = [include_str!("entries.rs"), include_str!("trouble.rs")];
        let promises = promises.iter().flat_map(|text| text.lines()).filter_map(|line| {
            let rest = line.strip_prefix("pub async fn ")?;
            rest.split('(').next()
        });
        let own = include_str!("mod.rs");
        let (_, tests) = own.split_once("@tests $bench;\n").unwrap();
        let (tests, _) = tests.split_once('}').unwrap();
        assert_eq!(tests.split_whitespace().collect::<Vec<_>>(), promises.collect::<Vec<_>>());
    }
}
