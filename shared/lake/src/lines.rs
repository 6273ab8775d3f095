//! Splits decoded bytes into lines. A line that is longer than a row may be is not held: its values are passed on
//! one by one.

use crate::values::{MAX_ROW_BYTES, Value, ValueSplitter};

/// What is wrong with a longer one.
pub(crate) const TOO_LONG: &str = "it has more than 16 MiB, the most that a row may have";

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What stands on a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line<'a> {
    /// The line without its end.
    Whole(&'a [u8]),
    /// A value on a line that is longer than a row may be. Its line is handed on as a blank one at its end.
    Part(Value<'a>),
}

/// Where a line stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LinePosition {
    /// Its number, from 1.
    pub(crate) number: u64,
    /// The first byte after its end, counted from 0; of no meaning for a part of a line.
    pub(crate) end: u64,
}

/// Puts lines together from bytes as they come. The last line needs no end; a line may end in LF or
/// CRLF; a byte order mark at the beginning is left out.
#[derive(Default)]
pub(crate) struct LineSplitter {
    begun: Begun,
    position: LinePosition,
    /// How many bytes came.
    read: u64,
}

impl LineSplitter {
    /// Calls `each` with every line that `bytes` completes.
    pub(crate) fn push<E>(
        &mut self,
        bytes: &[u8],
        mut each: impl FnMut(LinePosition, Line<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let begin = self.read;
        self.read += bytes.len() as u64;
        let mut rest = bytes;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let after = bytes.len() - rest.len() + end + 1;
            self.position =
                LinePosition { number: self.position.number + 1, end: begin + after as u64 };
            if self.begun.is_empty() {
                each(self.position, trimmed(self.position.number, &rest[..end]))?;
            } else {
                self.begun.push(self.position, &rest[..end], &mut each)?;
                self.begun.finish(self.position, &mut each)?;
            }
            rest = &rest[end + 1..];
        }
        if rest.is_empty() {
            return Ok(());
        }
        let position = LinePosition { number: self.position.number + 1, end: self.read };
        self.begun.push(position, rest, &mut each)
    }

    /// Calls `each` with the last line, if it has no end.
    pub(crate) fn finish<E>(
        mut self,
        each: impl FnMut(LinePosition, Line<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.begun.is_empty() {
            return Ok(());
        }
        let position = LinePosition { number: self.position.number + 1, end: self.read };
        self.begun.finish(position, each)
    }
}

/// The part of a line that was read so far.
#[derive(Default)]
struct Begun {
    bytes: Vec<u8>,
    /// What cuts the line into values, once it is too long to be held.
    values: Option<ValueSplitter>,
}

impl Begun {
    fn push<E>(
        &mut self,
        position: LinePosition,
        bytes: &[u8],
        mut each: impl FnMut(LinePosition, Line<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.values.is_none() && self.bytes.len() + bytes.len() <= MAX_ROW_BYTES {
            self.bytes.extend_from_slice(bytes);
            return Ok(());
        }
        let values = self.values.get_or_insert_default();
        let mut part = |value: Value<'_>| each(position, Line::Part(value));
        let begun = std::mem::take(&mut self.bytes);
        values.push(unmarked(position.number, &begun), &mut part)?;
        values.push(bytes, part)
    }

    fn finish<E>(
        &mut self,
        position: LinePosition,
        mut each: impl FnMut(LinePosition, Line<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if let Some(values) = self.values.take() {
            values.finish(|value| each(position, Line::Part(value)))?;
        }
        each(position, trimmed(position.number, &self.bytes))?;
        self.bytes.clear();
        Ok(())
    }

    fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.values.is_none()
    }
}

fn trimmed(number: u64, line: &[u8]) -> Line<'_> {
    let line = unmarked(number, line);
    Line::Whole(line.strip_suffix(b"\r").unwrap_or(line))
}

fn unmarked(number: u64, line: &[u8]) -> &[u8] {
    if number == 1 { line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line) } else { line }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The lines of what comes in these pieces.
    fn lines<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
        let (mut lines, mut found) = (LineSplitter::default(), Vec::<Vec<u8>>::new());
        let (mut number, mut ended) = (1, true);
        let mut each = |position: LinePosition, line: Line<'_>| {
            assert_eq!(position.number, number);
            match line {
                Line::Whole(line) if ended => found.push(line.to_vec()),
                Line::Whole(line) => assert!(line.is_empty()),
                Line::Part(Value::Whole(value)) => found.push(value.to_vec()),
                Line::Part(Value::TooLong) => found.push(b"too long".to_vec()),
            }
            ended = matches!(line, Line::Whole(_));
            number += u64::from(ended);
            Ok::<_, ()>(())
        };
        for piece in pieces {
            lines.push(piece, &mut each).unwrap();
        }
        lines.finish(each).unwrap();
        found
    }

    proptest! {
        #[test]
        fn lines_do_not_depend_on_how_bytes_arrive(
            text in "[ab\n\r]{0,60}", size in 1_usize..7
        ) {
            let mut want: Vec<&str> = text.split('\n').collect();
            if want.last() == Some(&"") {
                want.pop();
            }
            let want: Vec<Vec<u8>> =
                want.into_iter().map(|line| line.strip_suffix('\r').unwrap_or(line).into()).collect();
            prop_assert_eq!(lines(text.as_bytes().chunks(size)), want);
        }
    }

    #[test]
    fn a_line_beyond_the_limit_is_told_and_the_next_is_whole() {
        let long = vec![b'x'; MAX_ROW_BYTES + 1];
        let input = [b"a\n".as_slice(), &long, b"\nb"].concat();
        assert_eq!(
            lines(input.chunks(100_000)),
            [b"a".to_vec(), b"too long".to_vec(), b"b".to_vec()]
        );
    }

    #[test]
    fn a_line_of_the_longest_row_is_whole() {
        // Cut into values, it would be many.
        let row = format!("[1,{}]", "2,".repeat((MAX_ROW_BYTES - 6) / 2) + "33");
        assert_eq!(row.len(), MAX_ROW_BYTES);
        let found = lines(format!("{row}\nb").as_bytes().chunks(100_000));
        assert!(found == [row.into_bytes(), b"b".to_vec()], "{}", found.len());
    }

    #[test]
    fn values_of_a_line_beyond_the_limit_come_one_by_one() {
        let (value, count) = (format!("{{\"a\":\"{}\"}}", "x".repeat(1 << 20)), 40);
        let input = format!("{{}}\n[{}]\n{{}}", vec![&value[..]; count].join(","));
        let mut want = vec![value.into_bytes(); count];
        want.insert(0, b"{}".to_vec());
        want.push(b"{}".to_vec());
        assert!(lines(input.as_bytes().chunks(100_000)) == want);
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_line() {
        assert_eq!(lines([&b"\xef\xbb\xbf{}\r\n{}"[..]]), [b"{}", b"{}"]);
    }
}
