//! Durations of the file, with where each is set: a contradiction is shown where it can be fixed.

use latchkey::lifetime::{Contradiction, Seconds, Terms};
use latchkey_sinks::reading::{Fault, Fields, Reading, Span, shown};

/// A duration, and where the table in hand sets it.
#[derive(Debug, Clone)]
struct Said {
    value: Seconds,
    span: Option<Span>,
}

/// The three durations of a token, or those that tokens start from.
#[derive(Debug, Clone)]
pub(super) struct Durations {
    expires_in: Said,
    rotate_every: Said,
    overlap: Said,
    /// Whether all that was set could be read.
    sound: bool,
}

impl Durations {
    /// The defaults where the file sets nothing.
    pub(super) fn built_in() -> Self {
        let said = |value| Said { value, span: None };
        Self {
            expires_in: said(Seconds::days(90)),
            rotate_every: said(Seconds::days(30)),
            overlap: said(Seconds::hours(24)),
            sound: true,
        }
    }

    /// What a table sets, and for the rest `base`.
    pub(super) fn read(fields: &mut Fields<'_>, reading: &mut Reading<'_>, base: &Self) -> Self {
        let mut sound = true;
        let mut said = |name, base: &Said, reading: &mut Reading<'_>| {
            let value = duration(fields, name, reading);
            sound &= value.is_some() || !fields.has(name);
            value.unwrap_or(Said { value: base.value, span: None })
        };
        let expires_in = said("expires_in", &base.expires_in, reading);
        let rotate_every = said("rotate_every", &base.rotate_every, reading);
        let overlap = said("overlap", &base.overlap, reading);
        Self { expires_in, rotate_every, overlap, sound: sound && base.sound }
    }

    pub(super) fn terms(&self) -> Terms {
        Terms { expires_in: self.expires_in.value, rotate_every: self.rotate_every.value, overlap: self.overlap.value }
    }

    /// Reports durations that contradict each other, if this table sets any of them.
    pub(super) fn check(&self, reading: &mut Reading<'_>) {
        let Some(contradiction) = self.terms().contradiction(true).filter(|_| self.sound) else { return };
        let involved: Vec<(&str, &Said)> = match contradiction {
            Contradiction::OverlapTooShort => vec![("overlap", &self.overlap)],
            Contradiction::OverlapExceedsRotation => {
                vec![("overlap", &self.overlap), ("rotate_every", &self.rotate_every)]
            }
            Contradiction::ExpiresBeforeOverlapEnds => {
                vec![("expires_in", &self.expires_in), ("rotate_every", &self.rotate_every), ("overlap", &self.overlap)]
            }
        };
        let mut spans = involved.iter().filter_map(|(_, said)| said.span.clone());
        let Some(span) = spans.next() else { return };
        let values: Vec<String> =
            involved.iter().map(|(name, said)| format!("`{name}` is {}{}", said.value, said.source())).collect();
        let mut fault = Fault::error("durations", span, contradiction.to_string()).hint(values.join(", "));
        for other in spans {
            fault = fault.related(other, "and here");
        }
        reading.add(fault);
    }
}

impl Said {
    fn source(&self) -> &'static str {
        if self.span.is_some() { "" } else { " by default" }
    }
}

fn duration(fields: &mut Fields<'_>, name: &'static str, reading: &mut Reading<'_>) -> Option<Said> {
    let found = fields.text(name, reading)?;
    match found.text.parse() {
        Ok(value) => Some(Said { value, span: Some(found.span) }),
        Err(rule) => {
            let rule: latchkey::lifetime::SecondsError = rule;
            let message = format!("`{}` is not a duration", shown(found.text));
            reading.add(Fault::error("bad-duration", found.span, message).hint(rule.to_string()));
            None
        }
    }
}
