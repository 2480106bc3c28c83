//! The calls of a run and what can go wrong at each.

use std::collections::BTreeSet;

use latchkey::place::PlaceId;
use latchkey::secret::TokenId;

/// A kind of call that the engine makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Step {
    /// Records, roles, users or origins are read.
    Observe,
    /// A sink's cheapest list is read.
    Survey,
    /// A value is read back from a place.
    ReadBack,
    /// The service confirms a value that was read back.
    Confirm,
    /// Logins and rights are checked.
    Prepare,
    PutRole,
    PutUser,
    Create,
    Edit,
    Stage,
    Announce,
    /// An announcement is withdrawn.
    Withdraw,
    /// Values are written into places.
    Write,
    /// A delivery is reported.
    Report,
    /// Places are looked at.
    Look,
    /// A record is read again.
    Reread,
    Promote,
    Retire,
    /// A sink is told of a version that ended.
    Ended,
    /// A sink is told that a run has written.
    Written,
    /// Entries are removed.
    Remove,
    Forget,
    /// A token ends.
    End,
    /// AWS begins a rotation, or tries one again.
    Begin,
    /// The version that AWS named is described.
    Describe,
    /// What is under AWSPENDING is read.
    ReadPending,
    /// A version is put under AWSPENDING.
    PutPending,
    /// AWSPENDING is taken off.
    EndPending,
}

impl Step {
    pub(crate) const ALL: [Self; 28] = [
        Self::Observe,
        Self::Survey,
        Self::ReadBack,
        Self::Confirm,
        Self::Prepare,
        Self::PutRole,
        Self::PutUser,
        Self::Create,
        Self::Edit,
        Self::Stage,
        Self::Announce,
        Self::Withdraw,
        Self::Write,
        Self::Report,
        Self::Look,
        Self::Reread,
        Self::Promote,
        Self::Retire,
        Self::Ended,
        Self::Written,
        Self::Remove,
        Self::Forget,
        Self::End,
        Self::Begin,
        Self::Describe,
        Self::ReadPending,
        Self::PutPending,
        Self::EndPending,
    ];

    /// Whether it puts a value somewhere, which may arrive later.
    pub(crate) fn is_write(self) -> bool {
        matches!(self, Self::Write | Self::PutPending)
    }

    /// Whether it changes anything.
    pub(crate) fn is_effect(self) -> bool {
        !matches!(
            self,
            Self::Observe
                | Self::Survey
                | Self::ReadBack
                | Self::Confirm
                | Self::Prepare
                | Self::Look
                | Self::Reread
                | Self::Ended
                | Self::Written
                | Self::Describe
                | Self::ReadPending
        )
    }
}

/// What can go wrong at a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Fault {
    /// The process dies before the effect.
    CrashBefore,
    /// The process dies after it.
    CrashAfter,
    /// The call fails and has no effect.
    Fails,
    /// The call has its effect, and no answer comes.
    TimesOut,
    /// The vendor refuses before any effect, and says so.
    Refused,
    /// No answer comes, and the effect arrives later.
    Late,
    /// The process is suspended before the call, and other runs go on.
    Suspended,
    /// The process is suspended after the effect, before it hears of it.
    SuspendedAfter,
    /// The process is suspended alone, for minutes to months.
    TimePasses,
    /// A person changes an entry.
    Hand,
    /// A person deletes the token.
    TokenDeleted,
}

impl Fault {
    pub(crate) const ALL: [Self; 11] = [
        Self::CrashBefore,
        Self::CrashAfter,
        Self::Fails,
        Self::TimesOut,
        Self::Refused,
        Self::Late,
        Self::Suspended,
        Self::SuspendedAfter,
        Self::TimePasses,
        Self::Hand,
        Self::TokenDeleted,
    ];

    /// Whether it can happen at a call of that kind.
    pub(crate) fn is_possible(self, step: Step) -> bool {
        match self {
            // Before a call without effect is after the one before it.
            Self::CrashBefore | Self::CrashAfter | Self::TimesOut | Self::SuspendedAfter => step.is_effect(),
            Self::Late | Self::Refused => step.is_write(),
            // Where these are still to be made there is no token.
            Self::TokenDeleted => !matches!(step, Step::PutRole | Step::PutUser),
            _ => true,
        }
    }
}

/// Which pairs were covered.
pub(crate) type Covered = BTreeSet<(Step, Fault)>;

/// A call that is about to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct About {
    pub(crate) step: Step,
    pub(crate) token: Option<TokenId>,
    pub(crate) number: u32,
    pub(crate) places: Vec<PlaceId>,
    /// The effect has happened, and the run has not heard of it.
    pub(crate) hearing: bool,
}

impl About {
    pub(crate) fn new(step: Step) -> Self {
        Self { step, token: None, number: 0, places: Vec::new(), hearing: false }
    }

    pub(crate) fn of(step: Step, token: &latchkey::token::Token, number: u32) -> Self {
        Self { token: Some(token.id.clone()), number, ..Self::new(step) }
    }

    pub(crate) fn at(mut self, place: &PlaceId) -> Self {
        self.places.push(place.clone());
        self
    }
}
