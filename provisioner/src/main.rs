//! The command `provision`.

fn main() {}
