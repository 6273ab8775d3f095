//! Cells and rows of CSV, in the styles there are: see [`CsvStyle`].

use std::borrow::Cow;

use export::CsvStyle;

use crate::text::text_of;

/// A byte order mark, UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// Appends the row of `cells`. Returns the number of the first cell whose text is not Unicode, if there is
/// one: it has U+FFFD in place of what is not.
pub(crate) fn push_row<'a>(
    out: &mut Vec<u8>,
    cells: impl IntoIterator<Item = Option<Cow<'a, str>>>,
    style: CsvStyle,
) -> Option<usize> {
    let (begin, mut flawed) = (out.len(), None);
    for (i, cell) in cells.into_iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        if let Some(value) = cell
            && !push_value(out, &value, style)
        {
            flawed = flawed.or(Some(i));
        }
    }
    // Readers skip empty lines, and with them the only cell.
    if out.len() == begin {
        out.extend(b"\"\"");
    }
    end_row(out, style);
    flawed
}

/// Appends the header row of `names`, and what stands before it.
pub(crate) fn push_header<'a>(
    out: &mut Vec<u8>,
    names: impl IntoIterator<Item = &'a str>,
    style: CsvStyle,
) {
    if style != CsvStyle::Rfc4180 {
        out.extend(MARK);
    }
    for (i, name) in names.into_iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        push_text(out, name, style);
    }
    end_row(out, style);
}

fn end_row(out: &mut Vec<u8>, style: CsvStyle) {
    if style != CsvStyle::NoNewlineDropped {
        out.push(b'\n');
    }
}

/// Appends a value. Returns whether its text is Unicode.
fn push_value(out: &mut Vec<u8>, json: &str, style: CsvStyle) -> bool {
    if json == "null" {
        return true;
    }
    let value = text_of(json);
    push_text(out, &value.text, style);
    value.is_unicode
}

fn push_text(out: &mut Vec<u8>, text: &str, style: CsvStyle) {
    match style {
        CsvStyle::Rfc4180 => {
            // A lone `\.` ends the data for PostgreSQL.
            let quoted = text.is_empty()
                || text == "\\."
                || memchr::memchr3(b',', b'"', b'\n', text.as_bytes()).is_some()
                || text.contains('\r');
            push_cell(out, text, quoted, doubled);
        }
        CsvStyle::Excel => push_cell(out, text, is_special(text), doubled),
        CsvStyle::ExcelLiteral => push_cell(out, text, is_special(text), |c| match c {
            b'"' | b'\\' => Some(b'"'),
            _ => None,
        }),
        CsvStyle::NoNewline | CsvStyle::NoNewlineDropped => {
            let breaks = memchr::memchr2(b'\n', b'\r', text.as_bytes()).is_some();
            let line =
                if breaks { Cow::Owned(text.replace(['\n', '\r'], " ")) } else { text.into() };
            push_cell(out, &line, is_special(&line), |c| match c {
                b'"' | b'\\' => Some(b'\\'),
                _ => None,
            });
        }
    }
}

fn doubled(byte: u8) -> Option<u8> {
    (byte == b'"').then_some(b'"')
}

/// Tells whether a text has to stand in quotes for readers of any kind.
fn is_special(text: &str) -> bool {
    let special = |byte: &u8| matches!(byte, b',' | b'"' | b'\\' | b'\n' | b'\r');
    let space = |byte: Option<&u8>| byte == Some(&b' ');
    let bytes = text.as_bytes();
    bytes.iter().any(special) || space(bytes.first()) || space(bytes.last())
}

/// Appends a cell; in quotes, `escape` tells what stands before a byte.
fn push_cell(out: &mut Vec<u8>, text: &str, quoted: bool, escape: impl Fn(u8) -> Option<u8>) {
    if !quoted {
        out.extend(text.as_bytes());
        return;
    }
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(at) = memchr::memchr2(b'"', b'\\', rest) {
        let (before, after) = rest.split_at(at);
        out.extend(before);
        out.extend(escape(after[0]));
        out.push(after[0]);
        rest = &after[1..];
    }
    out.extend(rest);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn row(cells: &[Option<&str>], style: CsvStyle) -> String {
        let mut out = Vec::new();
        push_row(&mut out, cells.iter().map(|cell| cell.map(Cow::Borrowed)), style);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn cells_are_written_as_promised() {
        let row = |cells: &[Option<&str>]| row(cells, CsvStyle::Rfc4180);
        assert_eq!(row(&[Some("null"), None, Some("\"\"")]), ",,\"\"\n");
        assert_eq!(
            row(&[Some("9007199254740993"), Some("1.10"), Some("true")]),
            "9007199254740993,1.10,true\n"
        );
        assert_eq!(row(&[Some(r#""a\"b\\c,d""#)]), "\"a\"\"b\\c,d\"\n");
        assert_eq!(
            row(&[Some(r#"{"k": [1]}"#), Some(r#""\u00e4\n""#)]),
            "\"{\"\"k\"\": [1]}\",\"ä\n\"\n"
        );
    }

    #[test]
    fn a_text_that_is_not_unicode_costs_its_half_pairs() {
        let mut out = Vec::new();
        let cells = [Some("1"), Some(r#""Sale \ud83d""#), Some(r#""\ud83d\ude00""#)];
        let flawed =
            push_row(&mut out, cells.map(|cell| cell.map(Cow::Borrowed)), CsvStyle::Rfc4180);
        assert_eq!((out, flawed), ("1,Sale \u{fffd},😀\n".into(), Some(1)));
    }

    #[test]
    fn the_end_of_data_for_some_is_quoted() {
        assert_eq!(row(&[Some(r#""\\.""#)], CsvStyle::Rfc4180), "\"\\.\"\n");
    }

    #[test]
    fn a_carriage_return_alone_is_quoted() {
        assert_eq!(row(&[Some(r#""a\rb""#)], CsvStyle::Rfc4180), "\"a\rb\"\n");
    }

    #[test]
    fn styles_differ_as_documented() {
        use CsvStyle::{Excel, ExcelLiteral, NoNewline, NoNewlineDropped};
        let value = Some(r#""a\"b\\c,d""#);
        assert_eq!(row(&[value], Excel), "\"a\"\"b\\c,d\"\n");
        assert_eq!(row(&[value], ExcelLiteral), "\"a\"\"b\"\\c,d\"\n");
        assert_eq!(row(&[value], NoNewline), "\"a\\\"b\\\\c,d\"\n");
        assert_eq!(row(&[value, None], NoNewlineDropped), "\"a\\\"b\\\\c,d\",");
        assert_eq!(row(&[Some(r#""a\r\nb""#)], NoNewline), "a  b\n");
        assert_eq!(row(&[Some(r#""\n""#), Some("\"\""), Some("null")], NoNewline), "\" \",,\n");
        assert_eq!(
            row(&[Some("\"\""), Some(r#""a\\b""#), Some("\" a\"")], Excel),
            ",\"a\\b\",\" a\"\n"
        );

        let mut out = Vec::new();
        push_header(&mut out, ["a", "Is \"b\""], Excel);
        assert_eq!(out, "\u{feff}a,\"Is \"\"b\"\"\"\n".as_bytes());
    }

    #[test]
    fn readers_see_every_row_of_a_single_column() {
        use CsvStyle::{Excel, ExcelLiteral, NoNewline, Rfc4180};
        for style in [Rfc4180, Excel, ExcelLiteral, NoNewline] {
            let mut out = Vec::new();
            push_header(&mut out, ["title"], style);
            for cell in [Some("\"a\""), None, Some("null"), Some("\"\""), Some("\"b\"")] {
                push_row(&mut out, [cell.map(Cow::Borrowed)], style);
            }
            let mut reader = csv::Reader::from_reader(&out[..]);
            let read: Vec<String> =
                reader.records().map(|row| row.unwrap()[0].to_owned()).collect();
            assert_eq!(read, ["a", "", "", "", "b"], "{style:?}");
        }
    }

    proptest! {
        #[test]
        fn another_parser_reads_back_what_was_written(
            rows in prop::collection::vec(prop::collection::vec("[a,\"\r\n\\\\ ä.]{0,6}", 1..5), 1..5),
            style in prop::sample::select(vec![CsvStyle::Rfc4180, CsvStyle::Excel, CsvStyle::NoNewline]),
        ) {
            let width = rows[0].len();
            let rows: Vec<_> = rows.into_iter().filter(|row| row.len() == width).collect();
            let mut out = Vec::new();
            for row in &rows {
                let cells: Vec<String> = row.iter().map(|text| serde_json::to_string(text).unwrap()).collect();
                push_row(&mut out, cells.iter().map(|cell| Some(cell.into())), style);
            }
            let no_newline = style == CsvStyle::NoNewline;
            if no_newline {
                prop_assert_eq!(out.split(|byte| *byte == b'\n').count() - 1, rows.len());
            }
            let mut reader = csv::ReaderBuilder::new().has_headers(false)
                .terminator(csv::Terminator::Any(b'\n'))
                .double_quote(!no_newline).escape(no_newline.then_some(b'\\'))
                .from_reader(&out[..]);
            let read: Vec<Vec<String>> = reader.records()
                .map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect();
            let line = |text: &String| if no_newline { text.replace(['\r', '\n'], " ") } else { text.clone() };
            let want: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(line).collect()).collect();
            prop_assert_eq!(read, want);
        }
    }
}
