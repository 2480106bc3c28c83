//! Randomness, passed in so that every test is exact.

use std::fmt;
use std::time::Duration;

/// The source of randomness failed; nothing was minted.
#[derive(Debug, thiserror::Error)]
#[error("the system's random generator failed: {0}")]
pub struct EntropyError(String);

/// A source of random bytes.
pub trait Entropy: Send + Sync + fmt::Debug {
    /// Fills `buffer` with random bytes.
    ///
    /// # Errors
    /// When the source cannot give bytes; `buffer` must then not be used.
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyError>;
}

/// The operating system's generator: the only source outside tests.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyError> {
        getrandom::fill(buffer).map_err(|error| EntropyError(error.to_string()))
    }
}

/// A random part of `most`, so that many who were refused together do not come back together. Without randomness all of
/// it.
pub fn jitter(entropy: &dyn Entropy, most: Duration) -> Duration {
    let mut bytes = [0_u8; 2];
    match entropy.fill(&mut bytes) {
        Ok(()) => most.mul_f64(f64::from(u16::from_le_bytes(bytes)) / f64::from(u16::MAX)),
        Err(_) => most,
    }
}

#[cfg(test)]
mod tests {
    use super::seeded::{Broken, Seeded};
    use super::*;

    #[test]
    fn a_pause_is_a_part_of_the_longest_and_all_of_it_without_randomness() {
        let (most, entropy) = (Duration::from_secs(8), Seeded::new(7));
        let pauses: Vec<Duration> = (0..200).map(|_| jitter(&entropy, most)).collect();
        assert!(pauses.iter().all(|pause| *pause <= most));
        assert!(pauses.iter().any(|pause| *pause < most / 4) && pauses.iter().any(|pause| *pause > most / 4 * 3));
        assert_eq!(jitter(&Broken, most), most);
    }
}

#[cfg(test)]
pub(crate) mod seeded {
    use super::{Entropy, EntropyError};
    use crate::mutex::Mutex;

    /// Bytes that follow from a seed, for tests: a xorshift generator.
    #[derive(Debug)]
    pub(crate) struct Seeded(Mutex<u64>);

    impl Seeded {
        pub(crate) fn new(seed: u64) -> Self {
            Self(Mutex::new(seed | 1))
        }
    }

    impl Entropy for Seeded {
        fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyError> {
            let mut state = self.0.lock();
            for byte in buffer {
                *state ^= *state << 13;
                *state ^= *state >> 7;
                *state ^= *state << 17;
                *byte = state.to_be_bytes()[0];
            }
            Ok(())
        }
    }

    /// A source that fails.
    #[derive(Debug)]
    pub(crate) struct Broken;

    impl Entropy for Broken {
        fn fill(&self, _: &mut [u8]) -> Result<(), EntropyError> {
            Err(EntropyError("broken".to_owned()))
        }
    }
}
