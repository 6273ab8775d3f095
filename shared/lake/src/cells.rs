//! Rows as typed cells, which are encoded column by column where files have types.

use std::{fmt, io};

use export::{ColumnType, TimeFormat, parse_time};

use crate::{decimal::Decimal, text::text_of};

/// A value of a row, as its column's type has it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'a> {
    /// There is none.
    Null,
    /// A text, or the text of JSON.
    Text(&'a str),
    /// A whole number, or the microseconds of an instant since 1970.
    Integer(i64),
    /// A floating-point number.
    Number(f64),
    /// A truth value.
    Boolean(bool),
}

/// Encodes rows so that they need nothing of what stands before or behind them.
pub trait GroupEncoder: fmt::Debug + Send + Sync {
    /// Encodes these rows. The same rows give the same bytes.
    fn encode(&self, rows: Rows) -> io::Result<EncodedGroup>;
}

/// Rows that were encoded together.
#[derive(Debug)]
pub struct EncodedGroup {
    /// Their bytes.
    pub bytes: Vec<u8>,
    /// What the end of a file says of them.
    pub footer: Vec<u8>,
}

/// Rows, one cell after the other.
#[derive(Debug)]
pub struct Rows {
    pub(crate) cells: Vec<u8>,
}

const NULL: u8 = 0;
const TEXT: u8 = 1;
const INTEGER: u8 = 2;
const NUMBER: u8 = 3;
const FALSE: u8 = 4;
const TRUE: u8 = 5;

impl Rows {
    /// Returns all cells, row by row. What follows something else than a cell is left out.
    pub fn cells(&self) -> impl Iterator<Item = Cell<'_>> {
        let mut rest = &self.cells[..];
        std::iter::from_fn(move || next_cell(&mut rest))
    }
}

fn next_cell<'a>(rest: &mut &'a [u8]) -> Option<Cell<'a>> {
    let (tag, after) = rest.split_first()?;
    let (cell, after) = match *tag {
        NULL => (Cell::Null, after),
        FALSE | TRUE => (Cell::Boolean(*tag == TRUE), after),
        INTEGER => {
            let (value, after) = after.split_first_chunk()?;
            (Cell::Integer(i64::from_le_bytes(*value)), after)
        }
        NUMBER => {
            let (value, after) = after.split_first_chunk()?;
            (Cell::Number(f64::from_le_bytes(*value)), after)
        }
        TEXT => {
            let (len, after) = after.split_first_chunk()?;
            let len = usize::try_from(u32::from_le_bytes(*len)).ok()?;
            let (text, after) = after.split_at_checked(len)?;
            (Cell::Text(std::str::from_utf8(text).ok()?), after)
        }
        _ => return None,
    };
    *rest = after;
    Some(cell)
}

/// Appends a value, given as its JSON text. Returns what is wrong with it where it is not written as it is; then it is
/// null, but for texts.
pub(crate) fn push_cell(
    out: &mut Vec<u8>,
    json: Option<&str>,
    kind: ColumnType,
    time: TimeFormat,
) -> Option<&'static str> {
    let Some(json) = json.filter(|json| *json != "null") else {
        out.push(NULL);
        return None;
    };
    let cell = match kind {
        ColumnType::Json => return push_text(out, json),
        ColumnType::String => {
            let value = text_of(json);
            let flaw = push_text(out, &value.text);
            return flaw
                .or((!value.is_unicode).then_some("is not Unicode: it is written with U+FFFD"));
        }
        ColumnType::Integer => integer(&text_of(json).text).map(Cell::Integer),
        ColumnType::Number => number(&text_of(json).text).map(Cell::Number),
        ColumnType::Boolean => match &text_of(json).text[..] {
            "true" => Ok(Cell::Boolean(true)),
            "false" => Ok(Cell::Boolean(false)),
            _ => Err("is neither true nor false: it is null"),
        },
        ColumnType::Time => instant(&text_of(json).text, time).map(Cell::Integer),
    };
    let (cell, flaw) = cell.map_or_else(|flaw| (Cell::Null, Some(flaw)), |cell| (cell, None));
    match cell {
        Cell::Integer(value) => {
            out.push(INTEGER);
            out.extend(value.to_le_bytes());
        }
        Cell::Number(value) => {
            out.push(NUMBER);
            out.extend(value.to_le_bytes());
        }
        Cell::Boolean(value) => out.push(if value { TRUE } else { FALSE }),
        Cell::Null | Cell::Text(_) => out.push(NULL),
    }
    flaw
}

fn push_text(out: &mut Vec<u8>, text: &str) -> Option<&'static str> {
    let Ok(len) = u32::try_from(text.len()) else {
        out.push(NULL);
        return Some("is longer than 4 GiB: it is null");
    };
    out.push(TEXT);
    out.extend(len.to_le_bytes());
    out.extend(text.as_bytes());
    None
}

/// Reads a whole number, also if it is written as `1.0` or `1e3`. It is never rounded.
fn integer(text: &str) -> Result<i64, &'static str> {
    if let Ok(value) = text.parse()
        && !text.starts_with('+')
    {
        return Ok(value);
    }
    let whole = Decimal::parse(text).ok_or("is no number: it is null")?;
    whole.to_i64().ok_or("is no whole number of 64 bits: it is null")
}

/// Reads a number as the nearest of 64 bits, but a whole number only if it is one of these.
fn number(text: &str) -> Result<f64, &'static str> {
    // What Parquet has and JSON has not, as rows of Parquet say it.
    match text {
        "NaN" => return Ok(f64::NAN),
        "Infinity" => return Ok(f64::INFINITY),
        "-Infinity" => return Ok(f64::NEG_INFINITY),
        _ => {}
    }
    let decimal = Decimal::parse(text).ok_or("is no number: it is null")?;
    let value: f64 = text.parse().map_err(|_| "is no number: it is null")?;
    if !value.is_finite() {
        return Err("is too large for a number of 64 bits: it is null");
    }
    let is_whole = !text.contains(['.', 'e', 'E']);
    // Up to 2^53, all are there.
    if is_whole && value.abs() >= 9_007_199_254_740_992.0 && Decimal::of(value) != Some(decimal) {
        return Err("is a whole number that a floating-point number cannot have: it is null");
    }
    Ok(value)
}

/// Reads an instant, as microseconds since 1970. What is shorter than a microsecond is cut off.
fn instant(text: &str, format: TimeFormat) -> Result<i64, &'static str> {
    // Other times of a record may be written otherwise than the one that it is filed by.
    let read = parse_time(text, format).or_else(|| parse_time(text, TimeFormat::Text));
    let at = read.ok_or("is no time that can be read: it is null")?;
    i64::try_from(at.as_nanosecond().div_euclid(1000)).map_err(|_| "is no time: it is null")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(kind: ColumnType, time: TimeFormat, json: &str) -> (String, bool) {
        let mut cells = Vec::new();
        let flaw = push_cell(&mut cells, Some(json), kind, time);
        let rows = Rows { cells };
        let found: Vec<Cell<'_>> = rows.cells().collect();
        assert_eq!(found.len(), 1, "{json}");
        (format!("{:?}", found[0]), flaw.is_some())
    }

    #[test]
    fn values_are_what_their_column_has_or_null_and_never_rounded() {
        use ColumnType::{Boolean, Integer, Json, Number, String, Time};
        for (kind, json, want) in [
            (String, r#""a\"\u00e4""#, r#"Text("a\"ä")"#),
            (String, "1.50", r#"Text("1.50")"#),
            (String, r#"{"a": 1}"#, r#"Text("{\"a\": 1}")"#),
            (String, "null", "Null"),
            (Json, r#"{"a":"\ud83d"}"#, r#"Text("{\"a\":\"\\ud83d\"}")"#),
            (Json, "\"a\"", r#"Text("\"a\"")"#),
            (Integer, "9223372036854775807", "Integer(9223372036854775807)"),
            (Integer, "-9223372036854775808", "Integer(-9223372036854775808)"),
            (Integer, "-0", "Integer(0)"),
            (Integer, "1e3", "Integer(1000)"),
            (Integer, "12.00", "Integer(12)"),
            (Integer, "\"12\"", "Integer(12)"),
            (Number, "0.1", "Number(0.1)"),
            (Number, "12.50", "Number(12.5)"),
            (Number, "9007199254740993.0", "Number(9007199254740992.0)"),
            (Number, "9007199254740992", "Number(9007199254740992.0)"),
            (Number, "100000000000000000000", "Number(1e20)"),
            (Number, "\"NaN\"", "Number(NaN)"),
            (Number, "\"-Infinity\"", "Number(-inf)"),
            (Boolean, "true", "Boolean(true)"),
            (Boolean, "\"false\"", "Boolean(false)"),
            (Time, "\"2026-03-01T10:20:30.123456789+01:00\"", "Integer(1772356830123456)"),
            (Time, "\"1969-12-31T23:59:59.9999999Z\"", "Integer(-1)"),
        ] {
            assert_eq!(cell(kind, TimeFormat::Text, json), (want.to_owned(), false), "{json}");
        }
        assert_eq!(cell(Time, TimeFormat::Seconds, "1.5").0, "Integer(1500000)");
        assert_eq!(
            cell(Time, TimeFormat::Seconds, "\"1970-01-01T00:00:01Z\"").0,
            "Integer(1000000)"
        );
    }

    #[test]
    fn a_value_that_cannot_be_in_its_column_is_null_and_told() {
        use ColumnType::{Boolean, Integer, Number, Time};
        for (kind, json) in [
            (Integer, "9223372036854775808"),
            (Integer, "-9223372036854775809"),
            (Integer, "1e19"),
            (Integer, "1e99999999999"),
            (Integer, "1.5"),
            (Integer, "true"),
            (Integer, "\"\""),
            (Integer, "\"+1\""),
            (Integer, "{}"),
            (Number, "9007199254740993"),
            (Number, "12345678901234567890123"),
            (Number, "1e999"),
            (Number, "\"inf\""),
            (Number, "\"abc\""),
            (Boolean, "1"),
            (Boolean, "\"yes\""),
            (Time, "\"yesterday\""),
            (Time, "20260301"),
        ] {
            let found = cell(kind, TimeFormat::Text, json);
            assert_eq!(found, ("Null".to_owned(), true), "{json}");
        }
        let (text, is_flawed) = cell(ColumnType::String, TimeFormat::Text, r#""a\ud83d""#);
        assert_eq!((&text[..], is_flawed), ("Text(\"a\u{fffd}\")", true));
    }

    #[test]
    fn what_is_no_cell_ends_the_rows() {
        for cells in [&[9][..], &[INTEGER, 1], &[TEXT, 4, 0, 0, 0, b'a'], &[TEXT, 1, 0, 0, 0, 0xff]]
        {
            assert_eq!(Rows { cells: cells.to_vec() }.cells().count(), 0, "{cells:?}");
        }
    }
}
