//! Links within the repository: the file is there, and so is the heading.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

use regex::Regex;

use super::{read, root};
use crate::tidy;

/// All files of Markdown that git knows or would take.
pub(super) fn written() -> Vec<PathBuf> {
    let files = tidy::files().into_iter().filter(|file| tidy::is_one_of(file, &["md"]));
    let written: Vec<PathBuf> = files.map(PathBuf::from).collect();
    assert!(written.len() > 20, "git lists no documents");
    written
}

/// A document without what is in its blocks of code.
pub(super) fn prose(text: &str) -> String {
    let mut code = false;
    text.lines().fold(String::new(), |prose, line| {
        let fence = line.trim_start().starts_with("```");
        code ^= fence;
        if code || fence { prose } else { prose + line + "\n" }
    })
}

/// The anchor of a heading, as GitHub and mdBook name it.
pub(super) fn anchor(heading: &str) -> String {
    let words = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = words.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'));
    kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect()
}

/// The anchors of a document's headings.
fn anchors(text: &str) -> Vec<String> {
    let mut times: HashMap<String, usize> = HashMap::new();
    let named = Regex::new(r#"<a (?:id|name)="([^"]+)""#).unwrap();
    let mut found: Vec<String> = named.captures_iter(text).map(|name| name[1].to_owned()).collect();
    for heading in prose(text).lines().filter(|line| line.starts_with('#')) {
        let slug = anchor(heading);
        let before = times.entry(slug.clone()).or_default();
        found.push(if *before == 0 { slug } else { format!("{slug}-{before}") });
        *before += 1;
    }
    found
}

/// `folder/../other` as `other`, as links are read.
fn plain(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut plain, part| {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            other => plain.push(other),
        }
        plain
    })
}

/// What each link of a document leads to, but for other hosts: a path and a heading.
fn links(document: &Path, text: &str) -> Vec<(PathBuf, Option<String>)> {
    let link = Regex::new(r#"\]\(([^)\s]+)\)|(?:src|srcset|href)="([^"]+)""#).unwrap();
    // A pattern that is shown as code may look like a link.
    let shown = Regex::new("`[^`\n]*`").unwrap();
    let prose = prose(text);
    let prose = shown.replace_all(&prose, "``");
    let targets = link.captures_iter(&prose).filter_map(|found| found.get(1).or(found.get(2)));
    let own = targets.map(|target| target.as_str()).filter(|target| !target.contains(':'));
    own.map(|target| {
        let (path, heading) = target.split_once('#').map_or((target, None), |(path, heading)| (path, Some(heading)));
        let path = if path.is_empty() { document.to_owned() } else { plain(&document.with_file_name("").join(path)) };
        (path, heading.map(str::to_owned))
    })
    .collect()
}

#[test]
fn every_link_leads_to_a_file_and_to_a_heading_that_is_there() {
    let mut dead = Vec::new();
    let mut followed = 0;
    for document in written() {
        for (path, heading) in links(&document, &read(&document)) {
            followed += 1;
            if !root().join(&path).exists() {
                dead.push(format!("{}: {} is not there", document.display(), path.display()));
            } else if let Some(heading) = heading
                && path.extension().is_some_and(|ending| ending == "md")
                && !anchors(&read(&path)).contains(&heading)
            {
                dead.push(format!("{}: {} has no heading #{heading}", document.display(), path.display()));
            }
        }
    }
    assert!(dead.is_empty(), "{}", dead.join("\n"));
    assert!(followed > 50, "only {followed} links were found");
}

#[test]
fn every_type_of_sink_has_its_page() {
    for kind in latchkey_sinks::Kind::ALL {
        let name = kind.facts().name();
        let page = format!("docs/sinks/{name}.md");
        assert!(read(Path::new(&page)).contains(&format!("type = \"{name}\"")), "{page} shows no sink of its type");
        assert!(read(Path::new("README.md")).contains(&page), "README.md does not name {page}");
    }
}

/// The contents of the book: nothing in `docs/` is left out of it.
#[test]
fn the_book_has_every_document() {
    let contents = Path::new("docs/SUMMARY.md");
    let listed: Vec<PathBuf> = links(contents, &read(contents)).into_iter().map(|(path, _)| path).collect();
    let missing: Vec<_> = super::documents()
        .into_iter()
        .filter(|document| document.starts_with("docs") && document != contents && !listed.contains(document))
        .collect();
    assert!(missing.is_empty(), "docs/SUMMARY.md has not: {missing:?}");
}
