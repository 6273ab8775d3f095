//! How records stand in objects, and what some of them have.

use std::{collections::BTreeSet, fmt};

use export::Compression;
use lake::head;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::Value;

use crate::{delimited, nested, sample::Sample, time::is_time_like};

/// The most records of an object that are looked at.
const MAX_RECORDS: usize = 300;
/// How much of an object is looked at, in bytes, decompressed.
const MAX_CONTENT_BYTES: usize = 1 << 20;
/// Likewise, where a single value is longer.
const MAX_VALUE_BYTES: usize = 16 << 20;

/// How records stand in objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// As JSON values, or inside of them.
    Json { unwrap: bool, records: Option<String>, has_many_on_a_line: bool },
    /// As lines of fields. Names are those that stand nowhere in the objects.
    Delimited { separator: u8, names: Option<Vec<String>>, types: Vec<(String, &'static str)> },
    /// As rows of Parquet.
    Parquet,
}

/// What some objects are found to have.
#[derive(Clone, Debug)]
pub(crate) struct Content {
    pub(crate) format: Format,
    /// What has to be said of the compression, if the objects do not tell it.
    pub(crate) compression: Option<&'static str>,
    pub(crate) records: Vec<Record>,
}

/// The fields of a record in their order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Record(pub(crate) Vec<(String, Value)>);

impl Record {
    /// Returns the names of its fields.
    pub(crate) fn names(&self) -> BTreeSet<&str> {
        self.0.iter().map(|(name, _)| &name[..]).collect()
    }
}

impl<'de> Deserialize<'de> for Record {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Record;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Record, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Record(fields))
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

/// A JSON value that may be a record.
#[derive(Deserialize)]
#[serde(untagged)]
enum Found {
    Record(Record),
    Records(Vec<Record>),
    Text(String),
    Other(#[expect(dead_code, reason = "what it is does not matter")] Value),
}

/// Looks at what an object has, or says why it cannot be read.
pub(crate) fn look(key: &str, sample: &Sample) -> Result<Content, String> {
    let (compression, content) = match sample {
        Sample::Parquet(lines) => {
            let (records, _) = json(lines);
            return match records {
                Some(Json { records, .. }) => {
                    Ok(Content { format: Format::Parquet, compression: None, records })
                }
                None => Err("it has no rows".to_owned()),
            };
        }
        Sample::Unreadable(reason) => return Err(reason.clone()),
        Sample::Stored(stored) => {
            let (compression, content) = decompressed(key, stored, MAX_CONTENT_BYTES)?;
            match json(&content) {
                // A document may have all of an object's rows.
                (None, true) if content.len() >= MAX_CONTENT_BYTES => {
                    decompressed(key, stored, MAX_VALUE_BYTES)?
                }
                _ => (compression, content),
            }
        }
    };
    let text = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&content);
    if text.trim_ascii().is_empty() {
        return Err("it has nothing".to_owned());
    }
    if text.starts_with(b"#Version") || text.starts_with(b"#Fields") {
        return Err("it is a log of the W3C's extended format, which has no setting".to_owned());
    }
    let (found, begins) = json(text);
    if let Some(Json { unwrap, records, has_many_on_a_line }) = found {
        let (path, records) = nested::records(records);
        let format = Format::Json { unwrap, records: path, has_many_on_a_line };
        return Ok(Content { format, compression, records });
    }
    if begins {
        return Err("it is JSON, but no record ends on its first line within what was read of it"
            .to_owned());
    }
    let (format, records) = delimited::read(text, content.len() < MAX_CONTENT_BYTES)
        .ok_or("it is text that is neither JSON, nor lines with as many fields each")?;
    Ok(Content { format, compression, records })
}

fn decompressed(
    key: &str,
    stored: &[u8],
    limit: usize,
) -> Result<(Option<&'static str>, Vec<u8>), String> {
    match head(Compression::Auto, key, stored, limit) {
        Ok(found) => Ok((None, found.content)),
        // Only these have no mark, and may have no suffix.
        Err(error) => match head(Compression::HadoopSnappy, key, stored, limit) {
            Ok(found) if !found.content.is_empty() => Ok((Some("hadoop_snappy"), found.content)),
            _ => Err(error.to_string()),
        },
    }
}

struct Json {
    unwrap: bool,
    records: Vec<Record>,
    has_many_on_a_line: bool,
}

/// Reads JSON values as far as they go. Returns whether the text begins as JSON does, too.
fn json(text: &[u8]) -> (Option<Json>, bool) {
    let text: Vec<u8> = text.iter().copied().filter(|byte| *byte != 0x1e).collect();
    let begins = matches!(text.trim_ascii_start().first(), Some(b'{' | b'['));
    let first_line = text.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii();
    if matches!(first_line, b"{" | b"[{") {
        return (None, begins);
    }
    let (mut plain, mut wrapped) = (Vec::new(), Vec::new());
    let (mut at, mut has_many_on_a_line) = (0, false);
    while at < text.len() && plain.len() + wrapped.len() < MAX_RECORDS {
        let mut values = serde_json::Deserializer::from_slice(&text[at..]).into_iter::<Found>();
        for value in values.by_ref().take(MAX_RECORDS) {
            let Ok(value) = value else { break };
            match value {
                Found::Record(record) => plain.push(record),
                Found::Records(records) => plain.extend(records),
                Found::Text(text) => wrapped.extend(serde_json::from_str::<Record>(&text).ok()),
                Found::Other(_) => {}
            }
        }
        let read = &text[at..at + values.byte_offset().min(text.len() - at)];
        has_many_on_a_line |= read.windows(2).any(|two| two == b"}{");
        // A line that is none is a bad row, and others may follow.
        at += read.len();
        match text[at..].iter().position(|byte| *byte == b'\n') {
            Some(end) => at += end + 1,
            None => break,
        }
    }
    let unwrap = plain.is_empty() && !wrapped.is_empty();
    let records = if unwrap { wrapped } else { plain };
    let found = (!records.is_empty()).then_some(Json { unwrap, records, has_many_on_a_line });
    (found, begins)
}

/// Whether a record has a field that could be its time.
pub(crate) fn has_time(record: &Record) -> bool {
    record.0.iter().any(|(name, value)| is_time_like(name, value))
}
