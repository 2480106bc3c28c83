//! Which file system a folder is on: two may be found at one path, in two containers or after something was mounted.

use latchkey::secret::Digest;
use rustix::fs::fstat;

use super::Site;
use crate::machine;

/// How much of the hash is kept.
const LENGTH: usize = 8;

impl Site {
    /// A short name for the file system that the file's folder is on, and for the part of it that is mounted here: the
    /// same from run to run while nothing else is mounted. `None` when that cannot be found out.
    pub fn volume(&self) -> Option<String> {
        let device = fstat(&self.folder).ok()?.st_dev;
        let mounted = self.mounted_part().unwrap_or_default();
        // The machine's id is meant to stay on the machine.
        let text = format!("{}\n{device}\n{mounted}", machine::id().unwrap_or_default());
        let mut name = Digest::of(text.as_bytes()).hex();
        name.truncate(LENGTH);
        Some(name)
    }

    /// The folder of the file system that is mounted where this one is.
    #[cfg(target_os = "linux")]
    fn mounted_part(&self) -> Option<String> {
        use rustix::fs::{AtFlags, StatxFlags, statx};
        let found = statx(&self.folder, "", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID).ok()?;
        if found.stx_mask & StatxFlags::MNT_ID.bits() == 0 {
            return None;
        }
        let id = found.stx_mnt_id.to_string();
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
        let of_mount = |line: &str| {
            let mut fields = line.split(' ');
            (fields.next() == Some(id.as_str())).then(|| fields.nth(2).map(str::to_owned)).flatten()
        };
        mounts.lines().find_map(of_mount)
    }

    #[cfg(not(target_os = "linux"))]
    fn mounted_part(&self) -> Option<String> {
        None
    }
}
