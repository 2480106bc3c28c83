//! The blocks of code in a document.

/// A fenced block.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) language: String,
    /// The line that its text begins in, from 1.
    pub(super) line: usize,
    pub(super) text: String,
}

/// All blocks of a document, also those in lists.
pub(super) fn blocks(document: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut lines = document.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let Some(language) = line.trim_start().strip_prefix("```") else { continue };
        let indent = line.len() - line.trim_start().len();
        let inside = lines.by_ref().map(|(_, line)| line).take_while(|line| line.trim() != "```");
        let text = inside.fold(String::new(), |text, line| text + line.get(indent..).unwrap_or_default() + "\n");
        found.push(Block { language: language.to_owned(), line: number + 2, text });
    }
    found
}
