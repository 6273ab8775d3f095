//! Lines of fields: what separates them, whether they have a header, and of which types they are.

use export::{MAX_FIELDS, TimeFormat, parse_time};
use serde_json::Value;

use crate::{
    content::{Format, Record},
    snowplow,
};

/// The most rows that are looked at.
const MAX_ROWS: usize = 300;
const SEPARATORS: [u8; 5] = *b"\t,;| ";

/// Reads rows of fields. If the text is not whole, its last line is left out.
pub(crate) fn read(text: &[u8], is_whole: bool) -> Option<(Format, Vec<Record>)> {
    let text = std::str::from_utf8(text).ok().or_else(|| cut_at_character(text))?;
    let text = if is_whole { text } else { &text[..text.rfind('\n')?] };
    let separated = SEPARATORS.map(|separator| (separator, rows(text, separator)));
    let even = separated.into_iter().filter(|(_, rows)| {
        let count = rows.first().map_or(0, Vec::len);
        (2..=MAX_FIELDS).contains(&count) && rows.iter().all(|row| row.len() == count)
    });
    let (separator, mut rows) = even.max_by_key(|(_, rows)| rows.first().map_or(0, Vec::len))?;
    let header = is_header(&rows).then(|| rows.remove(0));
    let count = rows.first()?.len();
    let names = match &header {
        Some(names) => names.clone(),
        None if separator == b'\t' && count == snowplow::FIELDS.len() => {
            snowplow::FIELDS.iter().map(|name| (*name).to_owned()).collect()
        }
        None => (1..=count).map(|number| format!("field_{number}")).collect(),
    };
    let kinds: Vec<&'static str> =
        (0..count).map(|at| kind(rows.iter().map(|row| &row[at][..]))).collect();
    let record = |row: &Vec<String>| {
        let fields = names.iter().zip(row).zip(&kinds);
        Record(fields.map(|((name, field), kind)| (name.clone(), value(field, kind))).collect())
    };
    let records = rows.iter().map(record).collect();
    let types = names.iter().cloned().zip(kinds).filter(|(_, kind)| *kind != "string").collect();
    let names = header.is_none().then_some(names);
    Some((Format::Delimited { separator, names, types }, records))
}

/// Returns what of a text is whole characters.
fn cut_at_character(text: &[u8]) -> Option<&str> {
    let error = std::str::from_utf8(text).err()?;
    let is_cut = error.error_len().is_none();
    std::str::from_utf8(&text[..error.valid_up_to()]).ok().filter(|_| is_cut)
}

/// Splits a text into rows. Only tabulators have no quotes around fields.
fn rows(text: &str, separator: u8) -> Vec<Vec<String>> {
    let (separator, quotes) = (char::from(separator), separator != b'\t');
    let (mut rows, mut row, mut field) = (Vec::new(), Vec::new(), String::new());
    let mut is_quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quotes && is_quoted && chars.peek() == Some(&'"') => {
                field.push('"');
                chars.next();
            }
            '"' if quotes && (is_quoted || field.is_empty()) => is_quoted = !is_quoted,
            _ if is_quoted => field.push(c),
            '\r' if chars.peek() == Some(&'\n') => {}
            '\n' => {
                row.push(std::mem::take(&mut field));
                let done = std::mem::take(&mut row);
                if done.len() > 1 || !done[0].is_empty() {
                    rows.push(done);
                }
                if rows.len() >= MAX_ROWS {
                    return rows;
                }
            }
            _ if c == separator => row.push(std::mem::take(&mut field)),
            _ => field.push(c),
        }
    }
    if !field.is_empty() || !row.is_empty() {
        row.push(field);
        rows.push(row);
    }
    rows
}

/// Whether the first row has names: different words, where the next has at least one value that is none.
fn is_header(rows: &[Vec<String>]) -> bool {
    let (Some(first), Some(second)) = (rows.first(), rows.get(1)) else { return false };
    let is_name = |field: &String| {
        field.len() <= 100
            && field.starts_with(|c: char| c.is_alphabetic() || c == '_' || c == '$')
            && parse_time(field, TimeFormat::Text).is_none()
    };
    let distinct: std::collections::BTreeSet<_> = first.iter().collect();
    first.iter().all(is_name) && distinct.len() == first.len() && !second.iter().all(is_name)
}

/// Returns the type of a field that has these values.
fn kind<'a>(values: impl Iterator<Item = &'a str>) -> &'static str {
    let values: Vec<&str> = values.filter(|value| !value.is_empty()).collect();
    let all = |fits: fn(&str) -> bool| !values.is_empty() && values.iter().all(|value| fits(value));
    let is_integer = |text: &str| {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let is_plain = digits == "0" || !digits.starts_with('0');
        is_plain && (1..=18).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())
    };
    let is_number = |text: &str| {
        text.starts_with(|c: char| c == '-' || c.is_ascii_digit())
            && serde_json::from_str::<serde_json::Number>(text).is_ok()
    };
    let is_json =
        |text: &str| text.starts_with(['{', '[']) && serde_json::from_str::<Value>(text).is_ok();
    if all(is_integer) {
        "integer"
    } else if all(is_number) {
        "number"
    } else if all(|text| matches!(text, "true" | "false")) {
        "boolean"
    } else if all(is_json) {
        "json"
    } else {
        "string"
    }
}

fn value(field: &str, kind: &str) -> Value {
    match kind {
        _ if field.is_empty() => Value::Null,
        "string" => field.into(),
        _ => serde_json::from_str(field).unwrap_or_else(|_| field.into()),
    }
}
