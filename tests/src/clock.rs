//! Time and randomness that a test decides.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use latchkey::clock::Clock;
use latchkey::entropy::{Entropy, EntropyError};
use latchkey::lifetime::Seconds;
use latchkey::mutex::Mutex;

/// A clock that stands still until it is set.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that stands at `start`, an RFC 3339 instant.
    pub fn at(start: &str) -> Self {
        let start: Timestamp = start.parse().expect("an instant");
        Self(AtomicI64::new(start.as_millisecond()))
    }

    pub fn advance(&self, by: Seconds) {
        let by = i64::try_from(by.0).expect("a length of time");
        self.0.fetch_add(by * 1000, Ordering::SeqCst);
    }

    pub fn set(&self, now: Timestamp) {
        self.0.store(now.as_millisecond(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.0.load(Ordering::SeqCst)).unwrap_or(Timestamp::MAX)
    }
}

/// Bytes that follow from a seed (SplitMix64): the same in every run, and different for each seed.
#[derive(Debug)]
pub struct SeededEntropy(Mutex<u64>);

impl SeededEntropy {
    /// The sequence of one seed.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(seed.wrapping_mul(0xD1B5_4A32_D192_ED03)))
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyError> {
        let mut state = self.0.lock();
        for chunk in buffer.chunks_mut(8) {
            *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut mixed = *state;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            mixed ^= mixed >> 31;
            chunk.copy_from_slice(&mixed.to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}
