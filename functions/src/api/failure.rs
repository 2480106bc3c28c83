//! What the service's refusals are called over HTTP. The service knows no status; this is the one place that does.

use serde_json::Value;

use super::problem::{Challenge, Problem};
use crate::bounds::BoundsError;
use crate::lifetime::Contradiction;
use crate::moving::MoveError;
use crate::protocol::VersionError;
use crate::service::{
    ChangeError, CreateError, Denied, EditError, GrantError, LeaseError, NoteError, PublishError, RoleError,
    SettingsError, UserError,
};
use crate::table::TableError;

impl From<TableError> for Problem {
    fn from(error: TableError) -> Self {
        let internal = Some(error.to_string());
        match error {
            TableError::Busy(_) => Self {
                internal,
                retry_after: Some(1),
                ..Self::new(503, "busy", "the table is busy; try again in a moment")
            },
            TableError::Unreachable(_) => Self {
                internal,
                retry_after: Some(2),
                ..Self::new(
                    503,
                    "unavailable",
                    "the table did not answer; the outcome is unknown, check it before you try again",
                )
            },
            TableError::Storage(_) => Self {
                internal,
                ..Self::new(
                    503,
                    "storage_failed",
                    "the table's file cannot be read or written; nothing was done, and whoever runs the service has to look",
                )
            },
            TableError::Clock(behind) => Self {
                internal,
                ..Self::new(409, "clock_behind", error.to_string())
                    .with("now", behind.now.to_string())
                    .with("seen", behind.seen.to_string())
            },
            TableError::Missing(_) | TableError::Denied(_) | TableError::Invalid(_) | TableError::Codec(_) => {
                Self::internal(error.to_string())
            }
        }
    }
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        let detail = denied.to_string();
        match denied {
            Denied::Hidden => Self::not_found(),
            Denied::Lacks(permission) => Self::new(403, "insufficient_scope", detail)
                .with("permission", permission.clone())
                .challenge(Challenge::Scope(permission)),
            Denied::Permissions(beyond) => Self::new(403, "gain_refused", detail).with("permissions", beyond),
            Denied::Networks | Denied::Bound => Self::new(403, "gain_refused", detail),
            Denied::Outlives(until) | Denied::Brief(until) => {
                Self::new(403, "gain_refused", detail).with("until", until.to_string())
            }
            Denied::NotGranted { manifest, .. } => {
                Self::new(403, "not_granted", detail).with("manifest", manifest.to_string())
            }
        }
    }
}

impl From<VersionError> for Problem {
    fn from(error: VersionError) -> Self {
        let conflict = |code| Self::new(409, code, error.to_string());
        match &error {
            VersionError::Superseded { number, highest } => {
                conflict("superseded").with("number", *number).with("highest", *highest)
            }
            VersionError::NotLive(number) => conflict("version_not_live").with("number", *number),
            VersionError::NoSuchPlace(place) => conflict("no_such_place").with("place", place.to_string()),
            VersionError::NotAnnounced(number) => conflict("not_announced").with("number", *number),
            VersionError::ReceiptTooLong => {
                Self { code: "receipt_too_long", ..Self::field("/receipt", error.to_string()) }
            }
            VersionError::TooManyPlaces => {
                Self { code: "too_many_places", ..Self::field("/places", error.to_string()) }
            }
            VersionError::NotDelivered { number, missing } => {
                conflict("not_delivered").with("number", *number).with("missing", *missing)
            }
            VersionError::TooManyVersions { live } => conflict("too_many_versions").with("live", *live),
            VersionError::IsCurrent(number) => conflict("is_current").with("number", *number),
            VersionError::NotSuperseded(number) => conflict("not_superseded").with("number", *number),
            VersionError::OverlapNotOver { number, until } => {
                conflict("overlap_not_over").with("number", *number).with("until", until.to_string())
            }
            VersionError::Announced { number, until } => {
                conflict("announced_lately").with("number", *number).with("until", until.to_string())
            }
            VersionError::RecentlyUsed { number, last_used, until } => conflict("recently_used")
                .with("number", *number)
                .with("last_used", last_used.to_string())
                .with("until", until.to_string()),
            VersionError::StaleLook => conflict("stale_look"),
            VersionError::StillDeclared => conflict("still_declared"),
            VersionError::OverlapDeclared => conflict("overlap_declared"),
        }
    }
}

impl From<Contradiction> for Problem {
    fn from(error: Contradiction) -> Self {
        Self::field("/terms", error.to_string())
    }
}

impl From<BoundsError> for Problem {
    fn from(error: BoundsError) -> Self {
        let pointer = match &error {
            BoundsError::DescriptionTooLong(_) | BoundsError::DescriptionNotPlain => "/description",
            BoundsError::LabelWithoutName | BoundsError::LabelNotPlain | BoundsError::Labels(_) => "/labels",
            BoundsError::Roles(_) => "/roles",
            BoundsError::Networks(_) => "/allowed_ips",
            BoundsError::Place => "/places",
            BoundsError::Email => "/email",
            BoundsError::Verification(_) | BoundsError::Receiver | BoundsError::Receivers(_) => "",
        };
        Self::field(pointer, error.to_string())
    }
}

fn names<T: ToString>(names: &[T]) -> Value {
    names.iter().map(|name| Value::String(name.to_string())).collect()
}

impl From<CreateError> for Problem {
    fn from(error: CreateError) -> Self {
        let detail = error.to_string();
        match error {
            CreateError::NameTaken { managed_by, .. } => {
                let problem = Self::new(409, "name_taken", detail);
                match managed_by {
                    Some(manifest) => problem.with("managed_by", manifest.to_string()),
                    None => problem,
                }
            }
            CreateError::LimitReached { active, max, .. } => {
                Self::new(409, "token_limit_reached", detail).with("active", active).with("max", max)
            }
            CreateError::NoSuchUser(_) => Self { detail, ..Self::not_found() },
            CreateError::Suspended(_) => Self::new(409, "user_suspended", detail),
            CreateError::RoleNotHeld { roles, .. } => {
                Self::new(403, "role_not_held", detail).with("roles", names(&roles))
            }
            CreateError::ExpiryInPast(_) => Self::field("/expires_at", detail),
            CreateError::ExpiryTooLate { until, .. } => {
                Self::field("/expires_at", detail).with("until", until.to_string())
            }
            CreateError::NameTooLong(_) => Self::field("/name", detail),
            CreateError::Bounds(error) => error.into(),
            CreateError::Terms(error) => error.into(),
            CreateError::NotByManifest(permission) => not_by_manifest(detail, permission),
            CreateError::Places(error) => error.into(),
            CreateError::Denied(denied) => denied.into(),
            CreateError::Entropy(error) => Self::internal(error.to_string()),
            CreateError::Table(error) => error.into(),
        }
    }
}

fn not_by_manifest(detail: String, permission: String) -> Problem {
    Problem::new(403, "not_by_manifest", detail).with("permission", permission)
}

impl From<EditError> for Problem {
    fn from(error: EditError) -> Self {
        let detail = error.to_string();
        match error {
            EditError::Create(error) => error.into(),
            EditError::Places(error) => error.into(),
            EditError::Managed(manifest) => Self::field("/expires_at", detail).with("managed_by", manifest.to_string()),
            EditError::DurationsAndManifest => Self::field("/terms", detail),
            EditError::PlacesWithoutManifest => Self::field("", detail),
            EditError::OtherManifest(manifest) => other_manifest(detail, &manifest),
            EditError::Moving(error) => not_moved(detail, &error),
        }
    }
}

fn other_manifest(detail: String, manifest: &crate::name::ManifestName) -> Problem {
    Problem::new(409, "other_manifest", detail).with("managed_by", manifest.to_string())
}

fn not_moved(detail: String, error: &MoveError) -> Problem {
    match error {
        MoveError::OtherManifest(owner) => other_manifest(detail, owner),
        MoveError::NotAgreed { owner, .. } => {
            Problem::new(409, "move_not_agreed", detail).with("managed_by", owner.to_string())
        }
        MoveError::NotDeclared | MoveError::ToItself(_) => Problem::field("/moved_to", detail),
    }
}

impl<E: std::error::Error + Into<Problem> + 'static> From<ChangeError<E>> for Problem {
    fn from(error: ChangeError<E>) -> Self {
        let detail = error.to_string();
        match error {
            ChangeError::NoSuchToken { .. } => Self { detail, ..Self::not_found() },
            ChangeError::Replaced { found, .. } => {
                Self::new(409, "token_replaced", detail).with("id", found.to_string())
            }
            ChangeError::Revision { wanted, found } => {
                Self::new(412, "precondition_failed", detail).with("wanted", wanted).with("revision", found)
            }
            ChangeError::Denied(denied) => denied.into(),
            ChangeError::Rule(error) => error.into(),
            ChangeError::Table(error) => error.into(),
        }
    }
}

impl From<std::convert::Infallible> for Problem {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

impl From<RoleError> for Problem {
    fn from(error: RoleError) -> Self {
        let detail = error.to_string();
        match error {
            RoleError::NoSuchRole(_) => Self { detail, ..Self::not_found() },
            RoleError::InUse { holders, .. } => Self::new(409, "in_use", detail).with("holders", holders),
            RoleError::Revision { wanted, found, .. } => {
                Self::new(412, "precondition_failed", detail).with("wanted", wanted).with("revision", found)
            }
            RoleError::OtherManifest { manifest, .. } => other_manifest(detail, &manifest),
            RoleError::Moving { error, .. } => not_moved(detail, &error),
            RoleError::Reserved => Self::new(403, "reserved", detail),
            RoleError::TooMany => Self::field("/permissions", detail),
            RoleError::NotByManifest(permission) => not_by_manifest(detail, permission),
            RoleError::Denied(denied) => denied.into(),
            RoleError::Table(error) => error.into(),
        }
    }
}

impl From<UserError> for Problem {
    fn from(error: UserError) -> Self {
        let detail = error.to_string();
        match error {
            UserError::NoSuchUser(_) => Self { detail, ..Self::not_found() },
            UserError::NoSuchRole(role) => {
                Self { code: "no_such_role", ..Self::field("/roles", detail) }.with("role", role.to_string())
            }
            UserError::InUse { active, .. } => Self::new(409, "in_use", detail).with("active", active),
            UserError::OtherManifest { manifest, .. } => other_manifest(detail, &manifest),
            UserError::Moving { error, .. } => not_moved(detail, &error),
            UserError::Kind { .. } => Self::new(409, "user_kind", detail),
            UserError::NotByManifest(permission) => not_by_manifest(detail, permission),
            UserError::TooManyRoles => Self::field("/roles", detail),
            UserError::Bounds(error) => error.into(),
            UserError::Denied(denied) => denied.into(),
            UserError::Table(error) => error.into(),
        }
    }
}

impl From<GrantError> for Problem {
    fn from(error: GrantError) -> Self {
        let detail = error.to_string();
        match error {
            GrantError::NotByManifest(permission) => not_by_manifest(detail, permission),
            GrantError::TooLarge => Self::field("", detail),
            GrantError::Denied(denied) => denied.into(),
            GrantError::Table(error) => error.into(),
        }
    }
}

impl From<SettingsError> for Problem {
    fn from(error: SettingsError) -> Self {
        let detail = error.to_string();
        match error {
            SettingsError::Revision { wanted, found } => {
                Self::new(412, "precondition_failed", detail).with("wanted", wanted).with("revision", found)
            }
            SettingsError::Rule(error) => Self::field(format!("/{}", error.setting()), detail),
            SettingsError::Denied(denied) => denied.into(),
            SettingsError::Table(error) => error.into(),
        }
    }
}

impl From<NoteError> for Problem {
    fn from(error: NoteError) -> Self {
        match error {
            NoteError::Denied(denied) => denied.into(),
            NoteError::Table(error) => error.into(),
        }
    }
}

impl From<PublishError> for Problem {
    fn from(error: PublishError) -> Self {
        let detail = error.to_string();
        match error {
            PublishError::SinksTooLarge(_) => Self::field("/sinks", detail),
            PublishError::PushSize { index, .. } => Self::field(format!("/tokens/{index}/push"), detail),
            PublishError::Rows(_) => Self::field("/tokens", detail),
            PublishError::Twice { index, .. } => Self::field(format!("/tokens/{index}"), detail),
            PublishError::OlderRevision { revision, newer, .. } => {
                Self::new(409, "older_revision", detail).with("revision", revision).with("newer", newer)
            }
            PublishError::Overtaken { number } => {
                Self::new(409, "publication_overtaken", detail).with("number", number)
            }
            PublishError::Denied(denied) => denied.into(),
            PublishError::Table(error) => error.into(),
        }
    }
}

impl From<LeaseError> for Problem {
    fn from(error: LeaseError) -> Self {
        let detail = error.to_string();
        match error {
            LeaseError::Held(lease) => {
                Self::new(409, "lease_held", detail).with("by", lease.by).with("until", lease.until.to_string())
            }
            LeaseError::Denied(denied) => denied.into(),
            LeaseError::Table(error) => error.into(),
        }
    }
}
