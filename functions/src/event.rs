//! What the audit calls each kind of change. Stored events name them, so a name never changes.

use std::fmt;

/// What an event is about, which is what its fields name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// A token: `user`, `token` and `id` are its own.
    Token,
    /// A user: `user` names it.
    User,
    /// A role, a manifest or the service as a whole: `user` is `:roles`, and `detail` begins with the name where there is
    /// one.
    Other,
    /// Whatever somebody tried to change.
    Attempt,
}

macro_rules! kinds {
    ($($(#[doc = $about:literal])+ $kind:ident = $name:literal, $subject:ident, $detail:literal;)+) => {
        /// A kind of event.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum EventKind {
            $($(#[doc = $about])+ $kind,)+
        }

        impl EventKind {
            /// All of them.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$kind),+];

            /// As it is stored, in `action`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$kind => $name,)+ }
            }

            /// When one is recorded.
            pub fn about(self) -> &'static str {
                match self { $(Self::$kind => concat!($($about),+).trim(),)+ }
            }

            /// What it is about.
            pub const fn subject(self) -> Subject {
                match self { $(Self::$kind => Subject::$subject,)+ }
            }

            /// What its `detail` contains; empty where it has none.
            pub const fn detail(self) -> &'static str {
                match self { $(Self::$kind => $detail,)+ }
            }
        }
    };
}

kinds! {
    /// A token was created.
    TokenCreate = "token.create", Token, "";
    /// Fields of a token were changed, its name included.
    TokenEdit = "token.edit", Token, "the fields that changed, roles too";
    /// A token lost roles, as its user had lost them.
    TokenRoles = "token.roles", Token, "why";
    /// A manifest agreed that another one may take a token, or took that back.
    TokenAgree = "token.agree", Token, "the manifest that may take it";
    /// A manifest took a token from another one.
    TokenMove = "token.move", Token, "both manifests";
    /// A token was deleted: all its secrets are revoked.
    TokenDelete = "token.delete", Token, "";
    /// A token that was no longer declared was deleted, after its overlap.
    TokenPrune = "token.prune", Token, "";
    /// A token whose expiry had passed was put with the ended ones; `actor` is `expiry`.
    TokenExpire = "token.expire", Token, "";
    /// The current version of a token expires soon.
    TokenExpiring = "token.expiring", Token, "the version";
    /// The rotation of a token is due and was not done.
    TokenOverdue = "token.overdue", Token, "the version";
    /// The rotation of a token was tried and failed.
    TokenRotationFailed = "token.rotation_failed", Token, "the version and why";
    /// A token was used from an address from which it was not used before; `actor` is the token, `from` the address.
    TokenNewAddress = "token.new_address", Token, "the version";
    /// A version was staged: its secret is valid, beside the current one.
    VersionStage = "version.stage", Token, "the version";
    /// A write of a version to a place was about to start.
    VersionAnnounce = "version.announce", Token, "the version and the place's id";
    /// An announced write was refused before it had any effect.
    VersionWithdraw = "version.withdraw", Token, "the version and the place's id";
    /// A version arrived at a place.
    VersionDeliver = "version.deliver", Token, "the version and the place's id";
    /// A version became the current one.
    VersionPromote = "version.promote", Token, "the version, the ids of the places whose delivery was reported with it, and, by hand, the overlap";
    /// An older version was retired: its secret is no longer valid.
    VersionRetire = "version.retire", Token, "the version";
    /// A version that had leaked was revoked at once.
    VersionCompromised = "version.compromised", Token, "the version, and whether a newer one was current";
    /// A user was created.
    UserCreate = "user.create", User, "its roles and whether it is suspended";
    /// A user was changed, suspended or restored.
    UserChange = "user.change", User, "its roles from now on, whether it is suspended, and what else changed";
    /// A user was deleted.
    UserDelete = "user.delete", User, "";
    /// A role was created or changed.
    RolePut = "role.put", Other, "the role and its permissions from now on";
    /// A role was deleted.
    RoleDelete = "role.delete", Other, "the role";
    /// A revision of a manifest was about to be applied.
    ManifestApply = "manifest.apply", Other, "the manifest and its revision";
    /// An admin set what a manifest is allowed to grant.
    ManifestGrant = "manifest.grant", Other, "the manifest and all that it may grant from now on";
    /// A publication of a manifest was begun or completed.
    ManifestPublish = "manifest.publish", Other, "the manifest, the number of the publication and what it contains";
    /// The publication of a manifest was withdrawn.
    ManifestWithdraw = "manifest.withdraw", Other, "the manifest";
    /// A run of a manifest began: it has the lease.
    LeaseTake = "lease.take", Other, "the manifest";
    /// A run took over from another one of the manifest, by `--steal`.
    LeaseSteal = "lease.steal", Other, "the manifest and from whom";
    /// Settings of the deployment were changed.
    SettingsChange = "settings.change", Other, "each setting with its old and its new value";
    /// An operator confirmed that the machine's clock is right although the table has seen a later time.
    ClockAccept = "clock.accept", Other, "the later time";
    /// Somebody tried what they are not allowed to do, and was refused.
    Refused = "refused", Attempt, "what was tried and why it was refused";
}

impl fmt::Display for EventKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_words_and_each_is_there_once() {
        let mut names: Vec<&str> = EventKind::ALL.iter().map(|kind| kind.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), EventKind::ALL.len());
        for name in names {
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_' || byte == b'.'), "{name}");
        }
    }
}
