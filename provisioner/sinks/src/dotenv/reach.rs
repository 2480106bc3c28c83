//! Which file a place is, and whether a run may open it. What is found here is opened once; everything else is asked of
//! that handle.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use latchkey::mutex::Mutex;
use latchkey::place::{Place, PlaceId};

use super::refusal;
use crate::bounds::Bounds;
use crate::files::{self, FileError, Mode, Site};
use crate::sink::Delivered;
use crate::{Receipt, SinkError};

/// What the owner alone may read and write.
const OWNER_ONLY: u32 = 0o600;

/// The files that a run may open, and what it knows of them.
#[derive(Debug, Default)]
pub(super) struct Files {
    bounds: Bounds,
    /// The declared files whose permissions are set, with those.
    modes: Vec<(PathBuf, u32)>,
    /// What was delivered where, as the service has recorded.
    delivered: Mutex<HashMap<PlaceId, Recorded>>,
}

/// The file system that the last delivery went to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Recorded {
    volume: String,
}

impl Files {
    pub(super) fn new(bounds: Bounds, modes: Vec<(PathBuf, u32)>) -> Self {
        Self { bounds, modes, delivered: Mutex::default() }
    }

    /// The permissions that a file gets.
    pub(super) fn mode(&self, path: &Path) -> Mode {
        let of_file = self.modes.iter().filter(|(declared, _)| files::resolve(declared) == path);
        // Of two sinks of one file, the one that lets fewer read it.
        of_file.map(|(_, mode)| *mode).min().map_or(Mode::AtMost(OWNER_ONLY), Mode::Exactly)
    }

    pub(super) fn note(&self, delivered: &[Delivered<'_>]) {
        let mut noted = self.delivered.lock();
        for Delivered { place, receipt } in delivered {
            if let Some(volume) = receipt.and_then(volume_of) {
                noted.insert(place.id(), Recorded { volume: volume.to_owned() });
            }
        }
    }

    pub(super) fn recorded(&self, place: &Place) -> Option<Recorded> {
        self.delivered.lock().get(&place.id()).cloned()
    }

    /// Opens the folder of a place's file.
    pub(super) fn open(&self, path: &Path) -> Result<Site, SinkError> {
        let outside = |shown: String| SinkError::Refused {
            reason: format!("{shown} is outside the manifest's folder, so it was not opened"),
            hint: "if the manifest is to reach it, pass `--allow-outside`".to_owned(),
        };
        // By its spelling first: nothing is opened outside. That a folder was moved or deleted is told as ever.
        if !self.bounds.contain(path) && path.parent().is_some_and(Path::exists) {
            return Err(outside(format!("`{}`", path.display())));
        }
        let site = Site::open(path)?;
        if !self.bounds.contain(site.path()) {
            return Err(outside(format!("`{}`, which is a link,", path.display())));
        }
        let refused = |why: &str| SinkError::Refused {
            reason: format!("`{}` {why}, so it was not opened", site.path().display()),
            hint: refusal::HINT.to_owned(),
        };
        if self.bounds.reserve(site.path()) {
            return Err(refused("belongs to the manifest or to the service's table"));
        }
        match refusal::of(site.path(), self.bounds.folder.as_deref()) {
            Some(why) => Err(refused(&why)),
            None => Ok(site),
        }
    }
}

impl Recorded {
    /// Whether an entry that is not in this file may be where it was delivered to: in a file of the same name on another
    /// file system.
    pub(super) fn is_elsewhere(&self, site: &Site) -> bool {
        site.volume().is_some_and(|volume| volume != self.volume)
    }

    /// Why that is not taken for a missing entry.
    pub(super) fn elsewhere(path: &Path) -> SinkError {
        SinkError::OtherFiles {
            reason: format!(
                "`{}` does not contain it, and is on another file system than the one it was delivered to",
                path.display()
            ),
            hint: "if two machines or containers share the name in `LATCHKEY_MACHINE`, give each a name of its own"
                .to_owned(),
        }
    }
}

/// A receipt: of the value, and of the file system that it is on.
pub(super) fn receipt(fingerprint: &str, volume: Option<&str>) -> Receipt {
    Receipt(volume.map_or_else(|| fingerprint.to_owned(), |volume| format!("{fingerprint}@{volume}")))
}

fn volume_of(receipt: &str) -> Option<&str> {
    receipt.split_once('@').map(|(_, volume)| volume)
}

impl From<FileError> for SinkError {
    fn from(error: FileError) -> Self {
        let (reason, hint) = (error.to_string(), error.hint().to_owned());
        match error {
            FileError::NoFolder { .. }
            | FileError::Folder { .. }
            | FileError::NotRegular { .. }
            | FileError::Link { .. }
            | FileError::TooLarge { .. }
            | FileError::MountPoint { .. }
            | FileError::HardLinks { .. }
            | FileError::Readers { .. }
            | FileError::Attribute { .. } => Self::Refused { reason, hint },
            FileError::Denied { .. }
            | FileError::OtherOwner { .. }
            | FileError::Group { .. }
            | FileError::Immutable { .. }
            | FileError::ReadOnly { .. }
            | FileError::Full { .. } => Self::Denied { reason, hint },
            FileError::Busy { .. } | FileError::Held { .. } | FileError::Unsure { .. } | FileError::Io { .. } => {
                Self::Unreachable { reason }
            }
        }
    }
}
