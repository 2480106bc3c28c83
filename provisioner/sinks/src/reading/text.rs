//! Texts of the file, with where each is.

use toml::Spanned;
use toml::de::DeValue;

use super::fault::Span;

/// A text of the file.
#[derive(Debug, Clone)]
pub struct Text<'a> {
    /// What it says.
    pub text: &'a str,
    pub span: Span,
}

/// The text of a value; `None` where it is of another type.
pub fn text_of<'a>(value: &'a Spanned<DeValue<'a>>) -> Option<Text<'a>> {
    Some(Text { text: value.get_ref().as_str()?, span: value.span() })
}

/// Whether a text has only characters that a screen shows as they are.
pub fn is_plain(text: &str) -> bool {
    // Marks that turn the direction of writing would let a plan read as another one.
    let turns = |character: char| matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !text.chars().any(|character| character.is_control() || turns(character))
}
