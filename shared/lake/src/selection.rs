//! Which rows of a record an export takes, and how they are written.

use export::{
    Catalog, Column, Compression, FieldPath, Format, TableSelection, TimeFormat, Window, parse_time,
};
use serde_json::value::RawValue;

use crate::{
    csv,
    fields::{descend, fields},
};

/// One table's part of an export, ready to be applied to records.
#[derive(Debug)]
pub struct Selection {
    pub(crate) table: String,
    pub(crate) compression: Compression,
    window: Window,
    time_format: TimeFormat,
    format: Format,
    /// The fields of a record that are needed at all.
    names: Vec<String>,
    time: Place,
    explode: Option<Place>,
    omit: Option<Place>,
    /// What is written of a row; none passes records through as they are.
    cells: Option<Vec<Cell>>,
}

/// Where a value stands: a field of the record and the path below it.
#[derive(Debug)]
struct Place {
    field: usize,
    path: Vec<String>,
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
    Element(Vec<String>),
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
            explode: table.explode.as_ref().map(|path| place(&mut names, path)),
            omit: table.omit.as_ref().map(|path| place(&mut names, path)),
            cells: columns
                .map(|columns| columns.into_iter().map(|c| cell(&mut names, c)).collect()),
            names,
        })
    }

    /// Appends what stands at the head of the table's file.
    pub(crate) fn push_head(&self, out: &mut Vec<u8>) {
        if let (Format::Csv, Some(cells)) = (self.format, &self.cells) {
            csv::push_header(out, cells.iter().map(|cell| cell.name.as_str()));
        }
    }

    /// Tells whether records that are taken go in as they are.
    pub(crate) fn passes_through(&self) -> bool {
        self.cells.is_none() && self.explode.is_none() && self.format == Format::Jsonl
    }

    /// Tells whether a record goes in as it is; not if it is a bad one.
    pub(crate) fn takes_whole(&self, record: &[u8]) -> bool {
        let Ok(text) = str::from_utf8(record) else { return false };
        let Ok(found) = fields(text, &self.names) else { return false };
        let wanted = self.time_of(&found).is_ok_and(|time| self.window.contains(time));
        wanted && !self.omits(&found)
    }

    fn omits(&self, found: &[Option<&RawValue>]) -> bool {
        let value = self.omit.as_ref().and_then(|place| place.find(found));
        value.is_some_and(|value| value.get() == "true")
    }

    /// Appends the rows that are taken of a record, and returns how many, or what is wrong with it.
    pub(crate) fn push_rows(&self, record: &[u8], out: &mut Vec<u8>) -> Result<u64, String> {
        let begin = out.len();
        self.try_push_rows(record, out).inspect_err(|_| out.truncate(begin))
    }

    fn try_push_rows(&self, record: &[u8], out: &mut Vec<u8>) -> Result<u64, String> {
        let text = str::from_utf8(record).map_err(|_| "it is not UTF-8".to_owned())?;
        let found =
            fields(text, &self.names).map_err(|e| format!("it is not one JSON object: {e}"))?;
        if !self.window.contains(self.time_of(&found)?) || self.omits(&found) {
            return Ok(0);
        }
        let Some(place) = &self.explode else {
            return self.push_row(text, &found, None, out).map(|()| 1);
        };
        let Some(list) = place.find(&found).filter(|value| value.get() != "null") else {
            return Ok(0);
        };
        let elements: Vec<&RawValue> = serde_json::from_str(list.get())
            .map_err(|_| "the field to explode is no list".to_owned())?;
        for element in &elements {
            self.push_row(text, &found, Some(element), out)?;
        }
        Ok(elements.len() as u64)
    }

    fn time_of(&self, found: &[Option<&RawValue>]) -> Result<jiff::Timestamp, String> {
        let field = || {
            FieldPath([&self.names[self.time.field..=self.time.field], &self.time.path].concat())
        };
        let Some(value) = self.time.find(found) else {
            return Err(format!("it has no time: {} is missing", field()));
        };
        let text = value.get().trim_matches('"');
        parse_time(text, self.time_format)
            .ok_or_else(|| format!("its time, {}, cannot be read", field()))
    }

    fn push_row(
        &self,
        record: &str,
        found: &[Option<&RawValue>],
        element: Option<&RawValue>,
        out: &mut Vec<u8>,
    ) -> Result<(), String> {
        let Some(cells) = &self.cells else {
            out.extend(record.as_bytes());
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
                    out.extend(value.map_or("null", RawValue::get).as_bytes());
                }
                out.extend(b"}\n");
            }
        }
        Ok(())
    }
}

impl Place {
    fn find<'a>(&self, found: &[Option<&'a RawValue>]) -> Option<&'a RawValue> {
        descend(found[self.field]?, &self.path)
    }
}

fn place(names: &mut Vec<String>, path: &FieldPath) -> Place {
    let (first, rest) = path.0.split_first().map_or(("", &[][..]), |(first, rest)| (first, rest));
    let field = names.iter().position(|name| name == first).unwrap_or_else(|| {
        names.push(first.to_owned());
        names.len() - 1
    });
    Place { field, path: rest.to_vec() }
}

fn cell(names: &mut Vec<String>, column: &Column) -> Cell {
    let from = if column.of_element {
        From::Element(column.path.0.clone())
    } else {
        From::Record(place(names, &column.path))
    };
    let key = format!("{}:", serde_json::Value::from(column.name.as_str()));
    Cell { name: column.name.clone(), key, from }
}
