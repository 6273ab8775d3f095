//! Which rows of a record an export takes, and how they are written.

use export::{
    Catalog, Column, Compression, FieldPath, Format, TableSelection, TimeFormat, Window, parse_time,
};
use jiff::Timestamp;
use serde_json::value::RawValue;

use crate::{
    csv,
    fields::{descend, fields},
    scan::Names,
    separators::{has_separators, push_escaped},
};

/// What becomes of a record that would go in as it is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It goes in; with its time.
    Taken(Timestamp),
    /// It is to be left out; with its time.
    Omitted(Timestamp),
    /// It is outside of the window.
    Outside,
    /// It goes in, but not byte for byte.
    Altered,
    /// It cannot be exported, and why.
    Bad(String),
}

/// Raised whenever the same records give other bytes than before.
const ROWS: u32 = 1;

/// One table's part of an export, ready to be applied to records.
#[derive(Debug)]
pub struct Selection {
    pub(crate) table: String,
    pub(crate) compression: Compression,
    window: Window,
    time_format: TimeFormat,
    format: Format,
    /// The fields of a record that are needed at all.
    names: Names,
    time: Place,
    time_path: FieldPath,
    explode: Option<Place>,
    omit: Option<Place>,
    /// Whether characters are escaped at which some readers end a line.
    escapes: bool,
    /// What is written of a row; none passes records through as they are.
    cells: Option<Vec<Cell>>,
}

/// Where a value stands: a field of the record and the path below it.
#[derive(Debug)]
struct Place {
    field: usize,
    path: Vec<Names>,
}

#[derive(Debug)]
struct Cell {
    name: String,
    /// The name as a JSON key with its colon.
    key: String,
    from: From,
}

#[derive(Debug)]
enum From {
    Record(Place),
    Element(Vec<Names>),
}

impl Selection {
    /// Prepares what `request` takes of a table; none if the catalog has no such table or column.
    pub fn new(
        catalog: &Catalog,
        request: &TableSelection,
        window: Window,
        format: Format,
    ) -> Option<Self> {
        let table = catalog.table(&request.table)?;
        let dataset = catalog.dataset_of(table);
        let mut names = Vec::new();
        let columns: Option<Vec<&Column>> = match &request.columns {
            Some(asked) => {
                Some(asked.iter().map(|name| table.column(name)).collect::<Option<_>>()?)
            }
            None if format == Format::Csv || table.explode.is_some() => {
                Some(table.columns.iter().collect())
            }
            None => None,
        };
        Some(Self {
            table: table.name.clone(),
            compression: dataset.compression,
            window,
            time_format: dataset.time_format,
            format,
            time: place(&mut names, &dataset.time),
            time_path: dataset.time.clone(),
            explode: table.explode.as_ref().map(|path| place(&mut names, path)),
            omit: table.omit.as_ref().map(|path| place(&mut names, path)),
            escapes: false,
            cells: columns
                .map(|columns| columns.into_iter().map(|c| cell(&mut names, c)).collect()),
            names: Names::new(names),
        })
    }

    /// The same, with escapes for the characters at which some readers end a line of JSON.
    #[must_use]
    pub fn escaping_separators(self) -> Self {
        Self { escapes: true, ..self }
    }

    /// Returns what stands at the head of the table's file.
    pub fn head(&self) -> Vec<u8> {
        let mut head = Vec::new();
        if let (Format::Csv, Some(cells)) = (self.format, &self.cells) {
            csv::push_header(&mut head, cells.iter().map(|cell| cell.name.as_str()));
        }
        head
    }

    /// Returns a text that differs where the same records would give other rows, but for the window.
    pub fn identity(&self) -> String {
        let read = (&self.table, self.compression, self.time_format, &self.names, &self.time);
        let written = (self.format, self.escapes, &self.explode, &self.omit, &self.cells);
        format!("{ROWS} {read:?} {written:?}")
    }

    /// Tells whether records that are taken go in as they are.
    pub(crate) fn passes_through(&self) -> bool {
        self.cells.is_none() && self.explode.is_none() && self.format == Format::Jsonl
    }

    /// Judges a record where those that are taken go in as they are.
    pub(crate) fn judge(&self, record: &[u8]) -> Verdict {
        let (text, found) = match self.found(record) {
            Ok(found) => found,
            Err(reason) => return Verdict::Bad(reason),
        };
        match self.time_of(&found) {
            Err(reason) => Verdict::Bad(reason),
            Ok(time) if !self.window.contains(time) => Verdict::Outside,
            Ok(time) if self.omits(&found) => Verdict::Omitted(time),
            Ok(_) if self.escapes && has_separators(text) => Verdict::Altered,
            Ok(time) => Verdict::Taken(time),
        }
    }

    fn found<'a>(&self, record: &'a [u8]) -> Result<(&'a str, Vec<Option<&'a str>>), String> {
        let text = simdutf8::basic::from_utf8(record).map_err(|_| "it is not UTF-8".to_owned())?;
        let found =
            fields(text, &self.names).map_err(|e| format!("it is not one JSON object: {e}"))?;
        Ok((text, found))
    }

    fn omits(&self, found: &[Option<&str>]) -> bool {
        let value = self.omit.as_ref().and_then(|place| place.find(found));
        value == Some("true")
    }

    /// Appends the rows that are taken of a record. Returns its time and how many they are, none if it
    /// is outside of the window, or what is wrong with it.
    pub(crate) fn push_rows(
        &self,
        record: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Option<(Timestamp, u64)>, String> {
        let begin = out.len();
        self.try_push_rows(record, out).inspect_err(|_| out.truncate(begin))
    }

    fn try_push_rows(
        &self,
        record: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Option<(Timestamp, u64)>, String> {
        let (text, found) = self.found(record)?;
        let time = self.time_of(&found)?;
        if !self.window.contains(time) {
            return Ok(None);
        }
        if self.omits(&found) {
            return Ok(Some((time, 0)));
        }
        let Some(place) = &self.explode else {
            self.push_row(text, &found, None, out)?;
            return Ok(Some((time, 1)));
        };
        let Some(list) = place.find(&found).filter(|value| *value != "null") else {
            return Ok(Some((time, 0)));
        };
        let elements: Vec<&RawValue> =
            serde_json::from_str(list).map_err(|_| "the field to explode is no list".to_owned())?;
        for element in &elements {
            self.push_row(text, &found, Some(element.get()), out)?;
        }
        Ok(Some((time, elements.len() as u64)))
    }

    fn time_of(&self, found: &[Option<&str>]) -> Result<Timestamp, String> {
        let Some(value) = self.time.find(found) else {
            return Err(format!("it has no time: {} is missing", self.time_path));
        };
        let text = value.trim_matches('"');
        parse_time(text, self.time_format)
            .ok_or_else(|| format!("its time, {}, cannot be read", self.time_path))
    }

    fn push_row(
        &self,
        record: &str,
        found: &[Option<&str>],
        element: Option<&str>,
        out: &mut Vec<u8>,
    ) -> Result<(), String> {
        let Some(cells) = &self.cells else {
            self.push_json(record, out);
            out.push(b'\n');
            return Ok(());
        };
        let values = cells.iter().map(|cell| match &cell.from {
            From::Record(place) => place.find(found),
            From::Element(path) => descend(element?, path),
        });
        match self.format {
            Format::Csv => {
                csv::push_row(out, values).map_err(|_| "a text in it is not Unicode".to_owned())?;
            }
            Format::Jsonl => {
                for (i, (cell, value)) in cells.iter().zip(values).enumerate() {
                    out.push(if i == 0 { b'{' } else { b',' });
                    out.extend(cell.key.as_bytes());
                    self.push_json(value.unwrap_or("null"), out);
                }
                out.extend(b"}\n");
            }
        }
        Ok(())
    }

    fn push_json(&self, json: &str, out: &mut Vec<u8>) {
        if self.escapes && has_separators(json) {
            push_escaped(json, out);
        } else {
            out.extend(json.as_bytes());
        }
    }
}

impl Place {
    fn find<'a>(&self, found: &[Option<&'a str>]) -> Option<&'a str> {
        descend(found[self.field]?, &self.path)
    }
}

/// Each name of a path by itself.
fn single(path: &[String]) -> Vec<Names> {
    path.iter().map(|name| Names::new(vec![name.clone()])).collect()
}

fn place(names: &mut Vec<String>, path: &FieldPath) -> Place {
    let (first, rest) = path.0.split_first().map_or(("", &[][..]), |(first, rest)| (first, rest));
    let field = names.iter().position(|name| name == first).unwrap_or_else(|| {
        names.push(first.to_owned());
        names.len() - 1
    });
    Place { field, path: single(rest) }
}

fn cell(names: &mut Vec<String>, column: &Column) -> Cell {
    let from = if column.of_element {
        From::Element(single(&column.path.0))
    } else {
        From::Record(place(names, &column.path))
    };
    let key = format!("{}:", serde_json::Value::from(column.name.as_str()));
    Cell { name: column.name.clone(), key, from }
}
