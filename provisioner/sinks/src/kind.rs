//! The types of sinks. Which type one is, is asked here and nowhere else, by matches that name every type.

#![warn(missing_docs)]

use std::path::Path;

use latchkey::place::Place;
use schemars::JsonSchema;

use super::facts::{SinkFacts, TypeFacts};
use super::{aws_secrets_manager, azure_key_vault, dotenv, heroku, keyring, vercel};
use crate::reading::{Fields, Reading, Span};

/// A type of sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `.env` files.
    Dotenv,
    /// AWS Secrets Manager.
    AwsSecretsManager,
    /// Environment variables of Vercel's projects.
    Vercel,
    /// Config vars of Heroku's apps and pipelines.
    Heroku,
    /// Azure Key Vault.
    AzureKeyVault,
    /// The keyring of a machine's user.
    Keyring,
}

impl Kind {
    /// All of them, in the order of [`SinkSettings`].
    pub const ALL: [Self; 6] =
        [Self::Dotenv, Self::AwsSecretsManager, Self::Vercel, Self::Heroku, Self::AzureKeyVault, Self::Keyring];

    /// The type of that name, in a manifest or a place. `None` also for one that a newer version of this program knows.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.facts().name() == name)
    }

    /// What is known of the type.
    pub fn facts(self) -> &'static dyn TypeFacts {
        match self {
            Self::Dotenv => &dotenv::Type,
            Self::AwsSecretsManager => &aws_secrets_manager::Type,
            Self::Vercel => &vercel::Type,
            Self::Heroku => &heroku::Type,
            Self::AzureKeyVault => &azure_key_vault::Type,
            Self::Keyring => &keyring::Type,
        }
    }

    /// Reads the settings of a sink of this type; `None` when they are wrong, which is reported.
    pub fn read(self, fields: Fields<'_>, reading: &mut Reading<'_>) -> Option<SinkSettings> {
        match self {
            Self::Dotenv => dotenv::Settings::read(fields, reading).map(SinkSettings::Dotenv),
            Self::AwsSecretsManager => {
                aws_secrets_manager::Settings::read(fields, reading).map(SinkSettings::AwsSecretsManager)
            }
            Self::Vercel => vercel::Settings::read(fields, reading).map(SinkSettings::Vercel),
            Self::Heroku => heroku::Settings::read(fields, reading).map(SinkSettings::Heroku),
            Self::AzureKeyVault => azure_key_vault::Settings::read(fields, reading).map(SinkSettings::AzureKeyVault),
            Self::Keyring => keyring::Settings::read(fields, reading).map(SinkSettings::Keyring),
        }
    }
}

/// A sink that a manifest declares.
#[derive(Debug, Clone)]
pub struct SinkDeclaration {
    /// Its type and settings.
    pub settings: SinkSettings,
    /// Where its header is.
    pub span: Span,
}

/// Where secrets are delivered to.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(rename = "Sink", tag = "type", rename_all = "kebab-case")]
pub enum SinkSettings {
    /// A `.env` file.
    Dotenv(dotenv::Settings),
    /// AWS Secrets Manager.
    AwsSecretsManager(aws_secrets_manager::Settings),
    /// A project of Vercel.
    Vercel(vercel::Settings),
    /// The config vars of a Heroku app, or of a pipeline's stage.
    Heroku(heroku::Settings),
    /// Azure Key Vault.
    AzureKeyVault(azure_key_vault::Settings),
    /// The keyring of this machine's user.
    Keyring(keyring::Settings),
}

impl SinkSettings {
    /// The type.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Dotenv(_) => Kind::Dotenv,
            Self::AwsSecretsManager(_) => Kind::AwsSecretsManager,
            Self::Vercel(_) => Kind::Vercel,
            Self::Heroku(_) => Kind::Heroku,
            Self::AzureKeyVault(_) => Kind::AzureKeyVault,
            Self::Keyring(_) => Kind::Keyring,
        }
    }

    /// What is known of the sink.
    pub fn facts(&self) -> &dyn SinkFacts {
        match self {
            Self::Dotenv(settings) => settings,
            Self::AwsSecretsManager(settings) => settings,
            Self::Vercel(settings) => settings,
            Self::Heroku(settings) => settings,
            Self::AzureKeyVault(settings) => settings,
            Self::Keyring(settings) => settings,
        }
    }
}

/// What becomes of a value that a write to the place replaces, as a clause about it; nothing for a type that a newer
/// version recorded.
pub fn replaced(place: &Place) -> Option<&'static str> {
    Kind::named(&place.kind).map(|kind| kind.facts().replaced(place))
}

/// A place in few words: `Secrets Manager prod/api (eu-west-1)` or `.env API_TOKEN`, paths from `folder` on. One of a
/// type that a newer version recorded is shown by its name.
pub fn label(place: &Place, folder: &Path, machine: &str) -> String {
    match Kind::named(&place.kind) {
        Some(kind) => kind.facts().label(place, folder, machine),
        None => format!("{} {}", place.kind, place.part("name").unwrap_or("?")),
    }
}
