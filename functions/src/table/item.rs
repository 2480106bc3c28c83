//! Items as every engine has them: attributes by name, each of one of DynamoDB's types.

use std::collections::HashMap;
use std::str::FromStr;

/// The value of an attribute, as DynamoDB types it. Its JSON is DynamoDB's own, such as `{"S":"text"}`.
pub use serde_dynamo::AttributeValue as Value;

/// The attributes of an item, its key included.
pub type Item = HashMap<String, Value>;

/// How large an item may be, in bytes as [`size`] counts them: DynamoDB's bound.
pub const ITEM_MAX: usize = 400 * 1024;

/// A text attribute; `None` where there is none.
pub fn text<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    match item.get(name)? {
        Value::S(text) => Some(text),
        _ => None,
    }
}

/// A number attribute; `None` where there is none that fits the type.
pub fn number<T: FromStr>(item: &Item, name: &str) -> Option<T> {
    match item.get(name)? {
        Value::N(number) => number.parse().ok(),
        _ => None,
    }
}

/// A whole number as a value.
pub fn count(number: impl Into<i128>) -> Value {
    Value::N(number.into().to_string())
}

/// The size of an item as DynamoDB counts it, in bytes, after
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html>.
pub fn size(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len() + size_of(value)).sum()
}

fn size_of(value: &Value) -> usize {
    match value {
        Value::S(text) => text.len(),
        // Two digits a byte, and one byte more.
        Value::N(number) => number.len().div_ceil(2) + 1,
        Value::B(bytes) => bytes.len(),
        Value::Bool(_) | Value::Null(_) => 1,
        Value::M(map) => 3 + map.iter().map(|(name, value)| name.len() + size_of(value) + 1).sum::<usize>(),
        Value::L(list) => 3 + list.iter().map(|value| size_of(value) + 1).sum::<usize>(),
        Value::Ss(texts) => texts.iter().map(String::len).sum(),
        Value::Ns(numbers) => numbers.iter().map(|number| number.len().div_ceil(2) + 1).sum(),
        Value::Bs(all) => all.iter().map(Vec::len).sum(),
    }
}
