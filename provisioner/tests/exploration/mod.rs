//! What both explorations share: what a run is told to do, in which situations, in which places; and when everything
//! is in order. One explores the engine on an oracle of the service's rules, the other on the service itself.

mod doing;
mod places;
mod scenario;
mod settled;

pub(crate) use doing::Doing;
pub(crate) use places::{Entry, Traits, place, unchanged, unreachable};
pub(crate) use scenario::Scenario;
pub(crate) use settled::left_to_do;
