//! A request of the native API, held to the catalog and the limits.
//!
//! The check does not stop at the first fault: an answer names all of them.

mod follow_up;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::{
    Catalog, CsvStyle, ExportRequest, Fault, Faults, Files, Filter, Format, Limits, Order, Parts,
    Scope, Table, TableFilter, TableSelection, Window, WindowError,
};

const FIELDS: [&str; 14] = [
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
];

/// The bytes of a plain file, unless a request says otherwise, and what it may say.
const FILE_BYTES: u64 = 256 << 20;
const LEAST_FILE_BYTES: u64 = 1 << 20;
const MOST_FILE_BYTES: u64 = 4 << 30;
/// The least that a request may say of the rows of a file.
const LEAST_FILE_ROWS: u64 = 1000;

impl Order {
    /// Reads the native API's JSON body, or tells everything that is wrong with it. `named` are the
    /// workspace's named filters.
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
        check.known_fields(body, "", &FIELDS);
        let tables = check.tables(body.get("tables"));
        let columns = check.columns(body.get("columns"), &tables);
        let window = check.window(body.get("window"));
        let filter = check.filter(body.get("filter"), &tables, named);
        let format = check.format(body.get("format"));
        let (csv, display_names) = check.csv(body.get("csv"), format);
        let files = check.layout(body);
        let name = check.text(body.get("name"), "/name", limits.name_chars, is_plain);
        let (most, at) = (limits.description_chars, "/description");
        let description =
            check.text(body.get("description"), at, most, |c| c == '\n' || is_plain(c));
        let labels = check.labels(body.get("labels"));
        let callback = check.callback(body.get("callback"));
        let copy = check.copy(body.get("copy"), &files);

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
                Ok(Self { request, callback, copy })
            }
            _ => Err(check.faults),
        }
    }
}

/// The catalog and limits a body is held to, and what was found wrong so far.
struct Check<'a> {
    catalog: &'a Catalog,
    limits: &'a Limits,
    now: Timestamp,
    faults: Faults,
}

impl<'a> Check<'a> {
    /// Refuses fields that are not known. Their values are not repeated: a secret whose field is
    /// misspelt is one of them.
    fn known_fields(&mut self, object: &Map<String, Value>, at: &str, known: &[&str]) {
        let mut allowed = Some(known);
        for key in object.keys().filter(|key| !known.contains(&key.as_str())) {
            self.faults.push_with(|| {
                let name = shorten(key);
                let detail =
                    format!("There is no field {name:?} here. Remove it or correct its name.");
                let at = format!("{at}/{}", escape(key));
                let fault = Fault::new("unknown_field", at, detail);
                allowed_once(fault.suggest(key, known.iter().copied()), &mut allowed)
            });
        }
    }

    /// Refuses a request that does not fit a record, with all that is written out in it.
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

    fn tables(&mut self, value: Option<&Value>) -> Vec<&'a Table> {
        let names: Vec<&str> = self.catalog.tables().map(|t| t.name.as_str()).collect();
        let Some(Value::Array(list)) = value else {
            self.faults.push(match value {
                None => {
                    Fault::new("required", "/tables", "Say which tables to export.").allowed(names)
                }
                Some(other) => Fault::new(
                    "wrong_type",
                    "/tables",
                    "The tables are a list of names, as [\"page\"].",
                )
                .value(other)
                .allowed(names),
            });
            return Vec::new();
        };
        if list.is_empty() || list.len() > self.limits.tables {
            let most = self.limits.tables;
            let detail = format!("An export has 1 to {most} tables; this one has {}.", list.len());
            self.faults.push(Fault::new("wrong_count", "/tables", detail).allowed(names.clone()));
            return Vec::new();
        }
        let (mut tables, mut allowed): (Vec<&Table>, _) = (Vec::new(), Some(&names[..]));
        for (i, value) in list.iter().enumerate() {
            let at = format!("/tables/{i}");
            let Some(name) = value.as_str() else {
                let detail = "A table is given by its name, a string.";
                let fault = Fault::new("wrong_type", at, detail).value(value);
                self.faults.push(allowed_once(fault, &mut allowed));
                continue;
            };
            match self.catalog.table(name) {
                Some(table) if tables.iter().any(|t| t.name == table.name) => self.faults.push(
                    Fault::new("duplicate", at, format!("Table {name:?} is asked for twice."))
                        .value(value),
                ),
                Some(table) => tables.push(table),
                None => {
                    let detail = format!("There is no table {:?}.", shorten(name));
                    let fault = Fault::new("unknown_table", at, detail).value(value);
                    let fault = fault.suggest(name, names.iter().copied());
                    self.faults.push(allowed_once(fault, &mut allowed));
                }
            }
        }
        tables
    }

    /// Reads `{"table": ["column", ...]}`, a table not named giving its whole record.
    fn columns(
        &mut self,
        value: Option<&Value>,
        tables: &[&Table],
    ) -> BTreeMap<String, Vec<String>> {
        let mut found = BTreeMap::new();
        let object = match value {
            None | Some(Value::Null) => return found,
            Some(Value::Object(object)) => object,
            Some(other) => {
                let detail = "The columns are given by table, as {\"page\": [\"title\", \"url\"]}.";
                self.faults.push(Fault::new("wrong_type", "/columns", detail).value(other));
                return found;
            }
        };
        let asked: Vec<&str> = tables.iter().map(|t| t.name.as_str()).collect();
        let mut allowed = Some(&asked[..]);
        for (name, value) in object {
            let at = format!("/columns/{}", escape(name));
            let Some(table) = tables.iter().find(|table| table.name == *name) else {
                self.faults.push_with(|| {
                    let name = shorten(name);
                    let detail = format!("Table {name:?} is not among the tables of this export.");
                    let fault = Fault::new("unknown_table", at, detail);
                    allowed_once(fault.suggest(&name, asked.iter().copied()), &mut allowed)
                });
                continue;
            };
            if let Some(columns) = self.columns_of(table, value, &at) {
                found.insert(name.clone(), columns);
            }
        }
        found
    }

    fn columns_of(&mut self, table: &Table, value: &Value, at: &str) -> Option<Vec<String>> {
        let known: Vec<&str> = table.columns.iter().map(|c| c.name.as_str()).collect();
        let Some(list) = value.as_array().filter(|list| !list.is_empty()) else {
            let detail =
                "Columns are a list of at least one name; leave the table out for all of them.";
            self.faults.push(Fault::new("wrong_type", at, detail).value(value).allowed(known));
            return None;
        };
        let mut columns: Vec<String> = Vec::new();
        let (before, mut allowed) = (self.faults.count(), Some(&known[..]));
        for (i, value) in list.iter().enumerate() {
            let name = value.as_str();
            let twice = name.is_some_and(|name| columns.iter().any(|c| c == name));
            if let Some(name) = name.filter(|name| !twice && known.contains(name)) {
                columns.push(name.to_owned());
                continue;
            }
            self.faults.push_with(|| {
                let at = format!("{at}/{i}");
                let Some(name) = name else {
                    let detail = "A column is given by its name, a string.";
                    return Fault::new("wrong_type", at, detail).value(value);
                };
                let name = shorten(name);
                if twice {
                    let detail = format!("Column {name:?} is asked for twice.");
                    return Fault::new("duplicate", at, detail).value(value);
                }
                let detail = format!("Table {:?} has no column {name:?}.", table.name);
                let fault = Fault::new("unknown_column", at, detail).value(value);
                allowed_once(fault.suggest(&name, known.iter().copied()), &mut allowed)
            });
        }
        (self.faults.count() == before).then_some(columns)
    }

    fn window(&mut self, value: Option<&Value>) -> Option<Window> {
        const FORM: &str = "A window is {\"from\": ..., \"to\": ...}, two RFC 3339 instants such as \
                            \"2026-03-01T00:00:00Z\"; from is inside, to is not.";
        let object = match value {
            Some(Value::Object(object)) => object,
            None => {
                self.faults.push(Fault::new("required", "/window", FORM));
                return None;
            }
            Some(other) => {
                self.faults.push(Fault::new("wrong_type", "/window", FORM).value(other));
                return None;
            }
        };
        self.known_fields(object, "/window", &["from", "to"]);
        let from = self.instant(object.get("from"), "/window/from");
        let to = self.instant(object.get("to"), "/window/to");
        let (from, to) = (from?, to?);

        let fault = match Window::new(from, to) {
            Err(WindowError::Empty) => Fault::new(
                "window_empty",
                "/window",
                "The window is empty: it ends where it begins. The end is not inside, so move it on.",
            ),
            Err(WindowError::Reversed) => Fault::new(
                "window_reversed",
                "/window",
                "The window ends before it begins. Swap from and to.",
            ),
            Ok(_) if to > self.now => Fault::new(
                "window_in_future",
                "/window/to",
                "The window must not end in the future, where rows are still to come.",
            )
            .allowed(json!({ "latest": self.now.to_string() })),
            Ok(window) if window.length() > self.limits.longest_window() => Fault::new(
                "window_too_long",
                "/window",
                format!(
                    "A window is at most {} days long; this one has {:.1}. Ask for parts of it.",
                    self.limits.window_days,
                    window.length().as_secs_f64() / 86_400.0
                ),
            )
            .allowed(json!({ "days": self.limits.window_days })),
            Ok(window) => return Some(window),
        };
        let text = |name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default();
        self.faults.push(if fault.pointer == "/window" {
            fault.texts([("from", text("from")), ("to", text("to"))])
        } else {
            fault.value(&Value::from(text("to")))
        });
        None
    }

    fn instant(&mut self, value: Option<&Value>, at: &str) -> Option<Timestamp> {
        const FORM: &str = "Give an RFC 3339 instant with an offset, as \"2026-03-01T00:00:00Z\".";
        let Some(value) = value else {
            self.faults.push(Fault::new("required", at, FORM));
            return None;
        };
        let instant = value.as_str().and_then(|text| text.parse().ok());
        if instant.is_none() {
            self.faults.push(Fault::new("not_an_instant", at, FORM).value(value));
        }
        instant
    }

    /// Reads a filter that holds for every table.
    fn filter(
        &mut self,
        value: Option<&Value>,
        tables: &[&Table],
        named: &[(String, String)],
    ) -> Option<Filter> {
        const AT: &str = "/filter";
        let text = match value {
            None | Some(Value::Null) => return None,
            Some(Value::String(text)) => text,
            Some(other) => {
                let detail = "A filter is a text, as \"city == 'Berlin' AND clicks > 2\".";
                self.faults.push(Fault::new("wrong_type", AT, detail).value(other));
                return None;
            }
        };
        let tables = tables.iter().map(|table| table.name.as_str());
        match Filter::read(text, &Scope::new(self.catalog, tables, "", named)) {
            Ok(filter) => filter,
            Err(error) => {
                let detail = format!("The filter cannot be used: {error}.");
                let fault = Fault::new("wrong_filter", AT, detail);
                self.faults.push(fault.value(&Value::from(text.as_str())));
                None
            }
        }
    }

    /// Reads what files there are.
    fn layout(&mut self, body: &Map<String, Value>) -> Files {
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
        let (least, most) = (LEAST_FILE_BYTES, MOST_FILE_BYTES);
        let bytes = self.number(body, "max_file_bytes", least, most, plain);
        let max_rows = self.number(body, "max_file_rows", LEAST_FILE_ROWS, u64::MAX, plain);
        let max_bytes = bytes.unwrap_or(FILE_BYTES);
        if plain {
            Files::Parts(Parts { max_bytes, max_rows, suffix: true })
        } else {
            Files::Tables
        }
    }

    /// Reads a number of the layout `files`.
    fn number(
        &mut self,
        body: &Map<String, Value>,
        name: &str,
        least: u64,
        most: u64,
        plain: bool,
    ) -> Option<u64> {
        let value = body.get(name).filter(|value| !value.is_null())?;
        let number = value.as_u64().filter(|number| (least..=most).contains(number));
        if number.is_none() || !plain {
            let detail =
                format!("This is a whole number from {least} on, for the layout \"files\".");
            let fault = Fault::new("wrong_number", format!("/{name}"), detail).value(value);
            self.faults.push(fault.allowed(json!({ "least": least, "most": most })));
        }
        number
    }

    /// Reads how CSV is written, and whether headers are what people call columns.
    fn csv(&mut self, value: Option<&Value>, format: Option<Format>) -> (CsvStyle, bool) {
        let (mut style, mut display_names) = (CsvStyle::default(), false);
        let object = match value {
            None | Some(Value::Null) => return (style, display_names),
            Some(Value::Object(object)) if format != Some(Format::Jsonl) => object,
            Some(other) => {
                let detail = "How CSV is written is an object, as {\"style\": \"excel\"}, and only \
                              matters for the format \"csv\".";
                self.faults.push(Fault::new("wrong_csv", "/csv", detail).value(other));
                return (style, display_names);
            }
        };
        self.known_fields(object, "/csv", &["style", "display_names"]);
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

    fn format(&mut self, value: Option<&Value>) -> Option<Format> {
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

    fn text(
        &mut self,
        value: Option<&Value>,
        at: &str,
        most: usize,
        allowed: impl Fn(char) -> bool,
    ) -> Option<String> {
        match value {
            None | Some(Value::Null) => None,
            Some(Value::String(text))
                if !text.is_empty()
                    && text.chars().count() <= most
                    && text.chars().all(allowed) =>
            {
                Some(text.clone())
            }
            Some(other) => {
                let detail =
                    format!("This is text of 1 to {most} characters without control characters.");
                self.faults.push(Fault::new("wrong_text", at, detail).value(other));
                None
            }
        }
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

fn is_plain(c: char) -> bool {
    !c.is_control()
}

/// Adds what is allowed to the first of several faults that share it.
fn allowed_once(fault: Fault, allowed: &mut Option<&[&str]>) -> Fault {
    match allowed.take() {
        Some(names) => fault.allowed(names),
        None => fault,
    }
}

/// Escapes a key for a JSON Pointer (RFC 6901, section 3).
fn escape(key: &str) -> String {
    shorten(key).replace('~', "~0").replace('/', "~1")
}

/// What an answer repeats of a name that may be any length.
fn shorten(name: &str) -> String {
    name.chars().take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Files;

    const NOW: &str = "2026-06-01T00:00:00Z";

    fn read(body: &Value) -> Result<ExportRequest, Faults> {
        order(body).map(|order| order.request)
    }

    pub(super) fn order(body: &Value) -> Result<Order, Faults> {
        let catalog = Catalog::built_in().unwrap();
        let named = [("HOME".to_owned(), "canonicalUrl == '/'".to_owned())];
        let (limits, now) = (Limits::default(), NOW.parse().unwrap());
        Order::from_json(body, &catalog, &named, &limits, now)
    }

    fn told(body: &Value) -> Vec<(&'static str, String)> {
        let faults = read(body).unwrap_err();
        faults.told().iter().map(|f| (f.code, f.pointer.clone())).collect()
    }

    pub(super) fn good() -> Value {
        json!({
            "tables": ["liferay_page"],
            "columns": { "liferay_page": ["title", "url"] },
            "window": { "from": "2026-05-01T00:00:00Z", "to": "2026-05-02T00:00:00+02:00" },
            "format": "csv",
            "labels": { "team": "web" },
        })
    }

    fn with(pointer: &str, value: Value) -> Value {
        let mut body = good();
        *body.pointer_mut(pointer).unwrap() = value;
        body
    }

    #[test]
    fn a_request_means_what_it_says() {
        let request = read(&good()).unwrap();

        assert_eq!(request.tables[0].columns.as_ref().unwrap(), &["title", "url"]);
        assert_eq!(request.window.to(), "2026-05-01T22:00:00Z".parse().unwrap());
        assert_eq!(request.format, Format::Csv);
        let stored: ExportRequest =
            serde_json::from_value(serde_json::to_value(&request).unwrap()).unwrap();
        assert_eq!(stored, request);
    }

    #[test]
    fn the_style_of_csv_is_kept() {
        let mut body = good();
        body["csv"] = json!({ "style": "excel" });
        assert_eq!(read(&body).unwrap().csv, crate::CsvStyle::Excel);
    }

    #[test]
    fn the_longest_window_is_allowed_and_a_second_more_is_not() {
        let until_now = |from: &str| read(&with("/window", json!({ "from": from, "to": NOW })));
        assert!(until_now("2025-05-31T00:00:00Z").is_ok());
        assert!(until_now("2025-05-30T23:59:59Z").is_err());
    }

    #[test]
    fn each_fault_has_its_code_and_place() {
        let window = |from: &str, to: &str| with("/window", json!({ "from": from, "to": to }));
        for (body, code, pointer) in [
            (json!([]), "not_an_object", ""),
            (with("/tables", json!([])), "wrong_count", "/tables"),
            (with("/tables", json!("page")), "wrong_type", "/tables"),
            (with("/tables/0", json!("liferay_pgae")), "unknown_table", "/tables/0"),
            (with("/tables", json!(["liferay_page", "liferay_page"])), "duplicate", "/tables/1"),
            (
                with("/columns/liferay_page/1", json!("ulr")),
                "unknown_column",
                "/columns/liferay_page/1",
            ),
            (with("/columns", json!({ "a/b": ["x"] })), "unknown_table", "/columns/a~1b"),
            (with("/format", json!("xml")), "unknown_format", "/format"),
            (with("/labels/team", json!(3)), "wrong_labels", "/labels/team"),
            (with("/window/from", json!("2026-05-01")), "not_an_instant", "/window/from"),
            (window("2026-05-02T00:00:00Z", "2026-05-01T00:00:00Z"), "window_reversed", "/window"),
            (window("2026-05-02T00:00:00Z", "2026-05-02T00:00:00Z"), "window_empty", "/window"),
            (
                window("2026-05-02T00:00:00Z", "2026-06-01T00:00:01Z"),
                "window_in_future",
                "/window/to",
            ),
            (window("2025-05-30T00:00:00Z", "2026-06-01T00:00:00Z"), "window_too_long", "/window"),
        ] {
            let told = told(&body);
            assert!(told.contains(&(code, pointer.to_owned())), "{body}: {told:?}");
        }
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let body = json!({ "tables": ["nope"], "format": 1, "wndow": 0 });
        let codes: Vec<_> = told(&body).into_iter().map(|(code, _)| code).collect();

        assert_eq!(codes, ["unknown_field", "unknown_table", "required", "unknown_format"]);
    }

    #[test]
    fn an_answer_stays_small_however_much_is_wrong() {
        let list = |len: usize, text: &str| vec![Value::from(text); len];
        let key = "k".repeat(200_000);
        let fields = (0..20_000).map(|n| (format!("field-{n}"), json!("s3cr3t")));
        let keys: Map<String, Value> = fields.collect();
        for (pointer, value, count) in [
            ("/columns/liferay_page", json!(list(65_000, "x")), 65_000),
            ("/columns/liferay_page", json!(list(65_000, "title")), 64_999),
            ("/columns", Value::Object(keys.clone()), 20_000),
            ("/columns", json!({ &key: ["x"] }), 1),
            ("/window", Value::Object(keys.clone()), 20_002),
            ("/window", json!({ &key: 1, "from": "x", "to": key }), 3),
            ("/tables/0", json!(key), 2),
            ("/labels", json!(list(65_000, "x")), 1),
            ("/format", json!(list(65_000, "x")), 1),
            ("", Value::Object(keys.clone()), 20_003),
        ] {
            let faults = read(&with(pointer, value)).unwrap_err();
            let answer = serde_json::to_vec(faults.told()).unwrap();
            assert!(answer.len() < 40_000, "{pointer}: {} bytes", answer.len());
            assert_eq!(faults.count(), count, "{pointer}");
            assert!(faults.told().len() <= crate::MAX_FAULTS);
        }
    }

    #[test]
    fn what_is_allowed_is_told_once_for_each_table() {
        let body = with("/columns/liferay_page", json!(["a", "b"]));
        let faults = read(&body).unwrap_err();
        let told: Vec<bool> = faults.told().iter().map(|fault| fault.allowed.is_some()).collect();
        assert_eq!(told, [true, false]);
    }

    #[test]
    fn a_secret_under_a_wrong_name_is_not_repeated() {
        for (name, value) in [
            ("coppy", json!({ "bucket": "acme", "secret_access_key": "s3cr3t" })),
            ("secret_access_key", json!("s3cr3t")),
            ("window", json!({ "from": "s", "to": "t", "secret_access_key": "s3cr3t" })),
            ("window", json!({ "from": { "secret_access_key": "s3cr3t" }, "to": ["s3cr3t"] })),
            ("columns", json!({ "liferay_page": [{ "secret_access_key": "s3cr3t" }] })),
            ("columns", json!([{ "secret_access_key": "s3cr3t" }])),
            ("tables", json!({ "secret_access_key": "s3cr3t" })),
            ("tables", json!([{ "secret_access_key": "s3cr3t" }])),
            ("csv", json!({ "style": "excel", "secret_access_key": "s3cr3t" })),
            ("csv", json!({ "style": { "secret_access_key": "s3cr3t" } })),
            ("labels", json!({ "team": { "secret_access_key": "s3cr3t" } })),
            ("name", json!({ "secret_access_key": "s3cr3t" })),
            ("filter", json!({ "secret_access_key": "s3cr3t" })),
            ("format", json!({ "secret_access_key": "s3cr3t" })),
            ("layout", json!({ "secret_access_key": "s3cr3t" })),
            ("max_file_bytes", json!({ "secret_access_key": "s3cr3t" })),
        ] {
            let mut body = good();
            body[name] = value;
            let told = format!("{:?}", read(&body).unwrap_err());
            assert!(!told.contains("s3cr3t"), "{name}: {told}");
        }
        let told = format!("{:?}", read(&json!(["s3cr3t"])).unwrap_err());
        assert!(!told.contains("s3cr3t"), "{told}");
    }

    #[test]
    fn names_and_labels_have_no_control_characters() {
        for (name, value, good) in [
            ("name", json!("two\nlines"), false),
            ("name", json!("tab\t"), false),
            ("description", json!("two\nlines"), true),
            ("description", json!("\u{1b}[31m"), false),
            ("labels", json!({ "team": "a\u{0}b" }), false),
            ("labels", json!({ "te\nam": "a" }), false),
            ("labels", json!({ "team": "" }), true),
            ("labels", json!({ "": "a" }), false),
        ] {
            let mut body = self::good();
            body[name] = value;
            assert_eq!(read(&body).is_ok(), good, "{body}");
        }
    }

    #[test]
    fn a_request_that_does_not_fit_a_record_is_refused() {
        let limits = Limits { stored_bytes: 500, ..Limits::default() };
        let catalog = Catalog::built_in().unwrap();
        let read = |filter: String| {
            let mut body = good();
            body["filter"] = json!(filter);
            Order::from_json(&body, &catalog, &[], &limits, NOW.parse().unwrap())
        };
        assert!(read("city == 'a'".to_owned()).is_ok());
        let faults = read(format!("city == '{}'", "a".repeat(500))).unwrap_err();
        assert_eq!(faults.told()[0].code, "request_too_large");
    }

    #[test]
    fn an_hours_file_is_named_without_leading_zeros() {
        let hour = "2024-03-02T07:00:00Z".parse().unwrap();
        assert_eq!(Files::hourly_name("374182", hour, 0), "374182/374182_2024-03-02_7#0.json.gz");
    }

    #[test]
    fn a_slip_brings_a_suggestion() {
        let faults = read(&with("/tables/0", json!("liferay_pgae"))).unwrap_err();
        assert_eq!(faults.told()[0].suggestion.as_deref(), Some("liferay_page"));
    }

    #[test]
    fn each_bound_is_allowed_and_one_more_is_not() {
        let limits = Limits::default();
        let catalog = Catalog::built_in().unwrap();
        let names: Vec<&str> = catalog.tables().map(|table| table.name.as_str()).collect();
        let limits = Limits { tables: names.len() - 1, ..limits };
        let read = |name: &str, value: Value| {
            let mut body = good();
            body["columns"] = Value::Null;
            body[name] = value;
            Order::from_json(&body, &catalog, &[], &limits, NOW.parse().unwrap())
        };
        let labels = |count: usize| {
            (0..count).map(|n| (format!("key-{n}"), json!("x"))).collect::<Map<_, _>>()
        };
        for (name, good, bad) in [
            ("tables", json!(names[1..]), json!(names)),
            ("name", json!("ü".repeat(100)), json!("ü".repeat(101))),
            ("name", json!("x"), json!("")),
            ("description", json!("ü".repeat(1000)), json!("ü".repeat(1001))),
            ("labels", json!(labels(20)), json!(labels(21))),
            ("labels", json!({ "a": "ü".repeat(100) }), json!({ "a": "ü".repeat(101) })),
            ("labels", json!({ "ü".repeat(100): "a" }), json!({ "ü".repeat(101): "a" })),
        ] {
            assert!(read(name, good).is_ok(), "{name}");
            assert!(read(name, bad).is_err(), "{name}");
        }
    }

    #[test]
    fn plain_files_have_bounds_of_their_own() {
        let files = |rest: Value| {
            let mut body = good();
            body.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
            read(&body).map(|request| request.files)
        };
        assert_eq!(files(json!({})).unwrap(), Files::Tables);
        assert_eq!(files(json!({ "layout": "zip" })).unwrap(), Files::Tables);
        let parts = |max_bytes, max_rows| Files::Parts(Parts { max_bytes, max_rows, suffix: true });
        assert_eq!(files(json!({ "layout": "files" })).unwrap(), parts(256 << 20, None));
        for (bytes, rows) in [(1_u64 << 20, 1000), (4 << 30, u64::MAX)] {
            let body = json!({ "layout": "files", "max_file_bytes": bytes, "max_file_rows": rows });
            assert_eq!(files(body).unwrap(), parts(bytes, Some(rows)));
        }
        for bad in [
            json!({ "layout": "files", "max_file_bytes": (1 << 20) - 1 }),
            json!({ "layout": "files", "max_file_bytes": (4_u64 << 30) + 1 }),
            json!({ "layout": "files", "max_file_rows": 999 }),
            json!({ "layout": "files", "max_file_rows": -1 }),
            json!({ "max_file_rows": 1000 }),
            json!({ "layout": "zip", "max_file_bytes": 1 << 20 }),
            json!({ "layout": "file" }),
        ] {
            assert!(files(bad.clone()).is_err(), "{bad}");
        }
    }

    #[test]
    fn how_csv_is_written_is_for_csv() {
        let mut body = good();
        body["csv"] = json!({ "display_names": true });
        assert!(read(&body).unwrap().display_names);
        body["format"] = json!("jsonl");
        assert_eq!(told(&body), [("wrong_csv", "/csv".to_owned())]);
        body["csv"] = Value::Null;
        assert!(read(&body).is_ok());
    }

    #[test]
    fn a_wrong_window_is_repeated_where_it_is_wrong() {
        let value = |from: &str, to: &str| {
            let faults = read(&with("/window", json!({ "from": from, "to": to }))).unwrap_err();
            faults.told()[0].value.clone().unwrap()
        };
        let (early, late) = ("2026-05-01T00:00:00Z", "2026-05-02T00:00:00Z");
        assert_eq!(value(late, early), json!({ "from": late, "to": early }));
        assert_eq!(value(early, "2026-06-01T00:00:01Z"), json!("2026-06-01T00:00:01Z"));
    }
}
