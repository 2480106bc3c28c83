//! How long a check takes without its read: parse, checksum, digest, compare, roles. The benchmark `cold_start` runs it.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Instant;

use latchkey::entropy::SystemEntropy;
use latchkey::name::RoleName;
use latchkey::role::Permissions;
use latchkey::secret::{Digest, Prefix, Secret, TokenId};

/// The quietest of so many stretches counts: the machine does other things too.
const STRETCHES: usize = 40;
const ROUNDS: u32 = 5_000;

#[expect(clippy::print_stdout, reason = "this is its result")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let prefix: Prefix = "lk".parse()?;
    let secret = Secret::mint(&prefix, &TokenId::mint(&SystemEntropy)?, &SystemEntropy)?;
    // As many versions as a token has at the most without places that cannot be read.
    let others = [b"one", b"two", b"six"].map(|text| Digest::of(text));
    let live: Vec<Digest> = others.into_iter().chain([secret.digest()]).collect();
    let role: RoleName = "writer".parse()?;
    let permits: Permissions = ["documents:read".parse()?, "documents:write".parse()?].into_iter().collect();
    let roles = BTreeMap::from([(role.clone(), permits)]);
    let check = || -> Result<bool, Box<dyn std::error::Error>> {
        let presented = Secret::parse(black_box(secret.expose()))?;
        let id = presented.token_id();
        let digest = presented.digest();
        let held = live.iter().filter(|held| held.matches(&digest)).count();
        let mut permissions = Permissions::default();
        if let Some(permits) = roles.get(&role) {
            permissions.extend(permits);
        }
        black_box((id, permissions));
        Ok(held == 1 && presented.prefix() == prefix.as_str())
    };
    let mut quietest = u128::MAX;
    for _ in 0..STRETCHES {
        let begun = Instant::now();
        for _ in 0..ROUNDS {
            if !check()? {
                return Err("a check went wrong".into());
            }
        }
        quietest = quietest.min(begun.elapsed().as_nanos() / u128::from(ROUNDS));
    }
    println!("{quietest}");
    Ok(())
}
