//! Randomness, passed in so that every test is exact.

use std::fmt;

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

#[cfg(test)]
pub(crate) mod seeded {
    use std::sync::Mutex;

    use super::{Entropy, EntropyError};

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
            let mut state = self.0.lock().unwrap();
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
