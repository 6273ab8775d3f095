//! The files of an export, and the formats of rows.

use std::fmt;

use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};

/// The files that an export has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Files {
    /// A ZIP with a file for each table, named after the table, as `page.csv`.
    #[default]
    Tables,
    /// A ZIP with one file of this name, for the only table. The file can also be downloaded without the ZIP.
    Single(String),
    /// A ZIP with a gzip file for each source object of the only table. A name tells the day and hour in which
    /// the object was filed, and a number: `folder/folder_2026-03-01_7#0.json.gz`.
    Hourly(String),
    /// Plain files without a ZIP, as many for each table as its size needs: `page-0.csv`.
    Parts(Parts),
    /// No files: rows are only counted.
    Counts,
}

/// When a plain file ends and the next begins. A row is never split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parts {
    /// The most bytes of a file. A single row may be longer.
    pub max_bytes: u64,
    /// The most rows of a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_rows: Option<u64>,
    /// Whether names end in the format, as `.csv`.
    pub suffix: bool,
}

/// One of the plain files of an export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlainFile {
    /// Its name.
    pub name: String,
    /// The table of its rows.
    pub table: String,
    /// Its size, in bytes.
    pub size_bytes: u64,
    /// Rows in it.
    pub rows: u64,
    /// The CRC-32 of its bytes, as 8 hexadecimal digits. `None` in lists of an earlier version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crc32: Option<String>,
}

/// The formats of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// JSON Lines: each line is one object.
    Jsonl,
    /// CSV with a header row: see [`CsvStyle`].
    Csv,
    /// Apache Parquet, with the types of the catalog.
    Parquet,
}

/// The styles of CSV. In each of them null is an empty cell, numbers are written as in the lake, and objects
/// and lists as their JSON text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CsvStyle {
    /// RFC 4180 in UTF-8 with LF after each row. An empty text is `""`, unlike null.
    #[default]
    Rfc4180,
    /// As `Rfc4180` after a byte order mark, and with an empty cell for an empty text.
    Excel,
    /// As `Excel`, with a quote before each backslash.
    ExcelLiteral,
    /// After a byte order mark, each row on one line: line breaks in texts become spaces, and a backslash stands
    /// before quotes and backslashes.
    NoNewline,
    /// As `NoNewline`, without any separator between rows.
    NoNewlineDropped,
}

impl Files {
    /// Returns the name of file `number` for the objects that were filed in the hour of `hour`.
    pub fn hourly_name(folder: &str, hour: Timestamp, number: usize) -> String {
        let hour = hour.to_zoned(TimeZone::UTC);
        format!("{folder}/{folder}_{}_{}#{number}.json.gz", hour.strftime("%Y-%m-%d"), hour.hour())
    }
}

impl Format {
    /// Every format with its name in requests.
    pub const ALL: [(&str, Self); 3] =
        [("jsonl", Self::Jsonl), ("csv", Self::Csv), ("parquet", Self::Parquet)];
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
            Self::Parquet => "parquet",
        })
    }
}

impl CsvStyle {
    /// Every style that requests can choose, with its name.
    pub const ALL: [(&str, Self); 3] =
        [("rfc4180", Self::Rfc4180), ("excel", Self::Excel), ("no_newline", Self::NoNewline)];
}
