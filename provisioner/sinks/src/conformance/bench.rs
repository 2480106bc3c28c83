//! What a sink's author brings along.

use std::sync::Arc;

use async_trait::async_trait;
use latchkey::place::Place;

use crate::deadline::{Elapsed, since_boot};
use crate::{DeclaredSink, PushDeclaration, SinkFacts};

/// One type of sink and what is behind it: a vendor, an engine, or a fake that refuses what the vendor refuses. Names are
/// words such as `API_TOKEN`; a bench spells them as its type wants them.
#[async_trait]
pub trait Bench: Send + Sync {
    /// The sink as a new run has it: nothing is kept from one call to the next but what is behind it.
    fn sink(&self) -> Arc<dyn DeclaredSink>;

    /// The sink as a manifest declares it; `None` for a type that no manifest has.
    fn facts(&self) -> Option<Box<dyn SinkFacts>>;

    /// A push to the entry of that name.
    fn push(&self, name: &str) -> PushDeclaration;

    /// What a consumer of the place reads.
    async fn value(&self, place: &Place) -> Option<String>;

    /// A person puts a value there, with whatever tools the vendor gives them.
    async fn by_hand(&self, place: &Place, value: &str);

    /// A person removes the entry.
    async fn removed_by_hand(&self, place: &Place);

    /// The next request of that kind meets trouble. False where this type cannot have it, which is printed.
    fn trouble(&self, trouble: Trouble, on: On) -> bool;

    /// How many requests that change something took effect.
    async fn changes(&self) -> usize;

    /// The clock of deadlines, where a fake has one that jumps over pauses.
    fn clock(&self) -> Elapsed {
        since_boot
    }

    /// Everything that was printed, logged or sent to where no secret belongs, to search it for one.
    fn spoken(&self) -> String {
        String::new()
    }
}

/// Which request meets trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    /// The next question.
    Read,
    /// The next change.
    Write,
}

/// What goes wrong, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Too many requests, and how many seconds to wait, where it says.
    Throttled(Option<u64>),
    /// A server error: nothing was done.
    Broken(u16),
    /// The connection ends before anything was done.
    Unheard,
    /// It is done, and the connection ends before the answer.
    Unanswered,
    /// The login has just expired.
    LoginExpired,
    /// The login may not make this change: nothing was done, and the vendor's code says so.
    Forbidden,
}

impl Trouble {
    /// All that passes by itself.
    pub(super) const PASSING: [Self; 7] = [
        Self::Throttled(None),
        Self::Throttled(Some(1)),
        Self::Throttled(Some(7)),
        Self::Broken(500),
        Self::Broken(503),
        Self::Unheard,
        Self::Unanswered,
    ];
}
