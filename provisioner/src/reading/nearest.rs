//! The nearest right name for a wrong one, and lists of names.

/// A file with more names than this could make the search for each slip take long.
const CANDIDATES_MAX: usize = 500;

/// The candidate that `wrong` is most likely a slip of, if any is near.
pub fn nearest<'a>(wrong: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Longer texts are no slips, and the comparison is quadratic.
    if wrong.len() > 128 {
        return None;
    }
    let plain = |text: &str| text.to_lowercase().replace('_', "-");
    let wrong_plain = plain(wrong);
    candidates
        .into_iter()
        .take(CANDIDATES_MAX)
        .map(|candidate| (strsim::damerau_levenshtein(&wrong_plain, &plain(candidate)), candidate))
        .filter(|(distance, candidate)| *candidate != wrong && *distance <= allowed(wrong, candidate))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn allowed(wrong: &str, candidate: &str) -> usize {
    match wrong.chars().count().max(candidate.chars().count()) {
        0..=3 => 1,
        4..=7 => 2,
        _ => 3,
    }
}

/// Names in backticks, with commas.
pub fn listed<S: AsRef<str>>(names: &[S]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{}`", name.as_ref())).collect();
    quoted.join(", ")
}
