//! How records stand in the objects of a dataset.

use serde::Deserialize;
use toml::Spanned;

use super::{ColumnType, Level, read::Fault, table::named_type};

/// The most fields of a row of delimited text.
pub const MAX_FIELDS: usize = 2000;

/// How records stand in objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordFormat {
    /// As JSON values.
    Json(JsonFormat),
    /// As lines of fields.
    Delimited(Delimited),
    /// As the rows of Parquet.
    Parquet,
}

/// JSON values, and where the records are in them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JsonFormat {
    /// Whether a value is a string that has the JSON text of the record.
    pub unwrap: bool,
    /// The nested lists whose elements are the records, from the outermost. If empty, each value is a record.
    pub records: Vec<Level>,
}

/// Lines of fields, such as CSV.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delimited {
    /// What stands between fields.
    pub separator: u8,
    /// Whether fields may stand in double quotes.
    pub quotes: bool,
    /// Whether the first line of an object has the names of fields.
    pub header: bool,
    /// The names and types of fields: in their order without a header, else of those that are not texts.
    pub columns: Vec<(String, ColumnType)>,
}

impl RecordFormat {
    /// Whether each value is a record as it stands.
    pub fn is_plain(&self) -> bool {
        matches!(self, Self::Json(json) if !json.unwrap && json.records.is_empty())
    }
}

/// The settings of a dataset that say it.
#[derive(Default)]
pub(super) struct RawFormat {
    pub(super) format: Option<Spanned<Kind>>,
    pub(super) unwrap: Option<Spanned<bool>>,
    pub(super) records: Option<Spanned<String>>,
    pub(super) header: Option<Spanned<bool>>,
    pub(super) separator: Option<Spanned<String>>,
    pub(super) columns: Option<Spanned<Vec<String>>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    #[default]
    Json,
    Csv,
    Tsv,
    Parquet,
}

impl RawFormat {
    pub(super) fn build(self) -> Result<RecordFormat, Fault> {
        let kind = self.format.as_ref().map(|kind| *kind.get_ref()).unwrap_or_default();
        let of_lines = [
            self.header.as_ref().map(Spanned::span),
            self.separator.as_ref().map(Spanned::span),
            self.columns.as_ref().map(Spanned::span),
        ];
        let of_lines = of_lines.into_iter().flatten().next();
        if let Some(span) = of_lines.filter(|_| matches!(kind, Kind::Json | Kind::Parquet)) {
            return Err((span.start, "it is a setting of the formats csv and tsv".to_owned()));
        }
        let of_json =
            [self.unwrap.as_ref().map(Spanned::span), self.records.as_ref().map(Spanned::span)];
        let of_json = of_json.into_iter().flatten().next();
        if let Some(span) = of_json.filter(|_| kind != Kind::Json) {
            return Err((span.start, "it is a setting of the format json".to_owned()));
        }
        if kind == Kind::Parquet {
            return Ok(RecordFormat::Parquet);
        }
        if kind == Kind::Json {
            let records = match &self.records {
                None => Vec::new(),
                Some(text) => {
                    Level::parse(text.get_ref()).map_err(|reason| (text.span().start, reason))?
                }
            };
            let unwrap = self.unwrap.is_some_and(Spanned::into_inner);
            return Ok(RecordFormat::Json(JsonFormat { unwrap, records }));
        }
        let at = self.format.map_or(0, |kind| kind.span().start);
        let header = self.header.map(Spanned::into_inner);
        let columns = self.columns.map(columns).transpose()?;
        if header != Some(true) && columns.is_none() && header.is_some() {
            return Err((
                at,
                "without a header, columns name the fields in their order".to_owned(),
            ));
        }
        let header = header.unwrap_or(columns.is_none());
        let separator = match &self.separator {
            None if kind == Kind::Tsv => b'\t',
            None => b',',
            Some(text) => match text.get_ref().as_bytes() {
                [byte] if byte.is_ascii() && !b"\"\r\n".contains(byte) => *byte,
                _ => {
                    let reason =
                        "a separator is one ASCII character, neither a quote nor a line end";
                    return Err((text.span().start, reason.to_owned()));
                }
            },
        };
        let columns = columns.unwrap_or_default();
        Ok(RecordFormat::Delimited(Delimited {
            separator,
            quotes: kind == Kind::Csv,
            header,
            columns,
        }))
    }
}

fn columns(raw: Spanned<Vec<String>>) -> Result<Vec<(String, ColumnType)>, Fault> {
    let at = raw.span().start;
    let mut columns: Vec<(String, ColumnType)> = Vec::new();
    for text in raw.into_inner() {
        let (name, kind) = named_type(&text).map_err(|reason| (at, reason))?;
        if name.is_empty() || columns.iter().any(|(known, _)| known == name) {
            return Err((at, format!("{name:?} is no name of a field, or the name of two")));
        }
        columns.push((name.to_owned(), kind));
    }
    if !(1..=MAX_FIELDS).contains(&columns.len()) {
        return Err((at, format!("there are 1 to {MAX_FIELDS} columns")));
    }
    Ok(columns)
}
