//! The nearest right name for a wrong one, and lists of names. Both are bounded: a manifest may have any number of names,
//! right ones and wrong ones.

use super::context::Reading;

/// How many right names are compared with a wrong one.
const CANDIDATES_MAX: usize = 500;
/// The work that the search for slips may take in all of one reading, in pairs of characters: enough for a thousand slips
/// among usual names. Further faults have no hint of this kind.
const WORK_MAX: usize = 4 << 20;
/// What it takes to see that two names are too different in length.
const GLANCE: usize = 16;
/// How many names a list shows.
const LISTED_MAX: usize = 20;

/// The search for slips, and the work that it may still do.
#[derive(Debug, Clone)]
pub struct Slips {
    left: usize,
}

impl Default for Slips {
    fn default() -> Self {
        Self { left: WORK_MAX }
    }
}

impl Slips {
    /// The candidate that `wrong` is most likely a slip of, if any is near.
    pub fn nearest<'a>(&mut self, wrong: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
        // Longer texts are no slips, and the comparison is quadratic.
        if wrong.len() > 128 || self.left == 0 {
            return None;
        }
        let plain = |text: &str| text.to_lowercase().replace('_', "-");
        let (wrong_plain, length) = (plain(wrong), wrong.chars().count());
        let mut near: Option<(usize, &str)> = None;
        for candidate in candidates.into_iter().take(CANDIDATES_MAX) {
            let other = candidate.chars().take(length + 8).count();
            let most = allowed(length, other);
            let is_comparable = length.abs_diff(other) <= most && candidate != wrong;
            let work = if is_comparable { GLANCE + length * other } else { GLANCE };
            self.left = self.left.saturating_sub(work);
            if self.left == 0 {
                return None;
            }
            if !is_comparable {
                continue;
            }
            let distance = strsim::damerau_levenshtein(&wrong_plain, &plain(candidate));
            if distance <= most && near.is_none_or(|(nearest, _)| distance < nearest) {
                near = Some((distance, candidate));
            }
        }
        near.map(|(_, candidate)| candidate)
    }
}

impl Reading<'_> {
    /// The candidate that `wrong` is most likely a slip of, if any is near and not too much was compared before.
    pub fn nearest<'a>(&mut self, wrong: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
        self.slips.nearest(wrong, candidates)
    }
}

/// The candidate that `wrong` is most likely a slip of, if any is near.
pub fn nearest<'a>(wrong: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    Slips::default().nearest(wrong, candidates)
}

fn allowed(one: usize, other: usize) -> usize {
    match one.max(other) {
        0..=3 => 1,
        4..=7 => 2,
        _ => 3,
    }
}

/// Names in backticks, with commas; of very many only the first.
pub fn listed<S: AsRef<str>>(names: &[S]) -> String {
    listed_of(names.iter(), names.len())
}

/// The same of `count` names, of which only those that are shown are asked for.
pub fn listed_of<S: AsRef<str>>(names: impl Iterator<Item = S>, count: usize) -> String {
    let mut shown: Vec<String> = names.take(LISTED_MAX).map(|name| format!("`{}`", name.as_ref())).collect();
    if count > LISTED_MAX {
        shown.push(format!("and {} more", count - LISTED_MAX));
    }
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made to be compared: as long as names that are compared at all, of one length, and all different.
    fn names(first: char, count: usize) -> Vec<String> {
        (0..count).map(|at| format!("{}{at:07}", first.to_string().repeat(120))).collect()
    }

    #[test]
    fn all_the_slips_of_one_file_take_a_bounded_amount_of_work() {
        let (right, wrong) = (names('a', 2_000), names('b', 2_000));
        let mut slips = Slips::default();
        let mut work = 0;
        for name in &wrong {
            let before = slips.left;
            assert_eq!(slips.nearest(name, right.iter().map(String::as_str)), None);
            work += before - slips.left;
        }
        assert_eq!((work, slips.left), (WORK_MAX, 0));
        // Names of other lengths are not compared, but looked at.
        let short: Vec<String> = (0..2_000).map(|at| format!("s{at:04}")).collect();
        let mut slips = Slips::default();
        for name in wrong.iter().take(100) {
            slips.nearest(name, short.iter().map(String::as_str));
        }
        assert_eq!(WORK_MAX - slips.left, 100 * CANDIDATES_MAX * GLANCE);
    }

    #[test]
    fn a_usual_number_of_slips_is_found_one_and_all() {
        let right: Vec<String> = (0..50).map(|at| format!("reader-{at}")).collect();
        let mut slips = Slips::default();
        for _ in 0..500 {
            assert_eq!(slips.nearest("raeder-7", right.iter().map(String::as_str)), Some("reader-7"));
        }
        assert_eq!(nearest("Json_Key", ["name", "json-key"]), Some("json-key"));
        assert_eq!(nearest("name", ["name"]), None);
    }

    #[test]
    fn a_list_names_some_and_counts_the_rest() {
        assert_eq!(listed(&["a", "b"]), "`a`, `b`");
        let many: Vec<String> = (0..1_000).map(|at| at.to_string()).collect();
        assert!(listed(&many).ends_with("`19`, and 980 more"));
    }
}
