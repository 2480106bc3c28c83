//! What requests and replies hold. The names of the API; the records of the service turn into them and back.
//!
//! No reply holds a digest: versions are told apart by their public fingerprints.

mod check;
mod history;
mod manifest;
mod problem;
mod record;
mod role;
mod token;
mod version;

pub use check::{Introspect, Introspected, Me};
pub use history::{EventList, EventRecord, TokenUsage, UsageEntry, UserUsage};
pub use manifest::{
    Applied, Confirm, Confirmed, Grant, LeaseRecord, LookUp, LookedUp, ManifestTokens, ManifestView, OriginRecord,
    PutManifest, TakeLease, TokenKey,
};
pub use problem::{FieldFaultBody, ProblemBody};
pub use record::{DeliveryEntry, PlaceEntry, RetiredEntry, TokenList, TokenRecord, UseEntry, VersionEntry};
pub use role::{PutRole, PutUser, RoleList, RoleRecord, SetRoles, TokenRoles, UserList, UserRecord};
pub use token::{CreateToken, DeclaredTerms, EditToken, SecretShown};
pub use version::{DeliverVersion, Delivered, DeliveryState, PromoteVersion, StageVersion};
