//! The scan finds the same as a full parser, or says that it cannot be sure.

use proptest::prelude::*;
use serde_json::{Value, value::RawValue};

use super::*;

const NAMES: [&str; 4] = ["a", "b", "", "longer than eight"];

/// Names that begin alike, up to the longest that are expected and beyond.
const LIKE: [&str; 8] = [
    "",
    "a",
    "ab",
    "abcdefgh",
    "abcdefghijklmnopqrstu",
    "abcdefghijklmnopqrstuv",
    "abcdefghijklmnopqrstuvw",
    "abcdefghijklmnopqrstuvwxyz",
];

/// Rows, as several programs may write them, and some with a byte changed; each with one that may
/// stand before it.
fn rows() -> impl Strategy<Value = (String, String)> {
    let text = prop_oneof!["[a-z\\\\\"\n\u{0}ä日]{0,20}", "[ -~]{0,40}"];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    let key = prop_oneof!["[ab]{0,1}", "longer than eight", "[ä\"]{0,2}"];
    let value = leaf.prop_recursive(3, 12, 4, move |inner| {
        let object = prop::collection::vec((key.clone(), inner.clone()), 0..4);
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Value::from),
            object.prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    });
    let spaced = (value, any::<bool>()).prop_map(|(value, spaced)| {
        if spaced { format!(" {value:#}\t") } else { value.to_string() }
    });
    let twice =
        spaced.clone().prop_map(|text| (text.clone(), format!("{{\"a\":{text},\"a\":{text}}}")));
    let changed =
        (spaced.clone(), any::<prop::sample::Index>(), "[\\[\\]{},:\"0-9a-z\\\\\u{0}+-]{0,2}")
            .prop_map(|(before, at, other)| {
                let mut text = before.clone();
                let at = at.index(text.len());
                let at = (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
                let end = text[at..].chars().next().map_or(at, |c| at + c.len_utf8());
                text.replace_range(at..end, &other);
                (before, text)
            });
    let same = spaced.clone().prop_map(|text| (text.clone(), text));
    prop_oneof![same, (spaced.clone(), spaced), twice, changed]
}

/// Values of every kind, and what is none.
const VALUES: &[&str] = &[
    "0",
    "-0",
    "-1",
    "-",
    "--1",
    "+1",
    "01",
    "-01",
    "00",
    "1.5",
    "1.",
    ".5",
    "-.5",
    "1..5",
    "1e5",
    "1E5",
    "1e+5",
    "1E-5",
    "1e",
    "1e+",
    "1e-",
    "e5",
    "1e5.5",
    "1.e5",
    "1.5e10",
    "12345678",
    "123456789.12345678",
    "1e12345678",
    "true",
    "false",
    "null",
    "tru",
    "truE",
    "fals",
    "nul",
    "nulL",
    "True",
    "truee",
    "[]",
    "[ ]",
    "[1]",
    "[1,2]",
    "[ 1 , 2 ]",
    "[1,]",
    "[,1]",
    "[1 2]",
    "[1",
    "1]",
    "[[],[[]]]",
    "[}",
    "{}",
    "{ }",
    "{\"c\":1}",
    "{ \"c\" : 1 , \"d\" : [2] }",
    "{\"c\":1,}",
    "{,\"c\":1}",
    "{\"c\"}",
    "{\"c\":}",
    "{\"c\" 1}",
    "{1:2}",
    "{\"c\":1]",
    "{\"c\":{\"a\":[{\"b\":null},true]}}",
    "\"\"",
    "\"x\"",
    "\"",
    "\"x",
    "\"\\\"\"",
    "\"\\\\\"",
    "\"\\\"",
    "\"\\/\\b\\f\\n\\r\\t\"",
    "\"\\u00e4\"",
    "\"\\ud83d\"",
    "\"\\u00e\"",
    "\"\\u00g4\"",
    "\"\\x\"",
    "\"\\",
    "\"\n\"",
    "\"\u{1}\"",
    "\"ä日\"",
    "x",
    "",
    "'x'",
];

/// Scans a row for `a` and `b`, after others that were like it and after none. It has to be sure of the
/// row where it is JSON, and must not take it where it is not.
#[track_caller]
fn assert_sure(row: &str) {
    let tree = serde_json::from_str::<std::collections::BTreeMap<&str, &RawValue>>(row).ok();
    for before in ["", r#"{"a":1,"b":"x"}"#, r#"{"z":0,"a":1,"b":2}"#] {
        let names = Names::new(["a", "b"].map(str::to_owned).into());
        scan(before, &names, &mut [None; 2]);
        let mut found = [None; 2];
        assert_eq!(scan(row, &names, &mut found), tree.is_some(), "{row} after {before}");
        if let Some(tree) = &tree {
            let want = ["a", "b"].map(|name| tree.get(name).map(|value| value.get()));
            assert_eq!(found, want, "{row} after {before}");
        }
    }
}

#[test]
fn a_number_is_one_digit_for_digit() {
    // Eight bytes are looked at together.
    for len in 1..=18 {
        for at in 0..len {
            for byte in ' '..='~' {
                let digit = |n: usize| if n == at { byte } else { ['7', '0', '9'][n % 3] };
                let number: String = (0..len).map(digit).collect();
                assert_sure(&format!("{{\"a\":{number},\"b\":\"x\"}}"));
                assert_sure(&format!("{{\"a\":1.{number}}}"));
            }
        }
    }
}

#[test]
fn values_of_every_kind_are_told_from_what_is_none() {
    for value in VALUES {
        for row in [
            format!("{{\"a\":{value}}}"),
            format!("{{\"a\":{value},\"b\":{value}}}"),
            format!("{{\"z\":{value},\"a\":[{value}],\"b\":{{\"c\":{value}}}}}"),
            format!(" {{ \"a\" : {value} , \"b\" :\t{value}\r\n}}\n"),
            format!("{{\"a\": {value} }} "),
            format!("{{\"a\":{value}}}x"),
            format!("{{\"a\":{value}"),
            format!("{{\"a\"{value}}}"),
            format!("{{\"a\":{value} \"b\":1}}"),
            format!("{{\"a\":{value},\"b\":1,}}"),
        ] {
            assert_sure(&row);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn what_it_finds_is_what_a_tree_has((before, row) in rows()) {
        let names = Names::new(NAMES.map(str::to_owned).into());
        scan(&before, &names, &mut vec![None; names.len()]);
        let mut found = vec![None; names.len()];
        let tree = serde_json::from_str::<serde_json::Map<String, Value>>(&row);
        if scan(&row, &names, &mut found) {
            // A tree has no place for all that JSON may have: larger numbers, half a surrogate pair.
            let Ok(tree) = tree else {
                prop_assert!(serde_json::from_str::<&RawValue>(&row).is_ok());
                return Ok(());
            };
            for (index, value) in found.into_iter().enumerate() {
                let value: Option<Value> = value.map(|text| serde_json::from_str(text).unwrap());
                prop_assert_eq!(value.as_ref(), tree.get(NAMES[index]));
            }
        }
    }

    #[test]
    fn names_are_found_wherever_they_stand_in_a_row(
        rows in prop::collection::vec(prop::collection::vec((0..LIKE.len(), "[ -~ä]{0,30}"), 0..12), 2..6)
    ) {
        let wanted: Vec<&str> = LIKE.into_iter().step_by(2).collect();
        let names = Names::new(wanted.iter().map(|&name| name.to_owned()).collect());
        for row in rows {
            let member = |(key, value): &(usize, String)| format!("{:?}:{}", LIKE[*key], Value::from(value.as_str()));
            let row = format!("{{{}}}", row.iter().map(member).collect::<Vec<_>>().join(","));
            let tree: Value = serde_json::from_str(&row).unwrap();
            let mut found = vec![None; names.len()];
            prop_assert!(scan(&row, &names, &mut found));
            for (name, value) in wanted.iter().zip(found) {
                let value: Option<Value> = value.map(|text| serde_json::from_str(text).unwrap());
                prop_assert_eq!(value.as_ref(), tree.get(name));
            }
        }
    }

    #[test]
    fn it_is_sure_of_rows_as_programs_write_them(
        row in prop::collection::hash_map("[a-z$_ä]{0,12}", "[ -~ä\n]{0,20}", 0..20)
    ) {
        let row = serde_json::to_string(&row).unwrap();
        prop_assert!(scan(&row, &Names::default(), &mut []));
    }
}
