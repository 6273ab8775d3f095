//! Where JSON values begin and end, told from brackets and quotes alone.
//!
//! A line should be one object. Some programs leave the line feeds out, or write a list of records: then a
//! line has several values, and what stands between them (blanks, commas, brackets of the list) is no data.
//! Whether a value is valid JSON is for others to see.
//!
//! A broken value, such as one that was cut, should not take the records behind it along. So a record also
//! begins where `{"` stands in a value and JSON has no object there: a valid value has no such place. Each
//! byte is looked at once.

use crate::lines::MAX_ROW_BYTES;

/// How records begin.
const BEGIN: &[u8] = b"{\"";

/// A value, or what cannot be part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Whole(&'a [u8]),
    /// One that is longer than a row may be.
    TooLong,
}

/// Cuts values out of a line, as its bytes come.
#[derive(Debug, Default)]
pub(crate) struct Values {
    state: State,
    /// How deep in lists the values are.
    lists: u32,
    /// Whether an object began on this line.
    has_object: bool,
    /// The objects and lists that are open in the value at hand.
    open: Open,
    /// The last byte of the value at hand that is neither blank nor in a string; for a string, its quote.
    last: u8,
    /// Whether the next record may begin with the bytes just before the next one.
    suspect: Suspect,
    /// What came of the value at hand.
    value: Vec<u8>,
    is_too_long: bool,
}

/// Where the next byte stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Between values.
    #[default]
    Between,
    /// In a number or a literal of a list, or behind a string of it.
    Word,
    /// In a value, but not in a string of it.
    Inside,
    /// In a string. Holds whether the byte before is an opening brace.
    Text(bool),
    /// Behind a backslash in a string.
    Escape,
    /// In what is no JSON.
    Rest,
}

/// What may be the beginning of the next record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Suspect {
    #[default]
    Nothing,
    /// An opening brace where JSON has no object. A quote behind it begins a record.
    Brace,
    /// An opening brace and the quote that ended its string. If no string can end there, a record began.
    Text,
}

/// What a byte does to the value at hand.
enum Step {
    Outside,
    Inside,
    /// It is the last one of the value.
    Last,
    /// The value ended before it.
    After,
    /// The value ended so many bytes before it, and a record began.
    Begun(usize),
}

impl Values {
    /// Calls `each` with every value that `bytes` completes.
    pub(crate) fn push<E>(
        &mut self,
        bytes: &[u8],
        mut each: impl FnMut(Value<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut begin = 0;
        for (at, byte) in bytes.iter().enumerate() {
            match self.step(*byte) {
                Step::Outside => begin = at + 1,
                Step::Inside => {}
                Step::Last => {
                    self.keep(&bytes[begin..=at]);
                    begin = at + 1;
                    self.hand_on(&mut each)?;
                }
                Step::After => {
                    self.keep(&bytes[begin..at]);
                    begin = at + 1;
                    self.hand_on(&mut each)?;
                }
                Step::Begun(before) => {
                    self.keep(&bytes[begin..at]);
                    begin = at;
                    self.value.truncate(self.value.len().saturating_sub(before));
                    self.hand_on(&mut each)?;
                    self.value.extend(&BEGIN[..before]);
                }
            }
        }
        self.keep(&bytes[begin..]);
        Ok(())
    }

    /// Calls `each` with what is left at the end of the line.
    pub(crate) fn finish<E>(
        mut self,
        mut each: impl FnMut(Value<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.state == State::Between { Ok(()) } else { self.hand_on(&mut each) }
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.is_too_long || self.value.len() + bytes.len() > MAX_ROW_BYTES {
            self.is_too_long = true;
            self.value = Vec::new();
        } else {
            self.value.extend_from_slice(bytes);
        }
    }

    fn hand_on<E>(&mut self, each: &mut impl FnMut(Value<'_>) -> Result<(), E>) -> Result<(), E> {
        let is_too_long = std::mem::take(&mut self.is_too_long);
        each(if is_too_long { Value::TooLong } else { Value::Whole(&self.value) })?;
        self.value.clear();
        Ok(())
    }

    fn step(&mut self, byte: u8) -> Step {
        match std::mem::take(&mut self.suspect) {
            Suspect::Brace if byte == b'"' => {
                self.begin_record();
                return Step::Begun(1);
            }
            Suspect::Text if !follows_text(byte) => {
                self.begin_record();
                self.step_in_text(byte, false);
                return Step::Begun(2);
            }
            Suspect::Nothing | Suspect::Brace | Suspect::Text => {}
        }
        match self.state {
            State::Between => return self.begin(byte),
            State::Word if matches!(byte, b',' | b']' | b' ' | b'\t' | b'\r') => {
                self.state = State::Between;
                self.begin(byte);
                return Step::After;
            }
            State::Word if is_word(byte) => {}
            State::Word | State::Rest => self.step_in_rest(byte),
            State::Inside => return self.step_inside(byte),
            State::Text(after_brace) => self.step_in_text(byte, after_brace),
            State::Escape => self.state = State::Text(byte == b'{'),
        }
        Step::Inside
    }

    fn step_in_text(&mut self, byte: u8, after_brace: bool) {
        self.state = match byte {
            b'"' => {
                self.last = byte;
                self.suspect = if after_brace { Suspect::Text } else { Suspect::Nothing };
                if self.open.depth == 0 { State::Word } else { State::Inside }
            }
            b'\\' => State::Escape,
            _ => State::Text(byte == b'{'),
        };
    }

    fn step_inside(&mut self, byte: u8) -> Step {
        match byte {
            b' ' | b'\t' | b'\r' => return Step::Inside,
            b'"' => self.state = State::Text(false),
            b'{' | b'[' => {
                let is_value = match self.last {
                    b':' | b'[' => true,
                    b',' => !self.open.is_in_object(),
                    _ => false,
                };
                if byte == b'{' && !is_value {
                    self.suspect = Suspect::Brace;
                }
                self.open.push(byte == b'{');
            }
            b'}' | b']' => {
                self.open.close(byte == b'}');
                if self.open.depth == 0 {
                    self.state = State::Between;
                    return Step::Last;
                }
            }
            // A comma with nothing before it separates nothing.
            b',' if matches!(self.last, b'{' | b'[' | b':' | b',') => {
                self.last = 0;
                return Step::Inside;
            }
            _ => {}
        }
        self.last = byte;
        Step::Inside
    }

    /// Looks at a byte of what is no JSON. Where no object is before it, the line may be of another kind, a log's
    /// say, and what looks like a record is none; and behind a name or in a list it is a part of one.
    fn step_in_rest(&mut self, byte: u8) {
        self.state = State::Rest;
        let is_of_records = self.has_object || (self.lists > 0 && self.last == b',');
        if byte == b'{' && is_of_records && !matches!(self.last, b':' | b'[') {
            self.suspect = Suspect::Brace;
        }
        if !is_blank(byte) {
            self.last = byte;
        }
    }

    /// Looks at a byte between values.
    fn begin(&mut self, byte: u8) -> Step {
        match byte {
            // The control character begins each text of a sequence (RFC 7464).
            b',' | b' ' | b'\t' | b'\r' | b'\n' | 0x1e => return Step::Outside,
            // What is left over of a broken value.
            b'}' if self.has_object => return Step::Outside,
            b'[' => {
                self.lists = self.lists.saturating_add(1);
                return Step::Outside;
            }
            b']' => {
                self.lists = self.lists.saturating_sub(1);
                return Step::Outside;
            }
            _ => {}
        }
        self.open = Open::default();
        self.last = byte;
        self.state = match byte {
            b'{' => {
                self.has_object = true;
                self.open.push(true);
                State::Inside
            }
            b'"' if self.lists > 0 => State::Text(false),
            _ if self.lists > 0 && is_word(byte) => State::Word,
            _ => State::Rest,
        };
        Step::Inside
    }

    /// Goes on in the first name of a record.
    fn begin_record(&mut self) {
        self.open = Open::default();
        self.open.push(true);
        self.last = b'"';
        self.state = State::Text(false);
    }
}

/// The objects and lists that are open in a value, from the outermost.
#[derive(Debug, Default)]
struct Open {
    depth: u32,
    /// Which of the outermost ones are objects, one bit each. What is deeper is not known.
    objects: u64,
}

impl Open {
    fn push(&mut self, is_object: bool) {
        if is_object && self.depth < u64::BITS {
            self.objects |= 1 << self.depth;
        }
        self.depth = self.depth.saturating_add(1);
    }

    /// Closes the innermost object or list, and what is open in it; nothing if there is none.
    fn close(&mut self, is_object: bool) {
        if self.depth > u64::BITS {
            self.depth -= 1;
            return;
        }
        let known = u64::MAX.checked_shr(u64::BITS - self.depth).unwrap_or(0);
        let of_kind = if is_object { self.objects } else { known & !self.objects };
        if let Some(level) = of_kind.checked_ilog2() {
            self.depth = level;
            self.objects &= (1 << level) - 1;
        }
    }

    fn is_in_object(&self) -> bool {
        (1..=u64::BITS).contains(&self.depth) && self.objects >> (self.depth - 1) & 1 == 1
    }
}

/// Returns true if a byte may stand behind a string in an object or a list.
fn follows_text(byte: u8) -> bool {
    matches!(byte, b':' | b',' | b'}' | b']') || is_blank(byte)
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r')
}

/// Returns true if a byte may stand in a number, `true`, `false` or `null`.
fn is_word(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'E') || b"nulltruefalse".contains(&byte)
}

/// Calls `each` with every value of a line.
pub(crate) fn values<E>(
    line: &[u8],
    mut each: impl FnMut(Value<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let mut values = Values::default();
    values.push(line, &mut each)?;
    values.finish(each)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::{prelude::*, sample::Index};
    use serde_json::Value as Json;

    use super::*;

    fn cut(pieces: &[&[u8]]) -> Vec<String> {
        let (mut values, mut found) = (Values::default(), Vec::new());
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
}
