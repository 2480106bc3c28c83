//! Names of tokens, from those of entries.

use std::collections::BTreeSet;

use latchkey::name::advice;

/// The most bytes of a name that is derived: what keeps it apart from others must fit behind it.
const LENGTH_MAX: usize = 56;
/// What goes without saying of a token.
const NEEDLESS: [&str; 5] = ["token", "pat", "apikey", "key", "secret"];

/// The words of a name, in lower case: what stands between anything but letters and digits, and from `apiToken` two.
pub(crate) fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = vec![String::new()];
    let mut was_lower = false;
    for character in name.chars() {
        if !character.is_ascii_alphanumeric() || (character.is_ascii_uppercase() && was_lower) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| character.is_ascii_alphanumeric()) {
            word.push(character.to_ascii_lowercase());
        }
        was_lower = character.is_ascii_lowercase();
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Names that are in use, so that no two tokens get the same.
#[derive(Debug)]
pub(crate) struct Taken {
    /// What stands before a name that says nothing by itself: whose tokens they are.
    whose: String,
    names: BTreeSet<String>,
}

impl Taken {
    /// None are, and `whose` is the manifest's name.
    pub(crate) fn none(whose: &str) -> Self {
        Self { whose: whose.to_owned(), names: BTreeSet::new() }
    }

    /// A name for the token of an entry, `production-api` for `PRODUCTION_API_TOKEN`; a longer one where that is in use, or
    /// says nothing.
    pub(crate) fn name(&mut self, entry: &str) -> String {
        let words = words(entry);
        let short = match words.split_last() {
            Some((last, rest)) if !rest.is_empty() && NEEDLESS.contains(&last.as_str()) => rest.join("-"),
            _ => words.join("-"),
        };
        let long = words.join("-");
        let full =
            [cut(&short), cut(&long), cut(&format!("{}-{short}", self.whose)), cut(&format!("{}-{long}", self.whose))];
        let says_something = |name: &String| name.parse().is_ok_and(|name| advice(&name).is_none());
        let good = full.iter().filter(|name| says_something(name)).cloned();
        let base = good.clone().next().unwrap_or_else(|| full[0].clone());
        let numbered = (2..).map(|number: u32| format!("{base}-{number}"));
        let free = good.chain([base.clone()]).chain(numbered).find(|name| !self.names.contains(name));
        let free = free.unwrap_or(base);
        self.names.insert(free.clone());
        free
    }
}

/// A name that has at least one word, and is not too long.
fn cut(name: &str) -> String {
    let cut = name.get(..LENGTH_MAX).unwrap_or(name).trim_matches('-');
    if cut.is_empty() { "entry".to_owned() } else { cut.to_owned() }
}
