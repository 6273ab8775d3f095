//! Rows of CSV and the like, as JSON.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use export::{ColumnType, Delimited, MAX_FIELDS};

use crate::{lines::TOO_LONG, values::MAX_ROW_BYTES};

/// Reads rows from bytes as they come.
pub(crate) struct DelimitedReader<'a> {
    format: &'a Delimited,
    reader: Reader,
    /// The keys of fields as JSON, each with its colon, and their types.
    keys: Vec<(String, ColumnType)>,
    /// Whether the line of names is still to come.
    awaits_header: bool,
    fields: Vec<u8>,
    fields_len: usize,
    ends: Vec<usize>,
    ends_len: usize,
    /// Where the row at hand begins.
    line: u64,
    /// Why the fields of the row at hand are dropped, if they are.
    flaw: Option<&'static str>,
    json: Vec<u8>,
}

/// A row: its JSON text, or what is wrong with it.
pub(crate) type Row<'r> = Result<&'r [u8], String>;

impl<'a> DelimitedReader<'a> {
    pub(crate) fn new(format: &'a Delimited) -> Self {
        let mut builder = ReaderBuilder::new();
        builder.delimiter(format.separator).quoting(format.quotes);
        let key = |(name, kind): &(String, ColumnType)| (key(name), *kind);
        Self {
            format,
            reader: builder.build(),
            keys: if format.header { Vec::new() } else { format.columns.iter().map(key).collect() },
            awaits_header: format.header,
            fields: vec![0; 64 << 10],
            fields_len: 0,
            // A row that fills them to the last is not too long: it ends there.
            ends: vec![0; MAX_FIELDS],
            ends_len: 0,
            line: 1,
            flaw: None,
            json: Vec::new(),
        }
    }

    /// Calls `each` with the line and the content of every row that `bytes` completes.
    pub(crate) fn push<E>(
        &mut self,
        mut bytes: &[u8],
        mut each: impl FnMut(u64, Row<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        while !bytes.is_empty() {
            let (_, read) = self.step(bytes, &mut each)?;
            bytes = &bytes[read..];
        }
        Ok(())
    }

    /// Calls `each` with the last row, if its line has no end.
    pub(crate) fn finish<E>(
        mut self,
        mut each: impl FnMut(u64, Row<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        while !self.step(&[], &mut each)?.0 {}
        Ok(())
    }

    /// Reads on. Returns whether that was the end, and how many bytes were read.
    fn step<E>(
        &mut self,
        bytes: &[u8],
        each: &mut impl FnMut(u64, Row<'_>) -> Result<(), E>,
    ) -> Result<(bool, usize), E> {
        let fields = &mut self.fields[self.fields_len..];
        let ends = &mut self.ends[self.ends_len..];
        let (result, read, written, ended) = self.reader.read_record(bytes, fields, ends);
        self.fields_len += written;
        self.ends_len += ended;
        match result {
            ReadRecordResult::InputEmpty => {}
            ReadRecordResult::End => return Ok((true, read)),
            ReadRecordResult::OutputFull if self.fields.len() < MAX_ROW_BYTES => {
                self.fields.resize((2 * self.fields.len()).min(MAX_ROW_BYTES), 0);
            }
            ReadRecordResult::OutputFull => {
                self.flaw = Some(TOO_LONG);
                (self.fields_len, self.ends_len) = (0, 0);
            }
            ReadRecordResult::OutputEndsFull => {
                self.flaw = Some("it has more than 2000 fields, the most that a row may have");
                (self.fields_len, self.ends_len) = (0, 0);
            }
            ReadRecordResult::Record => {
                let row = self.row();
                let row = row.map(|has_row| has_row.then_some(()));
                let line = std::mem::replace(&mut self.line, self.reader.line());
                (self.fields_len, self.ends_len, self.flaw) = (0, 0, None);
                match row {
                    Ok(Some(())) => each(line, Ok(&self.json))?,
                    Ok(None) => {}
                    Err(reason) => each(line, Err(reason))?,
                }
            }
        }
        Ok((false, read))
    }

    /// Writes the row at hand as JSON. Returns false if it is the line of names.
    fn row(&mut self) -> Result<bool, String> {
        // Should it be bad, the next is no line of names: without any, each row is one too long, and told.
        let is_header = std::mem::take(&mut self.awaits_header);
        if let Some(flaw) = self.flaw {
            return Err(flaw.to_owned());
        }
        let text = std::str::from_utf8(&self.fields[..self.fields_len]);
        let text = text.map_err(|_| "it is not UTF-8".to_owned())?;
        let ends = &self.ends[..self.ends_len];
        let mut begin = 0;
        let fields = ends.iter().map(|end| {
            // A field that ends within a character would have made the text no UTF-8, but for a separator that is one.
            let field = text.get(begin..*end).unwrap_or_default();
            begin = *end;
            field
        });
        if is_header {
            let kind = |name: &str| {
                let known = self.format.columns.iter().find(|(known, _)| known == name);
                known.map_or(ColumnType::String, |(_, kind)| *kind)
            };
            self.keys = fields.map(|name| (key(name), kind(name))).collect();
            return Ok(false);
        }
        if ends.len() > self.keys.len() {
            return Err(format!("it has {} fields, and there are {}", ends.len(), self.keys.len()));
        }
        self.json.clear();
        let fields = fields.map(Some).chain(std::iter::repeat(None));
        for (number, ((key, kind), field)) in self.keys.iter().zip(fields).enumerate() {
            self.json.push(if number == 0 { b'{' } else { b',' });
            self.json.extend(key.as_bytes());
            push_value(field.unwrap_or_default(), *kind, &mut self.json);
        }
        self.json.push(b'}');
        Ok(true)
    }
}

fn key(name: &str) -> String {
    format!("{}:", serde_json::Value::from(name))
}

/// Appends a field as JSON: null if it is empty, and a string if it is not of its type.
fn push_value(field: &str, kind: ColumnType, json: &mut Vec<u8>) {
    let is_json = || serde_json::from_str::<&serde_json::value::RawValue>(field).is_ok();
    let is_bare = match kind {
        _ if field.is_empty() => return json.extend(b"null"),
        ColumnType::String | ColumnType::Time => false,
        ColumnType::Integer | ColumnType::Number => {
            field.starts_with(|c: char| c == '-' || c.is_ascii_digit()) && is_json()
        }
        ColumnType::Boolean => matches!(field, "true" | "false"),
        ColumnType::Json => is_json(),
    };
    if is_bare {
        json.extend(
            field.bytes().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte }),
        );
    } else {
        json.extend(serde_json::Value::from(field).to_string().as_bytes());
    }
}
