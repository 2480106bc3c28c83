//! Parsing and editing of `.env` text.

use proptest::prelude::*;

use super::super::document::{Document, SetError};
use super::super::{agreement, node, scan, spelling};

const NAME: &str = "API_TOKEN";

fn parse(text: &str) -> Document {
    Document::parse(text).unwrap()
}

#[track_caller]
fn check_set(before: &str, after: &str) {
    let mut document = parse(before);
    document.set(NAME, "new").unwrap();
    assert_eq!(*document.to_text(), after);
    assert_eq!(*parse(after).get(NAME).unwrap(), "new");
}

#[track_caller]
fn check_get(text: &str, value: &str) {
    assert_eq!(*parse(text).get(NAME).unwrap(), value);
}

#[track_caller]
fn check_refused(text: &str, line: usize, reason: &str) {
    let error = Document::parse(text).unwrap_err();
    assert_eq!(error.line, line);
    assert!(error.reason.starts_with(reason), "{error}");
    assert!(error.hint().starts_with(&format!("in line {line}: ")));
}

/// Whose line it is that keeps the entry from being set, and why; nothing changes then.
#[track_caller]
fn check_not_set(text: &str, wanted: &str) {
    let mut document = parse(text);
    let error = document.set(NAME, "new").unwrap_err();
    assert!(error.to_string().starts_with(wanted), "{error}");
    assert!(!error.hint().is_empty());
    assert_eq!(*document.to_text(), text);
}

#[test]
fn values_are_read_as_dotenv_libraries_do() {
    check_get("API_TOKEN=abc", "abc");
    check_get("  export\tAPI_TOKEN = abc  # why\r\n", "abc");
    check_get("API_TOKEN=a#b", "a#b");
    check_get("API_TOKEN='a # b' # c", "a # b");
    check_get("API_TOKEN=\"a\\n\\\"b\\\"\"", "a\n\"b\"");
    check_get("API_TOKEN='it\\'s'", "it's");
    check_get("API_TOKEN=`it's \"x\"`", "it's \"x\"");
    check_get("API_TOKEN=\"one\ntwo=2\n\"\nB=1", "one\ntwo=2\n");
    check_get("API_TOKEN=\nAPI_TOKEN=", "");
    check_get("API_TOKEN= # to be filled in", "");
    check_get("\u{feff}API_TOKEN=abc", "abc");
    check_get("'API_TOKEN'=abc", "abc");
    check_get("API_TOKEN=\"a\"/b", "\"a\"/b");
    check_get("A='\nAPI_TOKEN=no\n'\nAPI_TOKEN=yes", "yes");
}

#[test]
fn other_lines_are_no_entries() {
    for text in ["# API_TOKEN=x", "API_TOKEN", "export API_TOKEN", "API_TOKEN: x", "set API_TOKEN=x", "=x", "''=x"] {
        assert!(parse(text).get(NAME).is_none(), "{text}");
    }
}

#[test]
fn an_entry_keeps_its_place_and_its_export() {
    check_set("A=1\nAPI_TOKEN=old\nB=2\n", "A=1\nAPI_TOKEN=new\nB=2\n");
    check_set("export \t API_TOKEN = 'old'\nB=2", "export API_TOKEN=new\nB=2");
    check_set(" \tAPI_TOKEN=old  \t\nB=2\n", "API_TOKEN=new\nB=2\n");
    check_set("'API_TOKEN'=old\nA=1", "API_TOKEN=new\nA=1");
    check_set("\"API_TOKEN\"=old", "API_TOKEN=new");
    check_set("API_TOKEN=<your token>\n", "API_TOKEN=new\n");
    check_set("\u{feff}A=1\nAPI_TOKEN=old\n", "\u{feff}A=1\nAPI_TOKEN=new\n");
}

#[test]
fn a_comment_behind_a_value_goes_to_a_line_of_its_own() {
    check_set("API_TOKEN = 'old'# it's\nA=1 # c\n", "# it's\nAPI_TOKEN=new\nA=1 # c\n");
    check_set("A=1\r\n  export API_TOKEN=old # why\r\nB=2", "A=1\r\n# why\r\nexport API_TOKEN=new\nB=2");
    check_set("API_TOKEN=   # why", "# why\nAPI_TOKEN=new");
    check_set(&format!("export API_TOKEN={OLD}#why\n"), "#why\nexport API_TOKEN=new\n");
    check_set("API_TOKEN=secret#no-note\n", "API_TOKEN=new\n");
}

#[test]
fn our_line_ends_with_a_line_feed_whatever_others_do() {
    check_set("API_TOKEN=\"one\r\ntwo\"\r\n#end\r\n", "API_TOKEN=new\n#end\r\n");
    check_set("A=1\r\nB=2\r\nC=3\n", "A=1\r\nB=2\r\nC=3\nAPI_TOKEN=new\n");
    check_set("A=1\r\n# end", "A=1\r\n# end\nAPI_TOKEN=new\n");
}

#[test]
fn a_new_entry_goes_to_the_end_or_above_what_ends_the_export() {
    check_set("", "API_TOKEN=new\n");
    check_set("A=1", "A=1\nAPI_TOKEN=new\n");
    check_set("set -a\nA=1\nset +a\n# end\n", "set -a\nA=1\nAPI_TOKEN=new\nset +a\n# end\n");
}

#[test]
fn node_finds_the_entry_below_a_line_that_it_does_not_end() {
    const GUARD: &str = "# = (this line lets Node.js read the next one)\n";
    for above in ["A=1\n  \n", "A\n", "A\n\n# c\n", "  # c\n", "A: b\r\n", "A= \n", "A =\t\r\n\n", "\u{feff}# c\n"] {
        let set = format!("{above}{GUARD}API_TOKEN=new\n");
        check_set(above, &set);
        check_set(&format!("{above}API_TOKEN=old\n"), &set);
        check_set(&set, &set);
        let mut document = parse(&set);
        assert_eq!(document.remove(NAME), Ok(true));
        assert_eq!(*document.to_text(), above);
    }
    for above in ["A=\n", "A\nB=1\n", "A\n# =\n", "A= \n# c\n", "\u{feff}A=1\n", "A=\r\n"] {
        check_set(above, &format!("{above}API_TOKEN=new\n"));
    }
}

#[test]
fn equal_duplicates_are_set_together_and_different_ones_refused() {
    check_set("API_TOKEN=old # c\nA=1\nexport API_TOKEN='old'\n", "# c\nAPI_TOKEN=new\nA=1\nexport API_TOKEN=new\n");
    let text = "A='\n'\nAPI_TOKEN=one\n\nAPI_TOKEN=two\n";
    let mut document = parse(text);
    let refused = Err(SetError::Duplicate { name: NAME.to_owned(), first: 3, last: 5 });
    assert_eq!(document.set(NAME, "new"), refused);
    assert_eq!(document.held(NAME).err(), refused.err());
    assert_eq!(*document.to_text(), text);
}

const OLD: &str = "lk_amc7q7333nwjw2wt_00000000000000000000000000000000000000000000vFuxk";

#[test]
fn a_secret_that_only_some_readers_see_is_not_overlooked() {
    let check = |text: &str, wanted: Result<(&str, bool), usize>| {
        let found = match parse(&text.replace("OLD", OLD)).held(NAME) {
            Ok(held) => Ok(held.map(|held| (held.value.to_string(), held.doubtful.is_some())).unwrap()),
            Err(SetError::Elsewhere { line, .. } | SetError::Doubtful { line, .. }) => Err(line),
            Err(other) => panic!("{other}"),
        };
        assert_eq!(found, wanted.map(|(value, doubtful)| (value.to_owned(), doubtful)), "{text}");
    };
    for text in ["API_TOKEN=OLD#c", "API_TOKEN=\"\"OLD", "API_TOKEN=OLD;c", "API_TOKEN=OLD c", "API_TOKEN='OLD\u{a0}'"]
    {
        check(text, Ok((OLD, true)));
    }
    for text in ["API_TOKEN=OLD # c", "API_TOKEN = \"OLD\"", "'API_TOKEN'=OLD\r\n", "export API_TOKEN=`OLD`"] {
        check(text, Ok((OLD, false)));
    }
    for text in ["API_TOKEN=$'OLD'", "API_TOKEN=$A", "API_TOKEN=\"${A}\"#c", "API_TOKEN=\n\n'OLD'", "API_TOKEN: OLD"] {
        check(text, Err(1));
    }
    for text in
        ["readonly API_TOKEN=OLD", "B=1 API_TOKEN=OLD", "API_TOKEN+=OLD", "\u{a0}API_TOKEN=OLD", "B='\nAPI_TOKEN=OLD'"]
    {
        check(&format!("A=1\n{text}"), Err(2));
    }
    for text in
        ["API_TOKEN=a#b", "API_TOKEN=\"it's \\\"x\\\"\"", "# API_TOKEN: OLD\nAPI_TOKEN=x", "B=$API_TOKEN\nAPI_TOKEN=x"]
    {
        assert!(parse(&text.replace("OLD", OLD)).held(NAME).unwrap().unwrap().doubtful.is_none(), "{text}");
    }
    for text in [
        "API_TOKEN=",
        "# API_TOKEN=OLD\nAPI_TOKEN=",
        "B='API_TOKEN=OLD'\nAPI_TOKEN=\"\"",
        "MY_API_TOKEN=OLD\nAPI_TOKEN=",
    ] {
        check(text, Ok(("", false)));
    }
}

#[test]
fn text_that_readers_cut_differently_is_refused() {
    check_refused("A=1\r\nB='open\nC=3", 2, "a quote opens");
    check_refused("A=`open", 1, "a quote opens");
    check_refused("A=\"ends in a backslash\\\"\nB=1", 1, "a quote opens");
    check_refused("A='it\nB=x's", 1, "text follows");
    check_refused("A='it'\\''s'", 1, "text follows");
    check_refused("A=1\n# old\rB=2", 2, "a carriage return");
    check_refused("A=1\n\nB=2\r", 3, "a carriage return");
    check_refused("A='\n\0'", 2, "a NUL");
    check_refused("A=1\n\u{feff}B=2", 2, "a byte order mark");
    for character in ["\u{b}", "\u{c}", "\u{1e}", "\u{85}", "\u{2028}", "\u{2029}"] {
        check_refused(&format!("A=1\n# c{character}B=2"), 2, "a character that some readers");
    }
}

#[test]
fn what_not_every_reader_would_see_alike_is_not_written() {
    let check = |text: &str, name: &str, value: &str, wanted: SetError| {
        let mut document = parse(text);
        assert_eq!(document.set(name, value), Err(wanted));
        assert_eq!(*document.to_text(), text);
    };
    for value in ["a b", "a#b", "a'b", "$a", "a\\", "a\nb", "é", "`a`", "~", "a;b", "(a)", "a&b", "a*"] {
        check("A=1\n", NAME, value, SetError::Value);
    }
    for name in ["", "1A", "A-B", "A B", "A=B", "é", "A\n", "UID", "RANDOM"] {
        check("A=1\n", name, "new", SetError::Name { name: name.to_owned() });
    }
    check("\u{feff}API_TOKEN=old\n", NAME, "new", SetError::ByteOrderMark { name: NAME.to_owned() });
    check("\u{feff}", NAME, "new", SetError::ByteOrderMark { name: NAME.to_owned() });
}

#[test]
fn a_line_that_readers_end_differently_is_named() {
    check_not_set("B='1\n2'\nA=1\\\n", "line 3: it ends with a backslash");
    check_not_set("A=1\\\r\nAPI_TOKEN=old", "line 1: it ends with a backslash");
    check_not_set("A=1\n# end\\\n", "line 2: it ends with a backslash");
    check_not_set("\nA=it's\n", "line 2: a shell reads on");
    check_not_set("API_TOKEN=old\nA=<x>\n", "line 2: a shell reads one of");
    check_not_set("A=${B C}\n", "line 1: a shell expands");
    check_not_set("A=x exit\n", "line 1: a shell runs words");
    check_not_set("export A=b c-d\n", "line 1: a shell stops where");
    check_not_set("# c\n# A=\"b\n", "line 2: phpdotenv");
    check_not_set("A=1\n == b\n", "line 2: Node.js stops");
    check_not_set("A\n# B='c\n", "line 2: Node.js takes the quote");
    check_not_set("A=\"b\\\"\nc\"\n", "line 1: readers differ on where");
}

#[test]
fn removing_takes_every_line_of_the_entry_and_no_other() {
    let mut document = parse("\u{feff}API_TOKEN=\"1\n2\" # x\r\nA=1\r\nexport API_TOKEN=3");
    assert_eq!(document.remove(NAME), Ok(true));
    assert_eq!(*document.to_text(), "\u{feff}A=1\r\n");
    assert_eq!(document.remove(NAME), Ok(false));
    let text = "A=1\\\nAPI_TOKEN=1\nB=2\n";
    let mut document = parse(text);
    assert!(document.remove(NAME).unwrap_err().to_string().starts_with("line 1: it ends with a backslash"));
    assert_eq!(*document.to_text(), text);
}

#[test]
fn nothing_of_the_text_shows_in_debug_or_errors() {
    for text in
        ["canary=1", "A='canary", "A='1'\ncanary\r", "canary==", "A='canary'canary'", "API_TOKEN=canary\nAPI_TOKEN=x"]
    {
        let shown = match Document::parse(text) {
            Ok(mut document) => format!("{document:?} {:?}", document.set(NAME, "canary canary")),
            Err(error) => format!("{error:?} {error}"),
        };
        assert!(!shown.contains("canary"), "{shown}");
    }
}

/// Pieces of which every mean text is made sooner or later.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        6 => prop::sample::select(vec![
            "API_TOKEN", "A", "B", "export ", "=", "=", "=", "'", "\"", "`", "\n", "\n", "\r\n", " ", "\t", "#", "# c",
            "\\", "x", "y z", "é", "\u{feff}", ":", ",", "$A", "\r", "\0", "\u{2028}", "\u{a0}",
        ])
        .prop_map(str::to_owned),
        2 => ("(export )?[AB][ ]?=[ ]?", "(x|'x\ny'|\"\\\\n\"|`z`|'#')?", "( # c)?(\n|\r\n)")
            .prop_map(|(name, value, end)| format!("{name}{value}{end}")),
        1 => any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

const OTHERS: [&str; 4] = ["A", "B", "x", "é"];

fn others(document: &Document) -> Vec<Option<String>> {
    OTHERS.iter().map(|name| document.get(name).map(|value| (*value).clone())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn accepted_text_comes_out_byte_for_byte(text in text()) {
        if let Ok(document) = Document::parse(&text) {
            prop_assert_eq!(&*document.to_text(), &text);
        }
    }

    #[test]
    fn a_set_value_is_read_back_and_everything_else_stays(text in text(), value in "[A-Za-z0-9_./:@%+,=-]{0,12}") {
        let Ok(mut document) = Document::parse(&text) else { return Ok(()) };
        let before = others(&document);
        let known = document.get(NAME).is_some();
        if document.set(NAME, &value).is_err() {
            prop_assert_eq!(&*document.to_text(), &text);
            return Ok(());
        }
        let after = document.to_text();
        let mut again = Document::parse(&after).unwrap();
        for found in [&document, &again] {
            prop_assert_eq!(&*found.get(NAME).unwrap(), &value);
            prop_assert_eq!(&others(found), &before);
        }
        if !known && !text.contains("set +") {
            prop_assert!(after.starts_with(&text));
            // Of a new entry nothing is left but a line ending that the last line did not have.
            prop_assert_eq!(again.remove(NAME), Ok(true));
            let left = again.to_text();
            let added = left.strip_prefix(text.as_str()).unwrap();
            prop_assert!(added.is_empty() || ((added == "\n" || added == "\r\n") && !text.ends_with('\n')));
        }
        // Setting the same again changes nothing.
        document.set(NAME, &value).unwrap();
        prop_assert_eq!(&*document.to_text(), &*after);
        // What was edited answers as what is read anew.
        let mut read = Document::parse(&after).unwrap();
        for name in OTHERS.iter().chain(&["NEXT", NAME]) {
            prop_assert_eq!(document.set(name, "other"), read.set(name, "other"));
            prop_assert_eq!(&*document.to_text(), &*read.to_text());
        }
    }

    #[test]
    fn whether_readers_agree_is_the_same_when_only_lines_of_others_are_looked_into(text in text(), marked in any::<bool>()) {
        let Ok(lines) = scan::lines(&text) else { return Ok(()) };
        let all: Vec<usize> = (0..lines.len()).collect();
        let is_other = |at: &usize| (marked && *at == 0) || !spelling::is_as_written(&lines[*at]);
        let others: Vec<usize> = all.iter().copied().filter(is_other).collect();
        let named = |at: &usize| lines[*at].assignment.as_ref().is_some_and(|assignment| assignment.name == NAME);
        let entries: Vec<usize> = all.iter().copied().filter(named).collect();
        for entries in [&entries[..], &[]] {
            let looked = |into: &[usize]| agreement::check(&lines, into, marked, entries);
            prop_assert_eq!(looked(&others), looked(&all));
        }
        for end in 0..=lines.len() {
            let position = |into: &[usize]| node::position(&lines, into, end, marked);
            prop_assert_eq!(position(&others), position(&all));
        }
    }

    #[test]
    fn a_line_that_nobody_looks_through_sets_no_other_name(
        lines in prop::collection::vec("(export )?[AB_]{1,3}[ ]?[=:][ ]?['\"]?[AB_=:.,+ ;&$-]{0,8}['\"]?( # AB)?", 1..6),
        name in "[AB_]{1,3}|export",
    ) {
        let Ok(lines) = scan::lines(&lines.join("\n")) else { return Ok(()) };
        for line in lines.iter().filter(|line| spelling::is_as_written(line)) {
            prop_assert!(!spelling::may_set(line, &name), "{}", &*line.text);
        }
    }

    #[test]
    fn removing_leaves_the_other_lines_as_they_are(text in text()) {
        let Ok(mut document) = Document::parse(&text) else { return Ok(()) };
        let before = others(&document);
        let known = parse(&text).get(NAME).is_some();
        match document.remove(NAME) {
            Ok(removed) => prop_assert_eq!(removed, known),
            Err(_) => return Ok(()),
        }
        let after = Document::parse(&document.to_text()).unwrap();
        prop_assert!(after.get(NAME).is_none());
        prop_assert_eq!(others(&after), before);
    }
}
