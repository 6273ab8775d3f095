//! Cells and rows of CSV (RFC 4180, lines ending in LF).
//!
//! Null and missing are an empty cell, an empty string is `""`. Numbers pass through byte for byte,
//! objects and lists are their JSON text.

use std::borrow::Cow;

/// Appends the row of `cells`.
pub(crate) fn push_row<'a>(
    out: &mut Vec<u8>,
    cells: impl IntoIterator<Item = Option<&'a str>>,
) -> serde_json::Result<()> {
    for (i, cell) in cells.into_iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        if let Some(value) = cell {
            push_value(out, value)?;
        }
    }
    out.push(b'\n');
    Ok(())
}

/// Appends the header row of `names`.
pub(crate) fn push_header<'a>(out: &mut Vec<u8>, names: impl IntoIterator<Item = &'a str>) {
    for (i, name) in names.into_iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        push_text(out, name);
    }
    out.push(b'\n');
}

fn push_value(out: &mut Vec<u8>, json: &str) -> serde_json::Result<()> {
    match json.as_bytes().first() {
        Some(b'"') if json.contains('\\') => {
            push_text(out, &serde_json::from_str::<Text<'_>>(json)?.0);
        }
        Some(b'"') => push_text(out, &json[1..json.len() - 1]),
        Some(b'n') | None => {} // null
        Some(_) => push_text(out, json),
    }
    Ok(())
}

/// A JSON string, borrowed where it has no escapes.
#[derive(serde::Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

fn push_text(out: &mut Vec<u8>, text: &str) {
    let quoted =
        memchr::memchr3(b',', b'"', b'\n', text.as_bytes()).is_some() || text.contains('\r');
    if !text.is_empty() && !quoted {
        out.extend(text.as_bytes());
        return;
    }
    out.push(b'"');
    for part in text.split_inclusive('"') {
        out.extend(part.as_bytes());
        if part.ends_with('"') {
            out.push(b'"');
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn row(cells: &[Option<&str>]) -> String {
        let mut out = Vec::new();
        push_row(&mut out, cells.iter().copied()).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn cells_are_written_as_promised() {
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

    proptest! {
        #[test]
        fn another_parser_reads_back_what_was_written(
            rows in prop::collection::vec(prop::collection::vec("[a,\"\r\n\\\\ ä]{0,6}", 2..5), 1..5)
        ) {
            let width = rows[0].len();
            let rows: Vec<_> = rows.into_iter().filter(|row| row.len() == width).collect();
            let mut out = Vec::new();
            for row in &rows {
                push_header(&mut out, row.iter().map(String::as_str));
            }
            let mut reader = csv::ReaderBuilder::new().has_headers(false).terminator(csv::Terminator::Any(b'\n'))
                .from_reader(&out[..]);
            let read: Vec<Vec<String>> = reader.records()
                .map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect();
            prop_assert_eq!(read, rows);
        }
    }
}
