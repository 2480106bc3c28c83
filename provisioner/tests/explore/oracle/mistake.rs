//! What may be wrong with the rules of the service.

/// A guard of the service's rules, or a known mistake in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mistake {
    /// An announcement is granted for any live version, not only for the highest.
    AnnounceAnyVersion,
    /// An announcement is granted for a version that has ended.
    AnnounceDeadVersion,
    /// A push is not announced at all.
    NothingAnnounced,
    /// Whoever withdraws an announcement withdraws those of other runs too.
    WithdrawOthers,
    /// A staged version that was announced dies a day later, wherever it is.
    StagedDiesInADay,
    /// Older versions end with the promotion.
    RetireAtPromotion,
    /// Promotion does not ask whether the version arrived.
    PromoteUndelivered,
    /// An older version may become current again.
    PromoteDownwards,
    /// There is no overlap.
    NoOverlap,
    /// A version may end although a write of it may be under way.
    NoQuietTime,
    /// A look may have begun before overlap and quiet time were over.
    LookBeganEarlier,
    /// A look may be of any age.
    OldLook,
    /// Whether the record changed since the look does not matter.
    ChangedSinceLook,
    /// Whether anybody uses a version does not matter.
    EndInUse,
    /// The newest version may end at once.
    EndHighest,
    /// A place may be forgotten although a write to it may be under way.
    ForgetNotQuiet,
    /// A place may be forgotten although the record changed since the look.
    ForgetChanged,
    /// A place may be forgotten although it is declared.
    ForgetDeclared,
    /// A place is forgotten by a look of any age.
    ForgetOnOldLook,
    /// A delivery is reported by a look of any age.
    ReportOnOldLook,
    /// A token may end although a write may be under way.
    EndTokenNotQuiet,
    /// A token may end although its record changed since the look.
    EndTokenChanged,
    /// A name is enough: the token's id is not compared.
    NameUsedAgain,
    /// At most four versions, however many places cannot be read.
    FixedLimit,
    /// A repair has no more room than a rotation.
    NoRoomToRepair,
    /// Where that room is full, a repair waits until a version expires.
    NoRepairADay,
    /// Records show the places that are declared, and no others.
    OnlyDeclaredPlaces,
}
