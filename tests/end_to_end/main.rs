//! The end-to-end tests, by room.

mod service;
