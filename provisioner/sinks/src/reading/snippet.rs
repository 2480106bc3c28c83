//! Faults as a reader sees them: the lines of the file, what is wrong with them and what to do.

use std::ops::Range;

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Renderer, Snippet};
use serde::Serialize;

use super::fault::{Fault, Severity, Span};
use super::masking;

/// Spots further apart than this many lines are shown apart.
const TOGETHER_MAX: usize = 60;

/// Nobody fixes more than this before looking again.
const SHOWN_MAX: usize = 100;

/// A spot in a text, counted from 1; columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Position {
    pub line: usize,
    pub column: usize,
}

/// Where the byte at `offset` is.
pub fn position(text: &str, offset: usize) -> Position {
    let before = &text[..floor(text, offset)];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    Position { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 }
}

/// The largest border of a character that is not after `offset`.
pub fn floor(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

/// Shows faults of a text with the lines they are on, in plain characters or in colour. Secrets are masked; of very many
/// faults only the first are shown.
pub fn render(faults: &[Fault], path: &str, text: &str, colour: bool) -> String {
    let masked = masking::mask(text, &masking::spans(text, faults));
    let lines = Lines::split(&masked);
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let mut shown: Vec<String> =
        faults.iter().take(SHOWN_MAX).map(|fault| renderer.render(&[group(fault, path, &lines)])).collect();
    if faults.len() > SHOWN_MAX {
        shown.push(format!("and {} more", faults.len() - SHOWN_MAX));
    }
    shown.join("\n\n") + if shown.is_empty() { "" } else { "\n" }
}

fn group<'a>(fault: &'a Fault, path: &'a str, lines: &Lines<'a>) -> Group<'a> {
    let level = match fault.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut spots = vec![Spot { span: lines.first_line_of(&fault.span), words: None }];
    spots
        .extend(fault.related.iter().map(|(span, words)| Spot { span: lines.first_line_of(span), words: Some(words) }));
    let mut group = level.primary_title(fault.message.as_str()).id(fault.code).elements(excerpts(spots, path, lines));
    if let Some(hint) = &fault.hint {
        group = group.element(Level::HELP.message(hint.as_str()));
    }
    group
}

struct Spot<'a> {
    span: Span,
    words: Option<&'a str>,
}

/// One excerpt for spots that stand near the fault, and one for each other.
fn excerpts<'a>(spots: Vec<Spot<'a>>, path: &'a str, lines: &Lines<'a>) -> Vec<Snippet<'a, Annotation<'a>>> {
    let home = spots.first().map_or(0, |spot| lines.line_of(spot.span.start));
    let (near, far): (Vec<_>, Vec<_>) =
        spots.into_iter().partition(|spot| lines.line_of(spot.span.start).abs_diff(home) <= TOGETHER_MAX);
    std::iter::once(near)
        .chain(far.into_iter().map(|spot| vec![spot]))
        .map(|spots| excerpt(spots, path, lines))
        .collect()
}

fn excerpt<'a>(spots: Vec<Spot<'a>>, path: &'a str, lines: &Lines<'a>) -> Snippet<'a, Annotation<'a>> {
    let numbers = || spots.iter().map(|spot| lines.line_of(spot.span.start));
    let (first, last) = (numbers().min().unwrap_or(0), numbers().max().unwrap_or(0));
    let range = lines.range(first, last);
    let source = lines.text.get(range.clone()).unwrap_or_default();
    let annotations = spots.into_iter().map(|spot| {
        let kind = if spot.words.is_some() { AnnotationKind::Context } else { AnnotationKind::Primary };
        kind.span(spot.span.start - range.start..spot.span.end - range.start).label(spot.words)
    });
    Snippet::source(source).line_start(first + 1).path(path).annotations(annotations)
}

/// A text and where its lines start.
struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn split(text: &'a str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts }
    }

    fn line_of(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset).saturating_sub(1)
    }

    /// The bytes of these lines, without the last line's end.
    fn range(&self, first: usize, last: usize) -> Range<usize> {
        let start = self.starts.get(first).copied().unwrap_or(0);
        let end = self.starts.get(last + 1).map_or(self.text.len(), |next| next - 1);
        let end = end - usize::from(self.text[..end].ends_with('\r'));
        start..end.max(start)
    }

    /// As much of a span as stands on its first line: an underline reads better than a box.
    fn first_line_of(&self, span: &Span) -> Span {
        let start = floor(self.text, span.start);
        let line = self.line_of(start);
        let line_end = self.range(line, line).end;
        start..floor(self.text, span.end).clamp(start, line_end.max(start))
    }
}
