//! What people ask of the service by hand, and what a command asks around a run. One file a subject: what is asked, and
//! how this process and a server answer it.

mod events;
mod lookup;
mod manifests;
mod publication;
mod roles;
mod settings;
mod tokens;
mod users;

pub use events::EventAdministration;
pub use lookup::{LookupCost, TokenLookup};
pub use manifests::ManifestAdministration;
pub use publication::PublicationAdministration;
pub use roles::RoleAdministration;
pub use settings::SettingsAdministration;
pub use tokens::TokenAdministration;
pub use users::UserAdministration;

/// The service as commands ask it.
pub trait Administration:
    ManifestAdministration
    + PublicationAdministration
    + TokenAdministration
    + TokenLookup
    + UserAdministration
    + RoleAdministration
    + SettingsAdministration
    + EventAdministration
{
}

impl<T> Administration for T where
    T: ManifestAdministration
        + PublicationAdministration
        + TokenAdministration
        + TokenLookup
        + UserAdministration
        + RoleAdministration
        + SettingsAdministration
        + EventAdministration
{
}
