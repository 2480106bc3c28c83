//! The documents under `docs`: what they show is what happens.

mod pictures;
