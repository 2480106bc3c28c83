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

#[cfg(test)]
mod tests {
    use std::process::Command;

    /// What `tests/tally` prints of a report, and its exit code.
    fn tally(name: &str, report: &str, words: &[&str]) -> (String, Option<i32>) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(name);
        std::io::Write::write_all(&mut std::fs::File::create(&file).unwrap(), report.as_bytes()).unwrap();
        let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tally"));
        let output = command.args(words).arg(file).output().unwrap();
        (String::from_utf8(output.stdout).unwrap(), output.status.code())
    }

    /// Three tests of nextest: one passed, one failed if so wished, one skipped.
    fn nextest(failure: &str) -> String {
        format!(
            "<testsuites><testsuite name=\"tests::end_to_end\"><testcase name=\"a\"><system-out>fine</system-out></testcase>\
             <testcase name=\"b\">{failure}<system-out>SKIPPED: no\nmore</system-out></testcase>\
             <testcase name=\"c\"><system-out>\nSKIPPED: needs `x`\nmore</system-out></testcase></testsuite></testsuites>"
        )
    }

    #[test]
    fn a_skipped_test_is_listed_and_not_counted_as_passed() {
        let listed = "2 SKIPPED:\n  tests::end_to_end b: no\n  tests::end_to_end c: needs `x`\n";
        let skipped = nextest("");
        assert_eq!(tally("r.xml", &skipped, &[]), (format!("{listed}1 passed, 0 failed, 2 skipped\n"), Some(0)));
        let (said, code) = tally("r.xml", &skipped, &["--complete"]);
        assert!(said.ends_with("\n1 passed, 0 failed, 2 skipped\n") && code == Some(1), "{said}");
    }

    #[test]
    fn a_failed_test_is_failed_whatever_it_printed() {
        let (said, code) = tally("r.xml", &nextest("<failure/>"), &[]);
        assert!(said.ends_with("\n1 passed, 1 failed, 1 skipped\n") && code == Some(1), "{said}");
    }

    #[test]
    fn the_output_of_cargo_test_counts_the_same() {
        let report = "     Running unittests src/lib.rs (target/debug/deps/one-0)\n\nrunning 2 tests\ntest a ... ok\n\
                      test b ... ok\n\nsuccesses:\n\n---- b stdout ----\nSKIPPED: needs `x`\n\n\nsuccesses:\n    a\n    \
                      b\n\ntest result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n\n     \
                      Running tests/main.rs (target/debug/deps/two-0)\n\nrunning 1 test\ntest c ... FAILED\n\nfailures:\n\n\
                      ---- c stdout ----\nSKIPPED: no\n\ntest result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured\n";
        let said = "1 SKIPPED:\n  b: needs `x`\n1 passed, 1 failed, 1 skipped\n".to_owned();
        assert_eq!(tally("r.txt", report, &[]), (said, Some(1)));
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        assert_eq!(super::missing(&["sh"]), None);
        let why = super::missing(&["sh", "no-such-program"]).unwrap();
        assert_eq!(why, "needs `no-such-program`: run `tests/engines.sh`");
    }
}
