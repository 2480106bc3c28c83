//! Programs that tests run beside ours, and what becomes of a test without its program.

use std::path::{Path, PathBuf};

/// Ends a test that cannot run on this machine, with the reason: `tests/run` counts it as skipped and lists it, and
/// `tests/run --complete` fails. In a function of the harness it answers what a test ends on: `None`.
#[macro_export]
macro_rules! skip {
    ($($why:tt)*) => {{
        $crate::programs::tell_skipped(format_args!($($why)*));
        return ::std::default::Default::default();
    }};
}

/// Prints what `tests/tally` looks for. Unit tests of other packages print the same line.
#[expect(clippy::print_stdout, reason = "what a test prints is how it is known")]
pub fn tell_skipped(why: std::fmt::Arguments<'_>) {
    println!("SKIPPED: {why}");
}

/// Where a program is: on the machine, or unpacked by `tests/engines.sh`.
pub fn find(program: &str) -> Option<PathBuf> {
    let machine = std::env::var_os("PATH").unwrap_or_default();
    let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/engines/debian/bin");
    std::env::split_paths(&machine).chain([unpacked]).map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// Those of some programs that are not to be found, as a reason to skip a test; `None` when all are there.
pub fn missing(programs: &[&str]) -> Option<String> {
    let missing: Vec<&str> = programs.iter().copied().filter(|program| find(program).is_none()).collect();
    let listed = missing.iter().map(|program| format!("`{program}`")).collect::<Vec<_>>().join(", ");
    (!missing.is_empty()).then(|| format!("needs {listed}: run `tests/engines.sh`"))
}
