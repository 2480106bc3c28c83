//! What a process has used so far, as the kernel counts it.

use std::path::Path;
use std::time::Duration;

use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

/// The CPU time of all threads of a process, ended ones too.
pub fn cpu(process: i32) -> Duration {
    let clock = clock_getcpuclockid(Pid::from_raw(process)).expect("a process of one's own");
    clock_gettime(clock).expect("its clock").into()
}

/// The most memory that a process has had resident, in MiB.
pub fn peak_memory(process: i32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("a process of one's own");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("its peak");
    let kib: f64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kib / 1024.0
}

/// The size of a file, in MB.
#[expect(clippy::cast_precision_loss, reason = "megabytes")]
pub fn size(file: &Path) -> f64 {
    std::fs::metadata(file).expect("the file").len() as f64 / 1e6
}
