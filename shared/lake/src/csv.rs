//! Cells and rows of CSV, in the styles there are: see [`CsvStyle`].

use std::borrow::Cow;

use export::CsvStyle;

/// A byte order mark, UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// Appends the row of `cells`.
pub(crate) fn push_row<'a>(
    out: &mut Vec<u8>,
    cells: impl IntoIterator<Item = Option<Cow<'a, str>>>,
    style: CsvStyle,
) -> serde_json::Result<()> {
    for (i, cell) in cells.into_iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        if let Some(value) = cell {
            push_value(out, &value, style)?;
        }
    }
    end_row(out, style);
    Ok(())
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

fn push_value(out: &mut Vec<u8>, json: &str, style: CsvStyle) -> serde_json::Result<()> {
    match json.as_bytes().first() {
        Some(b'"') => push_text(out, &text_of(json)?, style),
        Some(b'n') | None => {} // null
        Some(_) => push_text(out, json, style),
    }
    Ok(())
}

/// Returns the text that a JSON string stands for, borrowed where it has no escapes.
pub(crate) fn text_of(json: &str) -> serde_json::Result<Cow<'_, str>> {
    if memchr::memchr(b'\\', json.as_bytes()).is_none() {
        return Ok(Cow::Borrowed(&json[1..json.len() - 1]));
    }
    Ok(serde_json::from_str::<Text<'_>>(json)?.0)
}

/// A JSON string.
#[derive(serde::Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

fn push_text(out: &mut Vec<u8>, text: &str, style: CsvStyle) {
    match style {
        CsvStyle::Rfc4180 => {
            let quoted = text.is_empty()
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
        push_row(&mut out, cells.iter().map(|cell| cell.map(Cow::Borrowed)), style).unwrap();
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

    proptest! {
        #[test]
        fn another_parser_reads_back_what_was_written(
            rows in prop::collection::vec(prop::collection::vec("[a,\"\r\n\\\\ ä]{0,6}", 2..5), 1..5),
            style in prop::sample::select(vec![CsvStyle::Rfc4180, CsvStyle::Excel, CsvStyle::NoNewline]),
        ) {
            let width = rows[0].len();
            let rows: Vec<_> = rows.into_iter().filter(|row| row.len() == width).collect();
            let mut out = Vec::new();
            for row in &rows {
                let cells: Vec<String> = row.iter().map(|text| serde_json::to_string(text).unwrap()).collect();
                push_row(&mut out, cells.iter().map(|cell| Some(cell.into())), style).unwrap();
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
