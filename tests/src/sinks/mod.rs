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

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use aws_smithy_async::rt::sleep::{AsyncSleep, Sleep};
use latchkey::place::Place;
use provisioner::deadline::since_boot;
use provisioner::sinks::{DeclaredSink, PushDeclaration};

pub use azure_key_vault::KeyVaultBench;
pub use dotenv::DotenvBench;
pub use keyring::KeyringBench;
pub use secrets_manager::SecretsManagerBench;

/// One type of sink and what stands behind it. Names are words such as `API_TOKEN`; a bench spells them as its type
/// wants them.
#[async_trait]
pub trait Bench: Send + Sync {
    /// The sink as a new run has it: nothing is kept from one call to the next but what stands behind it.
    fn sink(&self) -> Arc<dyn DeclaredSink>;
    /// A push to the entry of that name.
    fn push(&self, name: &str) -> PushDeclaration;
    /// What a consumer of the place reads.
    async fn value(&self, place: &Place) -> Option<String>;
    /// A person puts a value there, with whatever tools the vendor gives them.
    async fn by_hand(&self, place: &Place, value: &str);
    /// A person removes the entry.
    async fn removed_by_hand(&self, place: &Place);
    /// The next request of that kind meets trouble. False where this type cannot have it.
    fn trouble(&self, trouble: Trouble, on: On) -> bool;
    /// How many requests that change something took effect.
    async fn changes(&self) -> usize;
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
    /// What stands behind it is started again, if it has ended by itself; whether it had.
    async fn revived(&self) -> bool {
        false
    }
    /// Everything that was printed, logged or sent to where no secret belongs, to search it for one.
    fn spoken(&self) -> String {
        String::new()
    }
}

/// Which request meets trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    /// The next question.
    Read,
    /// The next change.
    Write,
}

/// What goes wrong, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Too many requests, and how many seconds to wait, where it says.
    Throttled(Option<u64>),
    /// A server error: nothing was done.
    Broken(u16),
    /// The connection ends before anything was done.
    Unheard,
    /// It is done, and the connection ends before the answer.
    Unanswered,
    /// The login has just expired.
    LoginExpired,
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
