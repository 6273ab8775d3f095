//! Where JSON values begin and end, told from brackets and quotes alone.
//!
//! A line should be one object. Some programs leave the line feeds out, or write a list of records: then a
//! line has several values, and what stands between them (blanks, commas, brackets of the list) is no data.
//! Whether a value is valid JSON is for others to see.

use crate::lines::MAX_ROW_BYTES;

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
    /// In a number or a literal of a list.
    Word,
    /// In a value, in that many objects and lists of it.
    Inside(u32),
    /// In a string, likewise.
    Text(u32),
    /// Behind a backslash in a string.
    Escape(u32),
    /// In what is no JSON, which is one value with the rest of the line.
    Rest,
}

/// What a byte does to the value at hand.
enum Step {
    Outside,
    Inside,
    /// It is the last one of the value.
    Last,
    /// The value ended before it.
    After,
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
        let (state, step) = match (self.state, byte) {
            (State::Between, _) => return self.begin(byte),
            (State::Word, b',' | b']' | b' ' | b'\t' | b'\r') => {
                self.state = State::Between;
                self.begin(byte);
                return Step::After;
            }
            (State::Word, _) if is_word(byte) => (State::Word, Step::Inside),
            (State::Word | State::Rest, _) => (State::Rest, Step::Inside),
            (State::Inside(depth), b'"') => (State::Text(depth), Step::Inside),
            (State::Inside(depth), b'{' | b'[') => {
                (State::Inside(depth.saturating_add(1)), Step::Inside)
            }
            (State::Inside(1), b'}' | b']') | (State::Text(0), b'"') => {
                (State::Between, Step::Last)
            }
            (State::Inside(depth), b'}' | b']') => (State::Inside(depth - 1), Step::Inside),
            (State::Inside(depth), _) | (State::Text(depth), b'"') => {
                (State::Inside(depth), Step::Inside)
            }
            (State::Text(depth), b'\\') => (State::Escape(depth), Step::Inside),
            (State::Text(depth) | State::Escape(depth), _) => (State::Text(depth), Step::Inside),
        };
        self.state = state;
        step
    }

    /// Looks at a byte between values.
    fn begin(&mut self, byte: u8) -> Step {
        match byte {
            // The control character begins each text of a sequence (RFC 7464).
            b',' | b' ' | b'\t' | b'\r' | b'\n' | 0x1e => return Step::Outside,
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
        self.state = match byte {
            b'{' => State::Inside(1),
            b'"' if self.lists > 0 => State::Text(0),
            _ if self.lists > 0 && is_word(byte) => State::Word,
            _ => State::Rest,
        };
        Step::Inside
    }
}

/// Tells whether a byte may stand in a number, `true`, `false` or `null`.
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

    use proptest::prelude::*;

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
            (r#"{"a":1}oops{"b":2}"#, &[r#"{"a":1}"#, r#"oops{"b":2}"#]),
            (r#""text" {"a":1}"#, &[r#""text" {"a":1}"#]),
            ("[INFO] {}", &["INFO] {}"]),
            (r#"{"a":{"b":1}"#, &[r#"{"a":{"b":1}"#]),
            // After what is no value, nothing can be told apart.
            (r#"[nullx,{"b":2}]"#, &[r#"nullx,{"b":2}]"#]),
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

    proptest! {
        #[test]
        fn how_bytes_arrive_does_not_matter(line in "[a1{}\\[\\]\", \\\\]{0,40}", size in 1_usize..9) {
            let pieces: Vec<&[u8]> = line.as_bytes().chunks(size).collect();
            prop_assert_eq!(cut(&pieces), cut(&[line.as_bytes()]));
        }

        #[test]
        fn whatever_is_data_is_in_a_value(line in "[a1{}\\[\\]\", \\\\]{0,40}") {
            let data = |text: &str| text.chars().filter(|c| !"[], ".contains(*c)).count();
            let found: usize = cut(&[line.as_bytes()]).iter().map(|value| data(value)).sum();
            prop_assert_eq!(found, data(&line));
        }
    }
}
