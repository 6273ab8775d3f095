//! How rows become files.

use std::fmt;

use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};

/// What files an archive has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Files {
    /// One for each table, named after it, as `page.csv`.
    #[default]
    Tables,
    /// One of this name, for the only table. Its content can also be had as it is, without a ZIP.
    Single(String),
    /// A gzip file for each source object of the only table, `folder/folder_2026-03-01_7#0.json.gz`: the
    /// day and hour in which it was filed, and a number.
    Hourly(String),
    /// Plain files instead of an archive, as many for each table as it takes: `page-0.csv`.
    Parts(Parts),
    /// None: rows are only counted.
    Counts,
}

/// When a plain file is followed by the next. Rows are never split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parts {
    /// The most bytes of a file, but for a single row.
    pub max_bytes: u64,
    /// The most rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_rows: Option<u64>,
    /// Whether names end in the format.
    pub suffix: bool,
}

/// One of the plain files of an export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlainFile {
    /// Its name.
    pub name: String,
    /// The table whose rows it has.
    pub table: String,
    /// Its size.
    pub size_bytes: u64,
    /// Rows in it.
    pub rows: u64,
}

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// JSON Lines: an object a line.
    Jsonl,
    /// CSV with a header row: see [`CsvStyle`].
    Csv,
}

/// How CSV is written. In all styles null is an empty cell, numbers are as in the lake, and objects and
/// lists are their JSON text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CsvStyle {
    /// RFC 4180 in UTF-8, rows ending in LF. An empty text is `""`, unlike null.
    #[default]
    Rfc4180,
    /// The same after a byte order mark; empty texts are empty cells.
    Excel,
    /// As `Excel`, with a quote before each backslash.
    ExcelLiteral,
    /// After a byte order mark. A record is one line: line breaks in texts are spaces. A backslash stands
    /// before quotes and backslashes.
    NoNewline,
    /// As `NoNewline`, and rows do not end.
    NoNewlineDropped,
}

impl Files {
    /// Returns the name of the file that holds part `number` of what was filed in the hour of `hour`.
    pub fn hourly_name(folder: &str, hour: Timestamp, number: usize) -> String {
        let hour = hour.to_zoned(TimeZone::UTC);
        format!("{folder}/{folder}_{}_{}#{number}.json.gz", hour.strftime("%Y-%m-%d"), hour.hour())
    }
}

impl Format {
    /// Every format, by the name requests use.
    pub const ALL: [(&str, Self); 2] = [("jsonl", Self::Jsonl), ("csv", Self::Csv)];
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
        })
    }
}

impl CsvStyle {
    /// The styles there are to choose from, by the name requests use.
    pub const ALL: [(&str, Self); 3] =
        [("rfc4180", Self::Rfc4180), ("excel", Self::Excel), ("no_newline", Self::NoNewline)];
}
