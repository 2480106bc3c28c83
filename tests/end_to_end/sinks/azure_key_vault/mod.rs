//! Azure Key Vault; what is particular to it.

mod policy;
mod sign_in;
mod trust;
mod vault;

use std::time::Duration;

use latchkey::entropy::SystemEntropy;
use latchkey::place::Place;
use latchkey::secret::{Prefix, Secret, TokenId};
use latchkey_sinks::conformance::Bench as _;
use latchkey_sinks::deadline::Deadline;
use latchkey_sinks::{Marker, Receipt, Removal, Seen, SinkError, Write};
use tests::sinks::{KeyVaultBench, elapsed};

/// One version of a token.
struct Version {
    secret: Secret,
    marker: Marker,
}

impl Version {
    fn first() -> Self {
        Self::of(&TokenId::mint(&SystemEntropy).unwrap(), 1)
    }

    fn next(&self) -> Self {
        Self::of(&self.marker.token_id, self.marker.version + 1)
    }

    fn of(id: &TokenId, version: u32) -> Self {
        let secret = Secret::mint(&Prefix::default(), id, &SystemEntropy).unwrap();
        let marker = Marker { token_id: id.clone(), version, fingerprint: secret.fingerprint() };
        Self { secret, marker }
    }
}

fn soon() -> Deadline {
    Deadline::by(elapsed, Duration::from_mins(2))
}

async fn place(bench: &KeyVaultBench, name: &str) -> Place {
    bench.sink().place(&bench.push(name)).await.unwrap()
}

async fn look(bench: &KeyVaultBench, place: &Place) -> Result<Seen, SinkError> {
    bench.sink().look(&[place]).await.remove(0)
}

async fn write(bench: &KeyVaultBench, place: &Place, version: &Version, seen: &Seen) -> Result<Receipt, SinkError> {
    let Version { secret, marker } = version;
    let write = Write { place, secret, marker, token_name: "production-api", manifest: "acme", seen };
    bench.sink().write(&[write], soon()).await.remove(0)
}

async fn remove(bench: &KeyVaultBench, place: &Place) -> Result<(), SinkError> {
    let seen = look(bench, place).await?;
    bench.sink().remove(&[Removal { place, seen: &seen }], soon()).await.remove(0)
}

/// An error and its hint, as a user reads them; each on a line.
fn told(error: &SinkError) -> String {
    format!("{error}\n{}", error.hint().unwrap_or("no hint"))
}
