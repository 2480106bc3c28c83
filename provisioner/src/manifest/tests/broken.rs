//! Broken manifests as their reader sees them: `tests/manifests/NAME.toml` and, beside it, what is shown.

use std::path::PathBuf;

use super::*;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/manifests")
}

#[test]
fn each_broken_manifest_is_shown_with_what_is_wrong_and_what_to_do() {
    let mut names: Vec<String> = std::fs::read_dir(folder())
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.strip_suffix(".toml").map(str::to_owned))
        .collect();
    names.sort();
    assert!(names.len() >= 24, "only {} broken manifests", names.len());
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(folder());
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for name in names {
            let text = std::fs::read_to_string(folder().join(format!("{name}.toml"))).unwrap();
            insta::assert_snapshot!(name.as_str(), snippet::render(&faults(&text), STATED, &text, false));
        }
    });
}
