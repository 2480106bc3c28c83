//! Faults as a reader sees them: the lines of the file, what is wrong with them and what to do.

use std::ops::Range;

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use serde::Serialize;

use super::fault::{Fault, Severity, Span};
use super::masking;

/// Spots further apart than this many lines are shown apart.
const TOGETHER_MAX: usize = 60;

/// Nobody fixes more than this before looking again.
const SHOWN_MAX: usize = 100;

/// How many bytes of the text are shown in all: a line may be as long as the file, and have all the faults. Beyond it
/// only where a fault is stands there.
const SOURCE_MAX: usize = 256 * 1024;
/// A line that is longer is no help to look at.
const LINE_MAX: usize = 16 * 1024;

/// A spot in a text, counted from 1; columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Position {
    pub line: usize,
    pub column: usize,
}

/// Where bytes are, asked in their order: a text with many faults is counted through once.
#[derive(Debug)]
pub struct Positions<'a> {
    text: &'a str,
    offset: usize,
    at: Position,
}

impl<'a> Positions<'a> {
    /// Of a text, from its start.
    pub fn of(text: &'a str) -> Self {
        Self { text, offset: 0, at: Position { line: 1, column: 1 } }
    }

    /// Where the byte at `offset` is.
    pub fn at(&mut self, offset: usize) -> Position {
        let offset = floor(self.text, offset);
        if offset < self.offset {
            *self = Self::of(self.text);
        }
        let between = &self.text[self.offset..offset];
        match between.rfind('\n') {
            Some(end) => {
                self.at.line += between.matches('\n').count();
                self.at.column = between[end + 1..].chars().count() + 1;
            }
            None => self.at.column += between.chars().count(),
        }
        self.offset = offset;
        self.at
    }
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
    let mut source = SOURCE_MAX;
    let mut positions = Positions::of(&masked);
    let mut shown: Vec<String> = faults
        .iter()
        .take(SHOWN_MAX)
        .map(|fault| renderer.render(&[group(fault, path, &lines, (&mut positions, &mut source))]))
        .collect();
    if faults.len() > SHOWN_MAX {
        shown.push(format!("and {} more", faults.len() - SHOWN_MAX));
    }
    shown.join("\n\n") + if shown.is_empty() { "" } else { "\n" }
}

fn group<'a>(
    fault: &'a Fault,
    path: &'a str,
    lines: &Lines<'a>,
    (positions, left): (&mut Positions<'_>, &mut usize),
) -> Group<'a> {
    let level = match fault.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut spots = vec![Spot { span: lines.first_line_of(&fault.span), words: None }];
    spots
        .extend(fault.related.iter().map(|(span, words)| Spot { span: lines.first_line_of(span), words: Some(words) }));
    let title = level.primary_title(fault.message.as_str()).id(fault.code);
    let excerpts = excerpts(spots, lines);
    let size: usize = excerpts.iter().map(|excerpt| excerpt.range.len()).sum();
    let mut group = if excerpts.iter().all(|excerpt| excerpt.range.len() <= excerpt.most()) && size <= *left {
        *left -= size;
        title.elements(excerpts.into_iter().map(|excerpt| excerpt.snippet(path, lines)))
    } else {
        let Position { line, column } = positions.at(fault.span.start);
        title.element(Origin::path(path).line(line).char_column(column))
    };
    if let Some(hint) = &fault.hint {
        group = group.element(Level::HELP.message(hint.as_str()));
    }
    group
}

struct Spot<'a> {
    span: Span,
    words: Option<&'a str>,
}

/// Lines of the text with the spots on them.
struct Excerpt<'a> {
    /// The first line, from 0, and how many there are.
    first: usize,
    count: usize,
    range: Range<usize>,
    spots: Vec<Spot<'a>>,
}

/// One excerpt for spots that stand near the fault, and one for each other.
fn excerpts<'a>(spots: Vec<Spot<'a>>, lines: &Lines<'a>) -> Vec<Excerpt<'a>> {
    let home = spots.first().map_or(0, |spot| lines.line_of(spot.span.start));
    let (near, far): (Vec<_>, Vec<_>) =
        spots.into_iter().partition(|spot| lines.line_of(spot.span.start).abs_diff(home) <= TOGETHER_MAX);
    std::iter::once(near)
        .chain(far.into_iter().map(|spot| vec![spot]))
        .map(|spots| {
            let numbers = || spots.iter().map(|spot| lines.line_of(spot.span.start));
            let (first, last) = (numbers().min().unwrap_or(0), numbers().max().unwrap_or(0));
            Excerpt { first, count: last - first + 1, range: lines.range(first, last), spots }
        })
        .collect()
}

impl<'a> Excerpt<'a> {
    /// How many bytes it may have.
    fn most(&self) -> usize {
        LINE_MAX.saturating_mul(self.count.min(4))
    }

    fn snippet(self, path: &'a str, lines: &Lines<'a>) -> Snippet<'a, Annotation<'a>> {
        let Self { first, range, spots, .. } = self;
        let source = lines.text.get(range.clone()).unwrap_or_default();
        let annotations = spots.into_iter().map(|spot| {
            let kind = if spot.words.is_some() { AnnotationKind::Context } else { AnnotationKind::Primary };
            kind.span(spot.span.start - range.start..spot.span.end - range.start).label(spot.words)
        });
        Snippet::source(source).line_start(first + 1).path(path).annotations(annotations)
    }
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
