//! Numbers that look random and are the same in every run with the same seed.

use std::time::Duration;

/// A source of numbers; not for secrets.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// The seed that `LATCHKEY_SEED` gives, else always the same.
    pub fn seeded() -> Self {
        let seed = std::env::var("LATCHKEY_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_261_122);
        Self(seed)
    }

    /// A source of its own for each of many, from the same seed.
    pub fn seeded_for(index: usize) -> Self {
        let Self(seed) = Self::seeded();
        Self(seed ^ (index as u64 + 1).wrapping_mul(0xD134_2543_DE82_EF95))
    }

    /// The next number (`SplitMix64`).
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.number() % end).unwrap_or(0)
    }

    /// A moment within `length`, in steps of a tenth of a millisecond.
    pub fn within(&mut self, length: Duration) -> Duration {
        let steps = usize::try_from(length.as_micros() / 100).unwrap_or(usize::MAX);
        Duration::from_micros(100) * u32::try_from(self.below(steps)).unwrap_or(0)
    }
}
