//! Publications: what the scheduled job, which has no file, rotates a manifest's tokens by. Made from a manifest, stored by
//! the service, and read back through the rules of manifests.

mod contents;
mod entries;
mod publish;
mod read;
#[cfg(test)]
mod tests;

pub use contents::{Publication, Skipped};
pub use entries::{Landing, landings};
pub use publish::{Published, publish};
pub use read::{Readable, read};
