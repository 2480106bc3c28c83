//! Guards of the engine that a test can take out, to show that the exploration would notice. In a release they are all
//! active: there is nothing to take them out with.

/// A check without which an invariant breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Safeguard {
    /// No version is retired before its overlap and its quiet time have ended.
    RetireFrom,
    /// A version that a place shows at the look before its retirement stays valid.
    RetireLook,
    /// Nothing is retired while a place is unreachable.
    RetireUnknown,
    /// Nothing is retired while consumers of a place wait for a deployment.
    RetireLagging,
    /// No version of a token is retired in a run that repairs one of its places.
    RetireUnrepaired,
    /// A delivery is reported only as a look finds it.
    ReportSeen,
    /// A version becomes current only after a look that finds it everywhere.
    PromoteLook,
    /// Nothing is staged while a place is foreign.
    StageForeign,
    /// Nothing is staged while a place is unreachable.
    StageUnknown,
    /// What somebody else wrote between look and write is looked at before the push goes on.
    WriteForeign,
    /// A place that cannot compare is looked at again when the look is old.
    WriteFreshLook,
    /// An entry is removed only if it is still ours.
    RemoveOurs,
    /// An entry is removed only while its place is not declared.
    RemoveUndeclared,
    /// An entry is removed only while no other token of the manifest declares it.
    RemoveElsewhere,
    /// An entry is not removed while its consumers wait for a deployment.
    RemoveLagging,
    /// A place is forgotten only after a look that finds nothing of the token there.
    ForgetLook,
    /// A token is deleted only after a look that finds none of its versions anywhere.
    DeleteLook,
    /// A token that is declared again is not deleted.
    DeleteLeaving,
    /// A value read back is trusted only after the service has confirmed it.
    ConfirmReadBack,
    /// A place that got a version which was no longer valid by then is repaired at once.
    MendDead,
    /// The job works on a token only while its published places are those that it was applied with.
    JobAsApplied,
    /// A step of AWS's rotation goes on with a version only while that has AWSPENDING.
    PendingLabel,
    /// What is pending is gone on with only if the record confirms digest, token and version.
    PendingConfirmed,
    /// AWSPENDING is taken off what nobody goes on with, and off what is current.
    PendingEnded,
    /// A rotation is ended as overtaken only by a record that was read after what is pending.
    PendingRecord,
    /// A rotation is finished only by a version of the token that it began with.
    PendingToken,
}

#[cfg(feature = "test-clock")]
thread_local! {
    static REMOVED: std::cell::RefCell<Vec<Safeguard>> = const { std::cell::RefCell::new(Vec::new()) };
}

/// Takes guards out on this thread, and puts all others back. For tests only.
#[cfg(feature = "test-clock")]
pub fn remove(guards: &[Safeguard]) {
    REMOVED.set(guards.to_vec());
}

/// Whether a guard is active.
#[cfg(feature = "test-clock")]
pub(crate) fn stands(guard: Safeguard) -> bool {
    REMOVED.with_borrow(|removed| !removed.contains(&guard))
}

/// Whether a guard is active: always.
#[cfg(not(feature = "test-clock"))]
pub(crate) const fn stands(_: Safeguard) -> bool {
    true
}
