//! Checks the format of the files and how rows are divided among them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Check, escape};
use crate::{CsvStyle, Fault, Files, Format, Parts, Table};

/// Bytes after which a plain file ends if the request does not say.
const DEFAULT_FILE_BYTES: u64 = 256 << 20;
const MIN_FILE_BYTES: u64 = 1 << 20;
const MAX_FILE_BYTES: u64 = 4 << 30;
const MIN_FILE_ROWS: u64 = 1000;
/// The most columns of a file of Parquet, each of which is told of once for each row group.
const MAX_PARQUET_COLUMNS: usize = 2000;

impl Check<'_> {
    pub(super) fn format(&mut self, value: Option<&Value>) -> Option<Format> {
        let names = Format::ALL.map(|(name, _)| name);
        let Some(value) = value else {
            self.faults.push(
                Fault::new("required", "/format", "Say how rows are to be written.")
                    .allowed(&names[..]),
            );
            return None;
        };
        let text = value.as_str().unwrap_or_default();
        let found =
            Format::ALL.into_iter().find(|(name, _)| *name == text).map(|(_, format)| format);
        if found.is_none() {
            let fault =
                Fault::new("unknown_format", "/format", "There is no such format.").value(value);
            self.faults.push(fault.suggest(text, names).allowed(&names[..]));
        }
        found
    }

    /// Refuses Parquet of tables with very many columns.
    pub(super) fn parquet_columns(
        &mut self,
        format: Option<Format>,
        tables: &[&Table],
        columns: &BTreeMap<String, Vec<String>>,
    ) {
        if format != Some(Format::Parquet) {
            return;
        }
        for table in tables {
            let count = columns.get(&table.name).map_or(table.columns.len(), Vec::len);
            if count > MAX_PARQUET_COLUMNS {
                let detail = format!(
                    "Parquet has at most {MAX_PARQUET_COLUMNS} columns of a table; {:?} would have {count}. Name \
                     the ones that you need.",
                    table.name
                );
                let at = format!("/columns/{}", escape(&table.name));
                self.faults.push(Fault::new("wrong_count", at, detail));
            }
        }
    }

    /// Reads the style of CSV, and whether its header has the display names of columns.
    pub(super) fn csv(
        &mut self,
        value: Option<&Value>,
        format: Option<Format>,
    ) -> (CsvStyle, bool) {
        let (mut style, mut display_names) = (CsvStyle::default(), false);
        let object = match value {
            None | Some(Value::Null) => return (style, display_names),
            Some(Value::Object(object)) if format.is_none_or(|format| format == Format::Csv) => {
                object
            }
            Some(other) => {
                let detail = "How CSV is written is an object, as {\"style\": \"excel\"}, and only \
                              matters for the format \"csv\".";
                self.faults.push(Fault::new("wrong_csv", "/csv", detail).value(other));
                return (style, display_names);
            }
        };
        self.faults.known_fields(object, "/csv", &["style", "display_names"]);
        if let Some(value) = object.get("style") {
            let (text, names) = (value.as_str().unwrap_or_default(), CsvStyle::ALL.map(|(n, _)| n));
            if let Some((_, found)) = CsvStyle::ALL.into_iter().find(|(name, _)| *name == text) {
                style = found;
            } else {
                let fault = Fault::new("unknown_style", "/csv/style", "There is no such style.");
                let fault = fault.value(value).suggest(text, names);
                self.faults.push(fault.allowed(&names[..]));
            }
        }
        match object.get("display_names") {
            None => {}
            Some(Value::Bool(value)) => display_names = *value,
            Some(other) => {
                let fault = Fault::new("wrong_type", "/csv/display_names", "It is true or false.");
                self.faults.push(fault.value(other));
            }
        }
        (style, display_names)
    }

    /// Reads the layout, one ZIP or plain files, and the size of plain files.
    pub(super) fn layout(&mut self, body: &Map<String, Value>) -> Files {
        let names = ["zip", "files"];
        let plain = match body.get("layout") {
            None | Some(Value::Null) => false,
            Some(value) => {
                let text = value.as_str().unwrap_or_default();
                if !names.contains(&text) {
                    let fault = Fault::new("unknown_layout", "/layout", "There is no such layout.");
                    self.faults.push(fault.value(value).suggest(text, names).allowed(&names[..]));
                }
                text == "files"
            }
        };
        let (min, max) = (MIN_FILE_BYTES, MAX_FILE_BYTES);
        let bytes = self.number(body, "max_file_bytes", min, max, plain);
        let max_rows = self.number(body, "max_file_rows", MIN_FILE_ROWS, u64::MAX, plain);
        let max_bytes = bytes.unwrap_or(DEFAULT_FILE_BYTES);
        if plain {
            Files::Parts(Parts { max_bytes, max_rows, suffix: true })
        } else {
            Files::Tables
        }
    }

    /// Reads a number that only the layout `files` has.
    fn number(
        &mut self,
        body: &Map<String, Value>,
        name: &str,
        min: u64,
        max: u64,
        plain: bool,
    ) -> Option<u64> {
        let value = body.get(name).filter(|value| !value.is_null())?;
        let number = value.as_u64().filter(|number| (min..=max).contains(number));
        if number.is_none() || !plain {
            let detail = format!("This is a whole number from {min} on, for the layout \"files\".");
            let fault = Fault::new("wrong_number", format!("/{name}"), detail).value(value);
            self.faults.push(fault.allowed(json!({ "least": min, "most": max })));
        }
        number
    }
}
