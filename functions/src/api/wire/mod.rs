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
pub use history::{EventList, TokenUsage, UserUsage};
pub use manifest::{
    Applied, Confirm, Confirmed, LeaseRecord, LookUp, LookedUp, ManifestTokens, ManifestView, PutGrant, PutManifest,
    TakeLease,
};
pub use problem::{FieldFaultBody, ProblemBody};
pub use record::{DeliveryEntry, PlaceEntry, TokenList, TokenRecord, UseEntry, VersionEntry};
pub use role::{PutRole, PutUser, RoleList, RoleRecord, SetRoles, TokenRoles, UserList, UserRecord};
pub use token::{CreateToken, DeclaredTerms, EditToken, IssuedRecord};
pub use version::{DeliverVersion, Delivered, DeliveryState, PromoteVersion, StageVersion};
