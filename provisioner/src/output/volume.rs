//! How much is printed, and in colour or not: chosen once, on the command line, for all that this process prints.

use std::sync::atomic::{AtomicU8, Ordering};

/// How much is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Volume {
    /// Results, warnings and errors.
    Quiet,
    /// Progress and notes too; many of one kind are one line.
    Normal,
    /// Each of them.
    Verbose,
}

/// When there is colour.
///
/// Its values have no comments of their own, see [`super::Format`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Colour {
    #[default]
    Auto,
    Always,
    Never,
}

static VOLUME: AtomicU8 = AtomicU8::new(Volume::Normal as u8);

/// Chooses how much is printed from now on.
pub fn set_volume(volume: Volume) {
    VOLUME.store(volume as u8, Ordering::Relaxed);
}

/// How much is printed.
pub(super) fn volume() -> Volume {
    match VOLUME.load(Ordering::Relaxed) {
        0 => Volume::Quiet,
        1 => Volume::Normal,
        _ => Volume::Verbose,
    }
}

/// Chooses when there is colour from now on, help pages included. By default a terminal that can show it gets it, unless
/// `NO_COLOR` is set; `CLICOLOR_FORCE` is for what is none.
pub fn set_colour(colour: Colour) {
    let choice = match colour {
        Colour::Auto => anstream::ColorChoice::Auto,
        Colour::Always => anstream::ColorChoice::AlwaysAnsi,
        Colour::Never => anstream::ColorChoice::Never,
    };
    choice.write_global();
}
