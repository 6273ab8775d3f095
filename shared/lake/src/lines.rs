//! Lines of a decoded object, each in memory as a whole, none larger than a row may be.

/// The longest row that is exported, in bytes.
pub(crate) const MAX_ROW_BYTES: usize = 16 << 20;

/// What is wrong with a longer one.
pub(crate) const TOO_LONG: &str = "it has more than 16 MiB, the most that a row may have";

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What stands on a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line<'a> {
    /// The line without its end.
    Whole(&'a [u8]),
    /// More than a row may be.
    TooLong,
}

/// Where a line stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// Its number, from 1.
    pub(crate) number: u64,
    /// The first byte after its end, counted from 0.
    pub(crate) end: u64,
}

/// Puts lines together from bytes as they come. The last line needs no end; a line may end in LF or
/// CRLF; a byte order mark at the beginning is left out.
#[derive(Default)]
pub(crate) struct Lines {
    begun: Begun,
    place: Place,
    /// How many bytes came.
    read: u64,
}

impl Lines {
    /// Calls `each` with every line that `bytes` completes.
    pub(crate) fn push<E>(
        &mut self,
        bytes: &[u8],
        mut each: impl FnMut(Place, Line<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let begin = self.read;
        self.read += bytes.len() as u64;
        let mut rest = bytes;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let after = bytes.len() - rest.len() + end + 1;
            self.place = Place { number: self.place.number + 1, end: begin + after as u64 };
            if self.begun.is_empty() && !self.begun.too_long {
                each(self.place, trimmed(self.place.number, &rest[..end]))?;
            } else {
                self.begun.push(&rest[..end]);
                each(self.place, self.begun.line(self.place.number))?;
                self.begun.clear();
            }
            rest = &rest[end + 1..];
        }
        self.begun.push(rest);
        Ok(())
    }

    /// Calls `each` with the last line, if it has no end.
    pub(crate) fn finish<E>(
        self,
        mut each: impl FnMut(Place, Line<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.begun.is_empty() && !self.begun.too_long {
            return Ok(());
        }
        let number = self.place.number + 1;
        each(Place { number, end: self.read }, self.begun.line(number))
    }
}

/// The part of a line that was read so far.
#[derive(Default)]
struct Begun {
    bytes: Vec<u8>,
    too_long: bool,
}

impl Begun {
    fn push(&mut self, bytes: &[u8]) {
        if self.too_long || self.bytes.len() + bytes.len() > MAX_ROW_BYTES {
            self.too_long = true;
            self.bytes = Vec::new();
        } else {
            self.bytes.extend(bytes);
        }
    }

    fn line(&self, number: u64) -> Line<'_> {
        if self.too_long { Line::TooLong } else { trimmed(number, &self.bytes) }
    }

    fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.too_long = false;
    }
}

fn trimmed(number: u64, line: &[u8]) -> Line<'_> {
    let line = if number == 1 { line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line) } else { line };
    Line::Whole(line.strip_suffix(b"\r").unwrap_or(line))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The lines of what comes in these pieces.
    fn lines<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
        let (mut lines, mut found) = (Lines::default(), Vec::new());
        let mut each = |place: Place, line: Line<'_>| {
            assert_eq!(place.number, found.len() as u64 + 1);
            found.push(match line {
                Line::Whole(line) => line.to_vec(),
                Line::TooLong => b"too long".to_vec(),
            });
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
    fn a_byte_order_mark_is_no_part_of_the_first_line() {
        assert_eq!(lines([&b"\xef\xbb\xbf{}\r\n{}"[..]]), [b"{}", b"{}"]);
    }
}
