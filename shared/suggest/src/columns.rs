//! The columns of a table, and their types.

use export::TimeFormat;
use serde_json::Value;

use crate::{
    content::Record,
    time::{MAX_NAME_BYTES, TimeField, format_of},
};

/// The most columns of a table that are suggested.
pub(crate) const MAX_COLUMNS: usize = 500;

/// A column: its name, its type, and its path where that is another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: &'static str,
    pub(crate) path: Option<String>,
}

/// Returns the columns that records have, in the order in which they come, and those whose values differ in type.
pub(crate) fn columns<'r>(
    records: impl Iterator<Item = &'r Record>,
    time: &TimeField,
) -> (Vec<Column>, Vec<String>) {
    // Of each name, the types that were seen.
    let mut seen: Vec<(&str, Vec<&'static str>)> = Vec::new();
    for (name, value) in records.flat_map(|record| &record.0) {
        let at = match seen.iter().position(|(known, _)| known == name) {
            Some(at) => at,
            None if seen.len() < MAX_COLUMNS => {
                seen.push((name, Vec::new()));
                seen.len() - 1
            }
            None => continue,
        };
        let kind = kind(value, time.format);
        if let Some(kind) = kind.filter(|kind| !seen[at].1.contains(kind)) {
            seen[at].1.push(kind);
        }
    }
    let mut mixed = Vec::new();
    let mut columns: Vec<Column> = Vec::new();
    for (name, kinds) in seen {
        if name.is_empty() || name.len() > MAX_NAME_BYTES || name.chars().any(char::is_control) {
            continue;
        }
        let kind = match kinds[..] {
            [one] => one,
            ["integer", "number"] | ["number", "integer"] => "number",
            [] | ["time", "string"] | ["string", "time"] => "string",
            _ => {
                mixed.push(name.to_owned());
                "json"
            }
        };
        columns.push(Column { name: name.to_owned(), kind, path: None });
    }
    let is_time = |column: &&mut Column| time.names.len() == 1 && column.name == time.names[0];
    if let Some(column) = columns.iter_mut().find(is_time) {
        column.kind = "time";
    } else {
        let last = time.names.last().cloned().unwrap_or_default();
        let is_free = !columns.iter().any(|column| column.name == last);
        let name = if is_free { last } else { time.names.join(".") };
        columns.truncate(MAX_COLUMNS - 1);
        if !columns.iter().any(|column| column.name == name) {
            columns.push(Column { name, kind: "time", path: Some(time.path.clone()) });
        }
    }
    (columns, mixed)
}

/// Returns the type of a value; none if it is null.
fn kind(value: &Value, format: TimeFormat) -> Option<&'static str> {
    match value {
        Value::Null => None,
        Value::Bool(_) => Some("boolean"),
        Value::Number(number) if number.is_i64() || number.is_u64() => Some("integer"),
        Value::Number(_) => Some("number"),
        // Columns of times are read in the format of the dataset.
        Value::String(_)
            if format == TimeFormat::Text && format_of(value) == Some(TimeFormat::Text) =>
        {
            Some("time")
        }
        Value::String(_) => Some("string"),
        Value::Array(_) | Value::Object(_) => Some("json"),
    }
}
