//! Many warnings of one kind about a manifest, as one line.

use std::collections::BTreeMap;

use crate::manifest::Manifest;
use crate::plan::named;
use latchkey_sinks::plural::count;
use latchkey_sinks::reading::Fault as ManifestFault;
use latchkey_sinks::reading::masking::shown;

/// So many of one kind are still shown one by one, at their lines.
pub(super) const EACH: usize = 3;

/// The warnings that are shown at their lines, and what stands for the others, each with what to do.
pub(super) fn folded(warnings: &[ManifestFault], manifest: &Manifest) -> (Vec<ManifestFault>, Vec<(String, String)>) {
    let mut kinds: BTreeMap<&str, Vec<&ManifestFault>> = BTreeMap::new();
    for warning in warnings {
        kinds.entry(warning.code).or_default().push(warning);
    }
    let each = warnings.iter().filter(|warning| kinds[warning.code].len() <= EACH).cloned().collect();
    let many = kinds.into_iter().filter(|(_, all)| all.len() > EACH);
    (each, many.map(|(code, all)| (sentence(code, &all, manifest), hint(&all))).collect())
}

fn sentence(code: &str, all: &[&ManifestFault], manifest: &Manifest) -> String {
    let (noun, what) = match code {
        "vague-name" => ("token", "have vague names"),
        "wide-cidr" => ("allowed network", "are wide"),
        "undeclared-role" => ("role", "are not declared here"),
        "undeclared-user" => ("user", "are not declared here"),
        "too-many-tokens" => ("user", "have more tokens than they may"),
        "unused-sink" => ("sink", "are not used"),
        "listed-twice" => ("value", "are listed twice"),
        code => return format!("{} of the kind `{code}`: {}", count(all.len(), "warning"), names(all, manifest)),
    };
    format!("{} {what}: {}", count(all.len(), noun), names(all, manifest))
}

/// What the warnings are about, as the manifest has it.
fn names(all: &[&ManifestFault], manifest: &Manifest) -> String {
    let of = |fault: &ManifestFault| {
        let text = if fault.secret { "" } else { manifest.text.get(fault.span.clone()).unwrap_or_default() };
        let text = text.lines().next().unwrap_or_default().trim_matches(['"', '\'', '[', ']']);
        // A table's head is its whole path.
        format!(
            "`{}`",
            shown(text.rsplit_once('.').filter(|(path, _)| !path.contains('/')).map_or(text, |(_, name)| name))
        )
    };
    named(&all.iter().map(|fault| of(fault)).collect::<Vec<_>>())
}

/// What to do, where it is the same for all.
fn hint(all: &[&ManifestFault]) -> String {
    let first = all.first().and_then(|fault| fault.hint.as_deref());
    let same = first.filter(|hint| all.iter().all(|fault| fault.hint.as_deref() == Some(*hint)));
    let each = "pass `--verbose` to see each at its line";
    same.map_or_else(|| each.to_owned(), |hint| format!("{hint}; {each}"))
}
