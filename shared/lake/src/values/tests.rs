//! Values are cut where a full parser would cut them, and a broken one costs no other.

use std::convert::Infallible;

use proptest::{prelude::*, sample::Index};
use serde_json::Value as Json;

use super::*;

fn cut(pieces: &[&[u8]]) -> Vec<String> {
    let (mut values, mut found) = (ValueSplitter::default(), Vec::new());
    let mut each = |value: Value<'_>| {
        found.push(match value {
            Value::Whole(value) => String::from_utf8_lossy(value).into_owned(),
            Value::TooLong => "too long".to_owned(),
        });
        Ok::<_, Infallible>(())
    };
    for piece in pieces {
        values.push(piece, &mut each).unwrap();
    }
    values.finish(each).unwrap();
    found
}

#[test]
fn values_are_cut_where_they_end() {
    for (line, want) in [
        (r#"{"a":1}"#, &[r#"{"a":1}"#][..]),
        (
            r#"{"a":"}{"}{"b":[{}]} {"c":"\"}"}"#,
            &[r#"{"a":"}{"}"#, r#"{"b":[{}]}"#, r#"{"c":"\"}"}"#],
        ),
        (
            r#"[{"a":1}, null,"x,]", -1.5e3,[{"b":2}]]"#,
            &[r#"{"a":1}"#, "null", r#""x,]""#, "-1.5e3", r#"{"b":2}"#],
        ),
        (r#"{"a":1},"#, &[r#"{"a":1}"#]),
        ("[", &[]),
        ("[]", &[]),
        ("[2026-03-01 10:00] {\"a\":1}", &["2026-03-01", "10:00] {\"a\":1}"]),
        ("1,{\"a\":1}", &["1,{\"a\":1}"]),
        (r#""text" {"a":1}"#, &[r#""text" {"a":1}"#]),
        ("[INFO] {}", &["INFO] {}"]),
        (r#"{"a":{"b":1}"#, &[r#"{"a":{"b":1}"#]),
        // Behind what is no value, the next record is looked for.
        (r#"[nullx,{"b":2}]"#, &["nullx,", r#"{"b":2}"#]),
        (r#"[true{"b":2}]"#, &[r#"true{"b":2}]"#]),
        (r#"1 {"b":2}"#, &[r#"1 {"b":2}"#]),
        (r#"[1] null {"b":2}"#, &["1", r#"null {"b":2}"#]),
        (r#"[1,{"a":"#, &["1", r#"{"a":"#]),
        ("\u{1e}{\"a\":1}\u{1e}{}", &["{\"a\":1}", "{}"]),
    ] {
        assert_eq!(cut(&[line.as_bytes()]), want, "{line}");
    }
}

#[test]
fn a_broken_value_costs_no_other_if_the_next_can_be_told() {
    for (line, want) in [
        (r#"{"a":1}oops{"b":2}"#, &[r#"{"a":1}"#, "oops", r#"{"b":2}"#][..]),
        (r#"{"a":1}}{"b":2}"#, &[r#"{"a":1}"#, r#"{"b":2}"#]),
        // Cut in a name, in a text, behind a backslash, in a number, behind a comma.
        (r#"{"a{"b":2}"#, &[r#"{"a"#, r#"{"b":2}"#]),
        (r#"{"a":"x{"b":2}{"c":3}"#, &[r#"{"a":"x"#, r#"{"b":2}"#, r#"{"c":3}"#]),
        (r#"{"a":"\{"b":2}"#, &[r#"{"a":"\"#, r#"{"b":2}"#]),
        (r#"{"a":1{"b":2}"#, &[r#"{"a":1"#, r#"{"b":2}"#]),
        (r#"{"a":1,{"b":2}"#, &[r#"{"a":1,"#, r#"{"b":2}"#]),
        // A quote too many, or a bracket too few.
        (r#"{"a":"5" in","z":1}{"b":2}"#, &[r#"{"a":"5" in","z":1}"#, r#"{"b":2}"#]),
        (r#"{"a":{"x":1}{"b":2}"#, &[r#"{"a":{"x":1}"#, r#"{"b":2}"#]),
        (r#"{"a":[1}{"b":2}"#, &[r#"{"a":[1}"#, r#"{"b":2}"#]),
        (r#"{"a":1],"z":{"x":1}}{"b":2}"#, &[r#"{"a":1],"z":{"x":1}}"#, r#"{"b":2}"#]),
        // In a list.
        (r#"[oops,{"b":2}]"#, &["oops,", r#"{"b":2}"#]),
        (r#"[{"a":"x},{"b":2}]"#, &[r#"{"a":"x},"#, r#"{"b":2}"#]),
        (r#"[{"a":{"x":1},{"b":2}]"#, &[r#"{"a":{"x":1},"#, r#"{"b":2}"#]),
        // It could be a part of the one before.
        (r#"{"a":{"b":2}{"c":3}"#, &[r#"{"a":{"b":2}"#, r#"{"c":3}"#]),
        (r#"[{"a":[1,{"b":2},{"c":3}]"#, &[r#"{"a":[1,{"b":2},{"c":3}]"#]),
        (r#"{"a":1}oops":{"b":2}"#, &[r#"{"a":1}"#, r#"oops":{"b":2}"#]),
    ] {
        assert_eq!(cut(&[line.as_bytes()]), want, "{line}");
    }
}

#[test]
fn nesting_of_any_depth_is_one_value() {
    for depth in [63, 64, 65, 200] {
        let objects = format!("{}1{}", "{\"a\":[".repeat(depth), "]}".repeat(depth));
        let lists = format!("{{\"a\":{}1{}}}", "[".repeat(depth), "]".repeat(depth));
        let line = format!("{objects}{lists}{objects}");
        assert_eq!(cut(&[line.as_bytes()]), [&objects[..], &lists, &objects], "{depth}");
    }
}

#[test]
fn a_broken_value_that_is_too_long_costs_no_other() {
    let long = format!("{{\"a\":\"{}", "x".repeat(MAX_ROW_BYTES));
    let line = format!("{{}}{long}{{\"b\":1}}{{\"c\":1}}");
    for size in [7, 100_000] {
        let pieces: Vec<&[u8]> = line.as_bytes().chunks(size).collect();
        assert_eq!(cut(&pieces), ["{}", "too long", "{\"b\":1}", "{\"c\":1}"]);
    }
}

#[test]
fn a_value_that_is_too_long_costs_no_other() {
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_ROW_BYTES));
    let line = format!("{{}}{long}{{\"b\":1}}");
    let pieces: Vec<&[u8]> = line.as_bytes().chunks(100_000).collect();
    assert_eq!(cut(&pieces), ["{}", "too long", "{\"b\":1}"]);
}

#[test]
fn a_value_may_be_as_long_as_a_row() {
    let value = |len: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(len - 8));
    for (len, want) in [(MAX_ROW_BYTES, None), (MAX_ROW_BYTES + 1, Some("too long"))] {
        let value = value(len);
        let line = format!("{{}}{value}{{}}");
        let pieces: Vec<&[u8]> = line.as_bytes().chunks(1 << 20).collect();
        assert!(cut(&pieces) == ["{}", want.unwrap_or(&value), "{}"], "{len}");
    }
}

/// Records as programs write them, with blanks or without.
fn record() -> impl Strategy<Value = String> {
    let text = prop_oneof![r#"[a-z{}\[\]",:\\ ]{0,8}"#, "[a-z]{0,4}"];
    // Numbers and literals are not looked at, so none can be cut here.
    let leaf = prop_oneof![(0..10).prop_map(Json::from), text.prop_map(Json::from)];
    let object = |inner: BoxedStrategy<Json>| {
        prop::collection::btree_map("[a-z]{1,3}", inner, 1..4)
            .prop_map(|members| Json::Object(members.into_iter().collect()))
    };
    let value = leaf.prop_recursive(3, 12, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            object(inner.boxed())
        ]
    });
    let spaced = |(value, spaced): (Json, bool)| {
        if spaced { format!("{value:#}").replace('\n', " ") } else { value.to_string() }
    };
    (object(value.boxed()), any::<bool>())
        .prop_map(spaced)
        // A record of several lines has a blank behind its first brace.
        .prop_map(|text| text.replacen("{   ", "{", 1).replacen("{  ", "{", 1))
}

/// How records of a line follow each other: what is before them, between them, and after them.
const JOINED: [(&str, &str, &str); 4] =
    [("", "", ""), ("", " ", ""), ("[", ",", "]"), ("\u{1e}", "\u{1e}", "")];

/// Which of these records can be found where some of them were cut, slowly told: one behind a cut one is
/// lost if JSON that begins with both could go on.
fn found_slowly(records: &[(String, bool)], between: &str) -> Vec<String> {
    let may_go_on = |text: &str| {
        serde_json::from_str::<serde::de::IgnoredAny>(text).is_err_and(|error| error.is_eof())
    };
    let (mut found, mut broken) = (Vec::new(), String::new());
    for (record, is_cut) in records {
        let next = format!("{broken}{between}{}", record.chars().take(3).collect::<String>());
        if !broken.is_empty() && may_go_on(&next) {
            broken = format!("{broken}{between}{record}");
        } else if *is_cut {
            broken.clone_from(record);
        } else {
            found.push(record.clone());
            broken.clear();
        }
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    #[test]
    fn a_valid_record_is_never_cut(records in prop::collection::vec(record(), 1..6), joined in 0..JOINED.len()) {
        let (before, between, after) = JOINED[joined];
        let line = format!("{before}{}{after}", records.join(between));
        prop_assert_eq!(cut(&[line.as_bytes()]), records);
    }

    #[test]
    fn records_behind_one_that_was_cut_are_found_if_they_can_be_told(
        records in prop::collection::vec((record(), prop::option::weighted(0.3, any::<Index>())), 1..8),
        joined in 0..JOINED.len(), size in 1_usize..9
    ) {
        let cut_off = |(record, at): (String, Option<Index>)| match at {
            Some(at) => (record[..=at.index(record.len() - 1)].to_owned(), true),
            None => (record, false),
        };
        let records: Vec<(String, bool)> = records.into_iter().map(cut_off).collect();
        let (before, between, after) = JOINED[joined];
        let texts: Vec<&str> = records.iter().map(|(text, _)| &text[..]).collect();
        let line = format!("{before}{}{after}", texts.join(between));
        let pieces: Vec<&[u8]> = line.as_bytes().chunks(size).collect();
        let is_whole = |text: &String| records.iter().any(|(record, is_cut)| !is_cut && record == text);
        let found: Vec<String> = cut(&pieces).into_iter().filter(is_whole).collect();
        prop_assert_eq!(found, found_slowly(&records, between), "{}", line);
    }

    #[test]
    fn whatever_stands_between_records_costs_one_of_them_at_most(
        garbage in r#"[a1{}\[\]:", \\]{0,30}"#, records in prop::collection::vec(record(), 3)
    ) {
        let line = format!("{}{garbage}{}{}", records[0], records[1], records[2]);
        let found = cut(&[line.as_bytes()]);
        prop_assert_eq!(&found[0], &records[0]);
        prop_assert_eq!(found.last(), Some(&records[2]), "{:?}", found);
    }

    #[test]
    fn how_bytes_arrive_does_not_matter(line in "[a1{}\\[\\]\", \\\\]{0,40}", size in 1_usize..9) {
        let pieces: Vec<&[u8]> = line.as_bytes().chunks(size).collect();
        prop_assert_eq!(cut(&pieces), cut(&[line.as_bytes()]));
    }

    #[test]
    fn whatever_is_data_is_in_a_value(line in "[a1{}\\[\\]\", \\\\]{0,40}") {
        let data = |text: &str| text.chars().filter(|c| !"[]}, ".contains(*c)).count();
        let found: usize = cut(&[line.as_bytes()]).iter().map(|value| data(value)).sum();
        prop_assert_eq!(found, data(&line));
    }
}
