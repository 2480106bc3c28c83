//! Paths: their patterns, and the values of the names in braces.

use schemars::{JsonSchema, SchemaGenerator};

use super::forms::ParameterForm;
use crate::name::{ManifestName, RoleName, TokenName, UserName};
use crate::place::PlaceId;
use crate::secret::TokenId;
use crate::token::TokenKey;

/// A name in braces in a path, by the type of its value.
pub(super) trait Placeholder: JsonSchema + Sized {
    /// What stands between the braces.
    const NAME: &'static str;
    /// For the document.
    const DESCRIPTION: &'static str;

    /// Reads it. What cannot be such a name names nothing.
    fn read(text: &str) -> Option<Self>;
}

macro_rules! placeholder {
    ($kind:ty, $name:literal, $description:literal) => {
        impl Placeholder for $kind {
            const NAME: &'static str = $name;
            const DESCRIPTION: &'static str = $description;

            fn read(text: &str) -> Option<Self> {
                text.parse().ok()
            }
        }
    };
}

placeholder!(UserName, "user", "A user's name; `me` is the caller's");
placeholder!(TokenName, "name", "A token's name");
placeholder!(TokenId, "id", "A token's id");
placeholder!(RoleName, "role", "A role's name");
placeholder!(ManifestName, "manifest", "A manifest's name");

/// The number of a version.
#[derive(JsonSchema)]
#[schemars(inline)]
pub(super) struct VersionNumber(#[schemars(range(min = 1))] pub(super) u32);

impl Placeholder for VersionNumber {
    const NAME: &'static str = "version";
    const DESCRIPTION: &'static str = "A version's number";

    fn read(text: &str) -> Option<Self> {
        text.parse().ok().map(Self)
    }
}

impl Placeholder for PlaceId {
    const NAME: &'static str = "place";
    const DESCRIPTION: &'static str = "A place's id";

    fn read(text: &str) -> Option<Self> {
        Some(Self::from_stored(text))
    }
}

/// The texts that stand for the names in a path.
#[derive(Debug)]
pub(super) struct PathValues(Vec<(&'static str, String)>);

impl PathValues {
    pub(super) fn read<T: Placeholder>(&self) -> Option<T> {
        self.0.iter().find(|(name, _)| *name == T::NAME).and_then(|(_, text)| T::read(text))
    }

    /// Replaces a value that stands for another one.
    pub(super) fn replace(&mut self, name: &str, short: &str, meant: &str) {
        let found = self.0.iter_mut().find(|(held, text)| *held == name && text == short);
        if let Some((_, text)) = found {
            meant.clone_into(text);
        }
    }
}

/// All placeholders of a path: none, one, those of a token, or a tuple of such in the order of the path.
pub(super) trait Path: Sized {
    fn read(values: &PathValues) -> Option<Self>;

    fn describe(schemas: &mut SchemaGenerator) -> Vec<ParameterForm>;
}

impl Path for () {
    fn read(_: &PathValues) -> Option<Self> {
        Some(())
    }

    fn describe(_: &mut SchemaGenerator) -> Vec<ParameterForm> {
        Vec::new()
    }
}

impl<T: Placeholder> Path for T {
    fn read(values: &PathValues) -> Option<Self> {
        values.read()
    }

    fn describe(schemas: &mut SchemaGenerator) -> Vec<ParameterForm> {
        vec![ParameterForm {
            from: "path",
            name: T::NAME,
            description: T::DESCRIPTION,
            required: true,
            schema: schemas.subschema_for::<T>(),
        }]
    }
}

impl Path for TokenKey {
    fn read(values: &PathValues) -> Option<Self> {
        Some(Self::new(values.read()?, values.read()?))
    }

    fn describe(schemas: &mut SchemaGenerator) -> Vec<ParameterForm> {
        <(UserName, TokenName)>::describe(schemas)
    }
}

macro_rules! path_of_several {
    ($($kind:ident),+) => {
        impl<$($kind: Path),+> Path for ($($kind,)+) {
            fn read(values: &PathValues) -> Option<Self> {
                Some(($($kind::read(values)?,)+))
            }

            fn describe(schemas: &mut SchemaGenerator) -> Vec<ParameterForm> {
                let each = [$($kind::describe(schemas)),+];
                each.into_iter().flatten().collect()
            }
        }
    };
}

path_of_several!(A, B);
path_of_several!(A, B, C);

/// The values in a path, decoded, if it has the pattern's form.
pub(super) fn matches(pattern: &'static str, path: &str) -> Option<PathValues> {
    let (mut wanted, mut given) = (pattern.split('/'), path.split('/'));
    let mut values = Vec::new();
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(PathValues(values)),
            (Some(word), Some(part)) => match placeholder(word) {
                Some(name) => values.push((name, decode(part).filter(|text| !text.is_empty())?)),
                None if word == part => {}
                None => return None,
            },
            _ => return None,
        }
    }
}

fn placeholder(word: &'static str) -> Option<&'static str> {
    word.strip_prefix('{')?.strip_suffix('}')
}

/// Percent-decodes a text; `None` when it is not UTF-8 or badly encoded.
pub(super) fn decode(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'%' {
            let digits = text.get(at + 1..at + 3)?;
            if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return None;
            }
            decoded.push(u8::from_str_radix(digits, 16).ok()?);
            at += 3;
        } else {
            decoded.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8(decoded).ok()
}
