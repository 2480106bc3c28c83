//! How long a check takes without its read: parse, checksum, digest, compare, roles. The benchmark `cold_start` runs it.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Instant;

use latchkey::entropy::SystemEntropy;
use latchkey::name::RoleName;
use latchkey::role::Permissions;
use latchkey::secret::{Digest, Prefix, Secret, TokenId};

const ROUNDS: u32 = 200_000;

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
    let mut valid = 0;
    let begun = Instant::now();
    for _ in 0..ROUNDS {
        let presented = Secret::parse(black_box(secret.expose()))?;
        let id = presented.token_id();
        let digest = presented.digest();
        let held = live.iter().filter(|held| held.matches(&digest)).count();
        let mut permissions = Permissions::default();
        if let Some(permits) = roles.get(&role) {
            permissions.extend(permits);
        }
        valid += usize::from(held == 1 && presented.prefix() == prefix.as_str() && black_box(id).as_str().len() == 16);
        black_box(permissions);
    }
    let spent = begun.elapsed();
    println!("{}", spent.as_nanos() / u128::from(ROUNDS));
    if valid == 200_000 { Ok(()) } else { Err("a check went wrong".into()) }
}
