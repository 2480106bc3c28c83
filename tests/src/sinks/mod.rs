//! Types of sinks, each with the engine or the fake behind it, as the conformance suite sees them.

pub mod azure_key_vault;
pub mod contract;
mod dotenv;
pub mod heroku;
pub mod keyring;
pub mod schema;
mod secrets_manager;
pub mod vendor;
pub mod vercel;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use aws_smithy_async::rt::sleep::{AsyncSleep, Sleep};
use latchkey_sinks::conformance::Bench;
use latchkey_sinks::deadline::since_boot;

pub use azure_key_vault::KeyVaultBench;
pub use dotenv::DotenvBench;
pub use keyring::KeyringBench;
pub use secrets_manager::SecretsManagerBench;

/// A type of sink as the whole tool reaches it.
#[async_trait]
pub trait ToolBench: Bench {
    /// Where it listens, if it does.
    fn url(&self) -> Option<String> {
        None
    }

    /// The fields of its table `[sinks.NAME]`, reached at `url`.
    fn declaration(&self, url: &str) -> String;

    /// What a run finds in its environment: logins.
    fn environment(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    /// Consumers are redeployed, where they read values only then.
    async fn redeployed(&self) {}

    /// What is behind it is started again, if it has ended by itself; whether it had.
    async fn revived(&self) -> bool {
        false
    }
}

static SLEPT: AtomicU64 = AtomicU64::new(0);

/// Sleeps that are over at once, on a clock that jumps by their length.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nap;

impl AsyncSleep for Nap {
    fn sleep(&self, length: Duration) -> Sleep {
        SLEPT.fetch_add(u64::try_from(length.as_millis()).unwrap_or(u64::MAX / 2), Ordering::Relaxed);
        Sleep::new(std::future::ready(()))
    }
}

/// The clock of deadlines that [`Nap`] moves.
pub fn elapsed() -> Duration {
    since_boot() + slept()
}

/// How long all naps of this process were.
pub fn slept() -> Duration {
    Duration::from_millis(SLEPT.load(Ordering::Relaxed))
}
