//! Runs of the real command that are killed, doubled and cut off, and somebody who looks at the places all the while.

mod machine;
mod manifest;
mod proxy;
mod random;
mod watcher;
mod world;

pub use machine::{Ended, Machine, Moment, Running};
pub use manifest::{DeclaredToken, Layout, MANIFEST, Shape, Spot};
pub use proxy::{Met, Proxy};
pub use random::Random;
pub use watcher::{Watched, Watcher};
pub use world::{Consumer, FOREIGN_LINES, Records, World};
