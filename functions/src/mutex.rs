//! A lock that a panic does not close.

use std::fmt;
pub use std::sync::MutexGuard;

/// Like [`std::sync::Mutex`], but [`Self::lock`] cannot fail: after a panic of its holder the next one gets what is
/// there, so that one request that panics is not the end of all others.
#[derive(Default)]
pub struct Mutex<T>(Inner<T>);

#[expect(clippy::disallowed_types, reason = "the one that is wrapped")]
type Inner<T> = std::sync::Mutex<T>;

impl<T> Mutex<T> {
    /// With this in it.
    pub const fn new(value: T) -> Self {
        Self(Inner::new(value))
    }

    /// Waits until nobody else has it.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl<T: fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_one_holder_leaves_it_to_the_next() {
        let count = Mutex::new(1);
        let panicked = std::thread::scope(|scope| {
            let holder = scope.spawn(|| {
                let mut count = count.lock();
                *count = 2;
                panic!("while it has the lock");
            });
            holder.join().is_err()
        });
        assert!(panicked);
        assert_eq!(*count.lock(), 2);
    }
}
