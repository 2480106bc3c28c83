//! What the functions' binaries hold: the handlers of their own routes and no others.

use std::collections::{BTreeMap, BTreeSet};

use latchkey::api::Function;
use regex::bytes::Regex;
use tests::lambda::built;

/// `createToken` is answered by `create_token`.
fn handler(operation: &str) -> String {
    let word = |character: char| {
        let start = if character.is_ascii_uppercase() { "_" } else { "" };
        format!("{start}{}", character.to_ascii_lowercase())
    };
    operation.chars().map(word).collect()
}

#[test]
fn a_function_holds_the_handlers_of_its_own_routes_and_no_others() {
    // Document and page are no handler's: they are texts.
    let operations = |function: &Function| -> BTreeSet<&str> {
        let of_handlers = function.routes().filter(|route| route.path.starts_with("/v1/"));
        of_handlers.map(|route| route.operation).filter(|operation| *operation != "openApi").collect()
    };
    let of_symbols: BTreeMap<String, &str> = Function::ALL
        .iter()
        .flat_map(operations)
        .map(|operation| (handler(operation), operation))
        .map(|(name, operation)| (format!("{}{name}", name.len()), operation))
        .collect();
    // In a symbol each part of a path stands behind its length: `8latchkey3api6create...12create_token`.
    let names = of_symbols.keys().map(String::as_str).collect::<Vec<_>>().join("|");
    let form = format!(r"8latchkey3api[0-9]+[a-z]+(?:[^\x00]{{0,60}}?Api(?:\$GT\$)?)?({names})[^a-z_]");
    let symbol = Regex::new(&form).unwrap();
    let document = Regex::new(r#""operationId": "createToken""#).unwrap();
    for function in &Function::ALL {
        let binary = std::fs::read(built(function.as_str())).unwrap();
        let held: BTreeSet<&str> =
            symbol.captures_iter(&binary).map(|found| of_symbols[std::str::from_utf8(&found[1]).unwrap()]).collect();
        assert_eq!(held, operations(function), "{function}");
        assert_eq!(document.is_match(&binary), *function == Function::LIST, "{function}");
    }
}

/// Its package has a command line, of which nothing is linked.
#[test]
fn the_job_links_no_command_line() {
    let symbol = Regex::new("_ZN[0-9]*clap_builder").unwrap();
    let has = |name: &str| symbol.is_match(&std::fs::read(built(name)).unwrap());
    assert!(has("provision"), "the symbols of a command line are named otherwise");
    assert!(!has("rotate"));
}
