use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use super::*;
use crate::lifetime::{Seconds, Terms};
use crate::secret::{Digest, Fingerprint, KnownDigest};
use crate::token::{TokenKey, VersionState};

const DIGEST: &str = "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8";

/// A value as the table has it, written as JSON; bytes read `{ "B": ".." }`.
fn attribute(value: &Json) -> Value {
    match value {
        Json::Null => Value::Null(true),
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => Value::N(number.to_string()),
        Json::String(text) => Value::S(text.clone()),
        Json::Array(values) => Value::L(values.iter().map(attribute).collect()),
        Json::Object(map) => match map.get("B").and_then(Json::as_str) {
            Some(hex) => Value::B(Digest::from_hex(hex).unwrap().as_bytes().to_vec()),
            None => Value::M(map.iter().map(|(name, value)| (name.clone(), attribute(value))).collect()),
        },
    }
}

/// A token's item as deployments hold it.
fn stored() -> Item {
    let terms = json!({"i": 7_776_000, "r": 2_592_000, "v": 86_400});
    let value = json!({
        "id": "0123456789abcdef", "user": "ci", "name": "deploy", "description": "Deploys", "roles": ["reader"],
        "labels": {"team": "web"}, "allowed_ips": ["192.0.2.0/24"], "created": 1_772_366_400_000_i64,
        "created_by": "operator:ada", "managed_by": "acme",
        "terms": {"expires_in": 7_776_000, "rotate_every": 2_592_000, "overlap": 86_400},
        "places": {"3ccc5d7701158488": {
            "w": {"k": "dotenv", "g": [["machine", "host"], ["path", "/srv/.env"], ["name", "TOKEN"]], "b": true},
            "y": true, "z": "r1", "u": 2,
        }},
        "versions": [
            {
                "n": 2, "d": {"B": DIGEST}, "s": "current", "c": 1_772_366_400_000_i64, "p": 1_772_366_460_000_i64,
                "x": 1_780_142_460_000_i64, "a": 1_772_366_430_000_i64, "t": terms,
                "l": {"3ccc5d7701158488": {"a": 1_772_366_430_000_i64, "e": 1_772_366_431_000_i64}},
            },
            {"n": 3, "d": {"B": DIGEST}, "s": "staged", "c": 1_772_452_800_000_i64},
        ],
        "retired": [{"n": 1, "f": "0a1b2c3d4e5f"}], "highest": 3, "revision": 9,
        "use_2": {"first": 1_772_366_500_000_i64, "last": 1_772_370_100_000_i64, "ip": "192.0.2.1"},
        "managed": "M#acme", "due": "DUE#2", "due_at": "001774958460000",
    });
    let Value::M(item) = attribute(&value) else { unreachable!("an object") };
    item
}

#[test]
fn what_deployments_hold_is_read_and_written_as_it_is() {
    let token = decode_token(stored()).unwrap();
    assert_eq!(token.key().to_string(), "ci/deploy");
    assert_eq!(token.versions[0].digest, KnownDigest::Whole(Digest::from_hex(DIGEST).unwrap()));
    assert_eq!(token.versions[0].fingerprint().as_str(), &DIGEST[..12]);
    assert_eq!(token.versions[0].state, VersionState::Current);
    assert_eq!(token.number_of(&"0a1b2c3d4e5f".parse().unwrap()), Some(1));
    let days = Seconds::days;
    let terms = Terms { expires_in: days(90), rotate_every: days(30), overlap: days(1) };
    assert_eq!((token.terms, token.versions[0].terms), (Some(terms), Some(terms)));
    assert_eq!(encode_token(&token).unwrap(), stored());
}

/// What is not wholly known is stored nowhere, neither as nothing nor as something else.
#[test]
fn a_version_without_its_digest_is_neither_stored_nor_read() {
    let fingerprint: Fingerprint = DIGEST[..12].parse().unwrap();
    let mut token = decode_token(stored()).unwrap();
    token.versions[1].digest = KnownDigest::Fingerprint(fingerprint);
    assert!(matches!(encode_token(&token), Err(TableError::Codec(text)) if text.contains("without its digest")));
    let mut item = stored();
    let Some(Value::L(versions)) = item.get_mut("versions") else { panic!("no versions") };
    let Value::M(version) = &mut versions[0] else { panic!("no version") };
    version.remove("d");
    assert!(matches!(decode_token(item), Err(TableError::Codec(_))));
}

#[test]
fn a_new_token_has_as_few_attributes_as_it_can() {
    let key = TokenKey::new("ana".parse().unwrap(), "laptop".parse().unwrap());
    let token =
        Token::new("0123456789abcdef".parse().unwrap(), key, "ana/old", "2026-03-01T12:00:00Z".parse().unwrap());
    let value = json!({
        "id": "0123456789abcdef", "user": "ana", "name": "laptop", "roles": [], "created": 1_772_366_400_000_i64,
        "created_by": "ana/old", "versions": [], "highest": 0, "revision": 1,
    });
    assert_eq!(Value::M(encode_token(&token).unwrap()), attribute(&value));
    assert_eq!(decode_token(encode_token(&token).unwrap()).unwrap(), token);
}

#[test]
fn short_names_are_told_apart_and_come_back() {
    assert_eq!(SHORT.iter().map(|(_, short)| short).collect::<BTreeSet<_>>().len(), SHORT.len());
    assert_eq!(SHORT.iter().map(|(long, _)| long).collect::<BTreeSet<_>>().len(), SHORT.len());
    for (long, short) in SHORT {
        assert_eq!((shorter(long), longer(short)), (Some(short), Some(long)));
        assert_eq!((shorter(short), longer(long)), (None, None), "no name is both");
    }
}

/// What is noted beside the record, and outside its revision, is an attribute of its own.
#[test]
fn addresses_and_what_was_told_are_read_and_written_as_they_are() {
    let mut item = stored();
    let addresses = vec!["192.0.2.1".to_owned(), "2001:db8:1:2::/64".to_owned()];
    item.insert("use_addresses".to_owned(), Value::Ss(addresses.clone()));
    let told = json!({"n": 2, "x": 1_780_142_460_000_i64, "m": 7, "o": true, "f": 1_780_000_000_000_i64});
    item.insert("told".to_owned(), attribute(&told));
    let token = decode_token(item.clone()).unwrap();
    assert_eq!(token.addresses.iter().collect::<Vec<_>>(), addresses.iter().collect::<Vec<_>>());
    assert_eq!((token.uses.len(), token.told.as_ref().unwrap().mark), (1, Some(7)));
    let written = encode_token(&token).unwrap();
    for (name, value) in &item {
        // What was told decides what is told next, and so when it is due.
        assert_eq!(written.get(name).filter(|_| name != DUE_SK), Some(value).filter(|_| name != DUE_SK), "{name}");
    }
    assert_eq!(written.len(), item.len());
}
