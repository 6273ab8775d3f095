//! Checks a request of the native API against the catalog and the limits.
//!
//! The check goes on after a fault, so that one answer names all of them.

mod fields;
mod files;
mod follow_up;
mod share;
mod tables;
mod window;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use self::fields::{escape, is_plain};
use crate::{Catalog, ExportRequest, Fault, Faults, Limits, Order, TableFilter, TableSelection};

const FIELDS: [&str; 15] = [
    "tables",
    "columns",
    "window",
    "filter",
    "format",
    "csv",
    "layout",
    "max_file_bytes",
    "max_file_rows",
    "name",
    "description",
    "labels",
    "callback",
    "copy",
    "share",
];

impl Order {
    /// Reads the native API's JSON body, or returns every fault in it. `named` holds the name and the text
    /// of each of the workspace's named filters.
    pub fn from_json(
        body: &Value,
        catalog: &Catalog,
        named: &[(String, String)],
        limits: &Limits,
        now: Timestamp,
    ) -> Result<Self, Faults> {
        let Value::Object(body) = body else {
            return Err(Fault::new("not_an_object", "", "The body must be a JSON object.").into());
        };
        let mut check = Check { catalog, limits, now, faults: Faults::default() };
        check.faults.known_fields(body, "", &FIELDS);
        let tables = check.tables(body.get("tables"));
        let columns = check.columns(body.get("columns"), &tables);
        let window = check.window(body.get("window"));
        let filter = check.filter(body.get("filter"), &tables, named);
        let format = check.format(body.get("format"));
        check.parquet_columns(format, &tables, &columns);
        let (csv, display_names) = check.csv(body.get("csv"), format);
        let files = check.layout(body);
        let name = check.faults.text(body.get("name"), "/name", limits.name_chars, is_plain);
        let (most, at) = (limits.description_chars, "/description");
        let description =
            check.faults.text(body.get("description"), at, most, |c| c == '\n' || is_plain(c));
        let labels = check.labels(body.get("labels"));
        let callback = check.callback(body.get("callback"));
        let copy = check.copy(body.get("copy"), &files);
        let share = share::share(&mut check.faults, body.get("share"), "/share", limits, now);

        match (window, format, check.faults.is_empty()) {
            (Some(window), Some(format), true) => {
                let mut columns = columns;
                let filtered = tables.iter().map(|table| table.name.clone()).collect();
                let filters = filter.map(|filter| TableFilter { tables: filtered, filter });
                let tables = tables
                    .into_iter()
                    .map(|table| TableSelection {
                        columns: columns.remove(&table.name),
                        ..TableSelection::whole(&table.name)
                    })
                    .collect();
                let request = ExportRequest {
                    filters: filters.into_iter().collect(),
                    csv,
                    display_names,
                    files,
                    name,
                    description,
                    labels,
                    ..ExportRequest::new(tables, window, format)
                };
                check.stored_size(&request)?;
                Ok(Self { request, callback, copy, share })
            }
            _ => Err(check.faults),
        }
    }
}

/// The rules that a body is checked against, and the faults found so far.
struct Check<'a> {
    catalog: &'a Catalog,
    limits: &'a Limits,
    now: Timestamp,
    faults: Faults,
}

impl Check<'_> {
    /// Refuses a request that is too large for its record once its named filters are written out.
    fn stored_size(&self, request: &ExportRequest) -> Result<(), Faults> {
        let (bytes, most) = (serde_json::to_vec(request).map_or(0, |json| json.len()), self.limits);
        if bytes <= most.stored_bytes {
            return Ok(());
        }
        let detail = format!(
            "The request has {bytes} bytes as it is stored, with named filters written out; {} are \
             allowed. Name fewer columns, or use a shorter filter.",
            most.stored_bytes
        );
        Err(Fault::new("request_too_large", "", detail).into())
    }

    fn labels(&mut self, value: Option<&Value>) -> BTreeMap<String, String> {
        let (most, chars) = (self.limits.labels, self.limits.label_chars);
        let object = match value {
            None | Some(Value::Null) => return BTreeMap::new(),
            Some(Value::Object(object)) if object.len() <= most => object,
            Some(other) => {
                let detail = format!(
                    "Labels are an object of at most {most} texts, as {{\"team\": \"web\"}}."
                );
                self.faults.push(Fault::new("wrong_labels", "/labels", detail).value(other));
                return BTreeMap::new();
            }
        };
        let mut labels = BTreeMap::new();
        for (key, value) in object {
            match value.as_str() {
                Some(text) if !key.is_empty() && fits(key, chars) && fits(text, chars) => {
                    labels.insert(key.clone(), text.to_owned());
                }
                _ => {
                    let detail = format!(
                        "A label's key and value are texts of at most {chars} characters without \
                         control characters; a key is not empty."
                    );
                    let at = format!("/labels/{}", escape(key));
                    self.faults.push(Fault::new("wrong_labels", at, detail).value(value));
                }
            }
        }
        labels
    }
}

fn fits(text: &str, most: usize) -> bool {
    text.chars().count() <= most && text.chars().all(is_plain)
}

#[cfg(test)]
mod tests;
