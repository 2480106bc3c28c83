//! The JSON object of a secret that several tokens share.
//!
//! Values that are not ours are kept as the bytes they are: no number is rounded, no order changed, no escape rewritten.

use std::borrow::Cow;
use std::fmt;

use latchkey::secret::{Digest, Secret};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::value::seen_entry;
use crate::{Receipt, Seen};

/// An object's entries in their order. It has no `Debug`: it holds values.
#[derive(Default)]
pub(super) struct Object<'a>(Vec<(String, Cow<'a, RawValue>)>);

impl<'a> Object<'a> {
    /// Reads an object; `None` when the text is anything else. What exactly is wrong is dropped, as it may hold values.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// What `key` holds. Where a key stands twice the last counts, as for nearly every reader.
    pub(super) fn seen(&self, key: &str) -> Seen {
        let Some(raw) = self.raw(key) else { return Seen::Absent };
        let text = string(raw);
        // What is no string is its text: a secret may be somewhere in it.
        let value = text.as_ref().map_or_else(|| raw.get(), |text| text.as_str());
        let receipt = Receipt(Digest::of(value.as_bytes()).fingerprint().as_str().to_owned());
        Seen::Holds(seen_entry(value, receipt))
    }

    /// The secret that `key` holds, if it is one.
    pub(super) fn secret(&self, key: &str) -> Option<Secret> {
        Secret::parse(&string(self.raw(key)?)?).ok()
    }

    /// Puts a secret where the key stands, or at the end.
    pub(super) fn set(&mut self, key: &str, secret: &Secret) -> serde_json::Result<()> {
        let value = Cow::Owned(serde_json::value::to_raw_value(secret.expose())?);
        match self.0.iter().rposition(|(name, _)| name == key) {
            Some(position) => self.0[position].1 = value,
            None => self.0.push((key.to_owned(), value)),
        }
        Ok(())
    }

    /// Takes a key out.
    pub(super) fn remove(&mut self, key: &str) {
        self.0.retain(|(name, _)| name != key);
    }

    /// The object as text.
    pub(super) fn to_text(&self) -> serde_json::Result<Zeroizing<String>> {
        serde_json::to_string(self).map(Zeroizing::new)
    }

    fn raw(&self, key: &str) -> Option<&RawValue> {
        self.0.iter().rfind(|(name, _)| name == key).map(|(_, value)| value.as_ref())
    }
}

fn string(raw: &RawValue) -> Option<Zeroizing<String>> {
    serde_json::from_str(raw.get()).ok().map(Zeroizing::new)
}

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Vec<(String, Cow<'de, RawValue>)>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, &'de RawValue>()? {
                    entries.push((key, Cow::Borrowed(value)));
                }
                Ok(entries)
            }
        }
        deserializer.deserialize_map(Entries).map(Object)
    }
}

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value.as_ref())?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use latchkey::entropy::SystemEntropy;
    use latchkey::secret::{Prefix, TokenId};
    use proptest::prelude::*;

    use super::*;
    use crate::SeenEntry;

    fn secret() -> Secret {
        let id = TokenId::mint(&SystemEntropy).unwrap();
        Secret::mint(&Prefix::default(), &id, &SystemEntropy).unwrap()
    }

    #[test]
    fn what_is_not_ours_is_kept_to_the_byte() {
        let text =
            r#"{"big":12345678901234567890123456789.10,"é":"\u00e9\/","ours":"x","deep":{"b": [1e400, null],"a":1}}"#;
        let mut object = Object::parse(text).unwrap();
        let secret = secret();
        object.set("ours", &secret).unwrap();
        let wanted = text.replace(r#""x""#, &format!("\"{}\"", secret.expose()));
        assert_eq!(*object.to_text().unwrap(), wanted);
        object.remove("ours");
        assert_eq!(*object.to_text().unwrap(), text.replace(r#""ours":"x","#, ""));
    }

    #[test]
    fn an_empty_object_stays_an_object() {
        let mut object = Object::parse(r#"{"only":"x"}"#).unwrap();
        object.remove("only");
        assert_eq!(*object.to_text().unwrap(), "{}");
    }

    #[test]
    fn a_key_tells_what_it_holds() {
        let secret = secret();
        let text = format!(r#"{{"a":"{}","b":7,"c":"other","c":"last"}}"#, secret.expose());
        let object = Object::parse(&text).unwrap();
        let Seen::Holds(held) = object.seen("a") else { panic!("`a` is there") };
        assert_eq!(held.fingerprint, Some(secret.fingerprint()));
        assert_eq!(held.token_id, Some(secret.token_id()));
        assert_eq!(held.receipt.0, secret.fingerprint().as_str());
        let Seen::Holds(last) = object.seen("c") else { panic!("`c` is there") };
        assert_eq!(last.fingerprint, Some(Digest::of(b"last").fingerprint()));
        assert!(matches!(object.seen("b"), Seen::Holds(SeenEntry { token_id: None, .. })));
        assert_eq!(object.seen("d"), Seen::Absent);
    }

    #[test]
    fn anything_but_an_object_is_refused() {
        for text in ["", "secret", "[]", "\"text\"", "null", "{", "{} x", "{1:2}"] {
            assert!(Object::parse(text).is_none(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn setting_one_key_changes_no_other(entries in proptest::collection::vec((".{0,8}", any::<f64>(), ".{0,8}"), 0..6)) {
            let text = entries.iter().enumerate().fold(String::from("{"), |text, (index, (key, number, word))| {
                let comma = if index == 0 { "" } else { "," };
                let key = serde_json::to_string(&format!("{index}{key}")).unwrap();
                text + comma + &key + ":[" + &number.to_string().replace("inf", "9e999").replace("NaN", "0") + ","
                    + &serde_json::to_string(word).unwrap() + "]"
            }) + "}";
            let mut object = Object::parse(&text).unwrap();
            object.set("ours", &secret()).unwrap();
            object.remove("ours");
            prop_assert_eq!(&*object.to_text().unwrap(), &text);
        }
    }
}
