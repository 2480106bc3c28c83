//! Tables of the file, read field by field: wrong types, missing and unknown fields become faults, and reading goes on.

use std::borrow::Cow;
use std::collections::HashMap;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::context::Reading;
use super::fault::{Fault, Span};
use super::masking::{LOGINS, shown};
use super::nearest::listed;
use super::text::{Text, text_of};

/// A key of the file with its table.
pub struct Section<'a> {
    pub key: Text<'a>,
    /// Its header, or the key where it has none.
    pub header: Span,
    pub table: &'a DeTable<'a>,
}

/// The fields of one table. What was asked for is known; [`Fields::finish`] reports the rest.
pub struct Fields<'a> {
    table: &'a DeTable<'a>,
    /// What the table is, for messages: ``token `production-api` ``.
    whose: String,
    header: Span,
    asked: Vec<&'static str>,
    missing: Vec<(&'static str, Fault)>,
    /// Where it is the table of something that has a name.
    section: Option<Named<'a>>,
}

/// The name of what a table declares.
struct Named<'a> {
    text: &'a str,
    /// The table of all of its kind.
    kind: String,
}

impl<'a> Fields<'a> {
    pub fn new(table: &'a DeTable<'a>, whose: String, header: Span) -> Self {
        Self { table, whose, header, asked: Vec::new(), missing: Vec::new(), section: None }
    }

    pub fn of_section(section: &Section<'a>, word: &str) -> Self {
        Self::of_kind(section, word, &format!("{word}s"))
    }

    /// The same, where the table of all of its kind has a name of its own.
    pub fn of_kind(section: &Section<'a>, word: &str, kind: &str) -> Self {
        let fields = Self::new(section.table, format!("{word} `{}`", shown(section.key.text)), section.header.clone());
        Self { section: Some(Named { text: section.key.text, kind: kind.to_owned() }), ..fields }
    }

    /// The value of a field.
    pub fn value(&mut self, name: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.asked.push(name);
        self.table.get(name)
    }

    /// Where a field's key is.
    pub fn key_span(&self, name: &str) -> Option<Span> {
        self.table.get_key_value(name).map(|(key, _)| key.span())
    }

    pub fn text(&mut self, name: &'static str, reading: &mut Reading<'_>) -> Option<Text<'a>> {
        let value = self.value(name)?;
        let text = text_of(value);
        if text.is_none() {
            reading.add(wrong_type("a string", name, value));
        }
        text
    }

    pub fn required_text(&mut self, name: &'static str, reading: &mut Reading<'_>) -> Option<Text<'a>> {
        let text = self.text(name, reading);
        if !self.has(name) {
            self.missing(name);
        }
        text
    }

    pub fn boolean(&mut self, name: &'static str, reading: &mut Reading<'_>) -> Option<bool> {
        let value = self.value(name)?;
        let answer = value.get_ref().as_bool();
        if answer.is_none() {
            reading.add(wrong_type("`true` or `false`", name, value));
        }
        answer
    }

    pub fn count(&mut self, name: &'static str, reading: &mut Reading<'_>) -> Option<u32> {
        let value = self.value(name)?;
        let Some(integer) = value.get_ref().as_integer() else {
            reading.add(wrong_type("an integer", name, value));
            return None;
        };
        let count = u32::from_str_radix(integer.as_str(), integer.radix()).ok();
        if count.is_none() {
            let message = format!("`{name}` must be between 0 and {}", u32::MAX);
            reading.add(Fault::error("out-of-range", value.span(), message));
        }
        count
    }

    /// The texts of a list; those that are none are left out.
    pub fn texts(&mut self, name: &'static str, reading: &mut Reading<'_>) -> Option<Vec<Text<'a>>> {
        let value = self.value(name)?;
        let Some(array) = value.get_ref().as_array() else {
            let hint = text_of(value).map(|text| format!("write `{name} = [\"{}\"]`", shown(text.text)));
            reading.add(wrong_type("a list of strings", name, value).maybe_hint(hint));
            return None;
        };
        let mut texts: Vec<Text<'a>> = Vec::with_capacity(array.len());
        let mut seen = HashMap::with_capacity(array.len());
        for entry in array {
            let Some(text) = text_of(entry) else {
                reading.add(wrong_type("a string", name, entry));
                continue;
            };
            if let Some(first) = seen.get(text.text) {
                let message = format!("`{}` is listed twice", shown(text.text));
                let fault = Fault::warning("listed-twice", text.span, message);
                reading.add(fault.related(Span::clone(first), "first listed here"));
                continue;
            }
            seen.insert(text.text, text.span.clone());
            texts.push(text);
        }
        Some(texts)
    }

    /// A list of anything.
    pub fn list(&mut self, name: &'static str, reading: &mut Reading<'_>) -> Option<&'a DeArray<'a>> {
        let value = self.value(name)?;
        let array = value.get_ref().as_array();
        if array.is_none() {
            let hint = value.get_ref().is_table().then(|| format!("write `{name} = [{{ .. }}]`"));
            reading.add(wrong_type("a list", name, value).maybe_hint(hint));
        }
        array
    }

    /// A table that is a field.
    pub fn section(&mut self, name: &'static str, reading: &mut Reading<'_>) -> Option<Section<'a>> {
        self.asked.push(name);
        let (key, value) = self.table.get_key_value(name)?;
        section_of(key, value, reading)
    }

    /// Texts under free keys, such as labels.
    pub fn pairs(&mut self, name: &'static str, reading: &mut Reading<'_>) -> Vec<(Text<'a>, Text<'a>)> {
        let Some(section) = self.section(name, reading) else { return Vec::new() };
        let mut pairs = Vec::with_capacity(section.table.len());
        for (key, value) in section.table {
            match text_of(value) {
                Some(text) => pairs.push((Text { text: key.get_ref(), span: key.span() }, text)),
                None => reading.add(wrong_type("a string", key.get_ref(), value)),
            }
        }
        pairs
    }

    pub fn has(&self, name: &str) -> bool {
        self.table.contains_key(name)
    }

    /// Notes that a field must be there. It is reported at the end, unless the field is there with a slip in its name.
    pub fn missing(&mut self, name: &'static str) {
        self.missing_fault(name, |fault| fault);
    }

    /// The same with another message or a hint.
    pub fn missing_fault(&mut self, name: &'static str, change: impl FnOnce(Fault) -> Fault) {
        let fault = Fault::error("missing-field", self.header.clone(), format!("{} has no `{name}`", self.whose));
        self.missing.push((name, change(fault)));
    }

    /// Reports missing fields only: what else such a table may have is not known.
    pub fn finish_open(self, reading: &mut Reading<'_>) {
        reading.faults.extend(self.missing.into_iter().map(|(_, fault)| fault));
    }

    /// Whether the table has nothing but tables that are no fields: a dotted name has made it, and nothing else is missing.
    pub fn is_part_of_a_name(&self, text: &str) -> bool {
        let is_part = |(key, value): (&Spanned<Cow<'_, str>>, &Spanned<DeValue<'_>>)| {
            !self.asked.contains(&&**key.get_ref()) && is_divided(value, text)
        };
        self.section.is_some() && !self.table.is_empty() && self.table.iter().all(is_part)
    }

    /// The fault of a table that is no field, in the table of something that has a name: a dot in a name divides it.
    fn dotted(&self, key: &Spanned<Cow<'_, str>>, value: &Spanned<DeValue<'_>>) -> Option<Fault> {
        let section = self.section.as_ref()?;
        let mut table = value.get_ref().as_table()?;
        let mut name = format!("{}.{}", section.text, key.get_ref());
        // What has nothing but another table in it is a part of the name too.
        while let (1, Some((key, inner))) = (table.len(), table.iter().next()) {
            let Some(inner) = inner.get_ref().as_table() else { break };
            name = format!("{name}.{}", key.get_ref());
            table = inner;
        }
        let message = format!("a dot divides a name: `{}` is a table in {}", shown(key.get_ref()), self.whose);
        let hint = format!("put a name with dots in quotes: `[{}.\"{}\"]`", section.kind, shown(&name));
        Some(Fault::error("dotted-name", key.span(), message).hint(hint))
    }

    /// Reports missing fields, and the fields that nobody asked for.
    pub fn finish(mut self, reading: &mut Reading<'_>) {
        if self.is_part_of_a_name(reading.text) {
            self.missing.clear();
        }
        for (key, value) in self.table {
            let name: &str = key.get_ref();
            // A plain login has a fault of its own.
            if self.asked.contains(&name)
                || (LOGINS.contains(&name) && (value.get_ref().is_str() || value.get_ref().is_array()))
            {
                continue;
            }
            let near = reading.nearest(name, self.asked.iter().copied());
            if let Some(fault) = self.dotted(key, value).filter(|_| near.is_none() && is_divided(value, reading.text)) {
                reading.add(fault);
                continue;
            }
            self.missing.retain(|(missing, _)| Some(*missing) != near);
            let hint = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("its fields: {}", listed(&self.asked)),
            };
            let message = format!("unknown field `{}` in {}", shown(name), self.whose);
            reading.add(Fault::error("unknown-field", key.span(), message).hint(hint));
        }
        self.finish_open(reading);
    }
}

/// Whether a value is a table that a dot in a name has made; one in braces is a field.
fn is_divided(value: &Spanned<DeValue<'_>>, text: &str) -> bool {
    value.get_ref().is_table() && !text.get(value.span()).is_some_and(|text| text.starts_with('{'))
}

/// The tables in a table, in the file's order.
pub fn sections<'a>(parent: &Section<'a>, reading: &mut Reading<'_>) -> Vec<Section<'a>> {
    let mut sections: Vec<Section<'a>> =
        parent.table.iter().filter_map(|(key, value)| section_of(key, value, reading)).collect();
    sections.sort_by_key(|section| section.header.start);
    sections
}

fn section_of<'a>(
    key: &'a Spanned<Cow<'a, str>>,
    value: &'a Spanned<DeValue<'a>>,
    reading: &mut Reading<'_>,
) -> Option<Section<'a>> {
    let Some(table) = value.get_ref().as_table() else {
        reading.add(wrong_type("a table", key.get_ref(), value));
        return None;
    };
    // An inline table may be long; its key says enough.
    let has_header = reading.text.get(value.span()).is_some_and(|text| text.starts_with('['));
    let header = if has_header { value.span() } else { key.span() };
    Some(Section { key: Text { text: key.get_ref(), span: key.span() }, header, table })
}

/// The fault of a value of the wrong type.
pub fn wrong_type(expected: &str, name: &str, value: &Spanned<DeValue<'_>>) -> Fault {
    let found = match value.get_ref() {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    Fault::error("wrong-type", value.span(), format!("expected {expected} for `{}`, found {found}", shown(name)))
}
