//! Links within the reference pages lead to a heading that is there, and no two headings of a page share an anchor.

use std::collections::BTreeMap;

use regex::Regex;

use super::path;

/// The anchor of a heading, as GitHub and mdBook make it.
pub(super) fn anchor(heading: &str) -> String {
    let kept = heading
        .to_lowercase()
        .chars()
        .filter(|found| found.is_alphanumeric() || " -_".contains(*found))
        .collect::<String>();
    kept.replace(' ', "-")
}

/// The lines of a page that are in no block of code.
fn prose(text: &str) -> Vec<&str> {
    let mut in_block = false;
    text.lines()
        .filter(|line| {
            let fence = line.starts_with("```");
            in_block ^= fence;
            !in_block && !fence
        })
        .collect()
}

#[test]
fn links_of_the_reference_lead_to_headings() {
    let mut pages: BTreeMap<String, String> = BTreeMap::new();
    for entry in std::fs::read_dir(path("")).unwrap() {
        let entry = entry.unwrap().path();
        let name = entry.file_name().unwrap().to_str().unwrap().to_owned();
        pages.insert(name, std::fs::read_to_string(entry).unwrap());
    }
    let mut anchors: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (page, text) in &pages {
        let headings = prose(text).into_iter().filter_map(|line| line.strip_prefix('#'));
        let of: Vec<String> = headings.map(|line| anchor(line.trim_start_matches('#').trim())).collect();
        for (at, one) in of.iter().enumerate() {
            assert!(!of[..at].contains(one), "{page} has two headings `{one}`");
        }
        anchors.insert(page, of);
    }
    let link = Regex::new(r"\]\(([a-z-]+\.md)?#([^)]+)\)").unwrap();
    let mut found = 0;
    for (page, text) in &pages {
        for one in prose(text).iter().flat_map(|line| link.captures_iter(line)) {
            let to = one.get(1).map_or(page.as_str(), |to| to.as_str());
            let there = anchors.get(to).is_some_and(|of| of.iter().any(|of| *of == one[2]));
            assert!(there, "{page}: nothing is at {to}#{}", &one[2]);
            found += 1;
        }
    }
    assert!(found > 200, "{found}");
}
