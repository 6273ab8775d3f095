//! The datasets and tables of a deployment.

mod read;

use std::{collections::BTreeMap, fmt};

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::{PartitionPath, TimeFormat};

/// The datasets and tables of a deployment. Consistent once built.
#[derive(Clone, Debug)]
pub struct Catalog {
    datasets: BTreeMap<String, Dataset>,
    tables: BTreeMap<String, Table>,
    /// What can be read in two ways in the documents of the Coveo dialect.
    pub coveo: CoveoChoices,
}

/// How the Coveo dialect writes what its documents leave open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CoveoChoices {
    /// What becomes of a backslash in the format `EXCEL`.
    #[serde(default)]
    pub excel_backslash: ExcelBackslash,
    /// What becomes of the end of a row in the format `NO_NEWLINE`.
    #[serde(default)]
    pub no_newline_rows: NoNewlineRows,
}

/// What becomes of a backslash in the format `EXCEL` of the Coveo dialect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExcelBackslash {
    /// It stays as it is, as common readers expect.
    #[default]
    Plain,
    /// A quote is put before it, as the document says by the letter.
    Literal,
}

/// What becomes of the end of a row in the format `NO_NEWLINE` of the Coveo dialect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoNewlineRows {
    /// Rows end in LF.
    #[default]
    Keep,
    /// Rows follow each other without any end, as the document says by the letter.
    Drop,
}

/// One kind of record in the lake.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// Its name in the catalog.
    pub name: String,
    /// Where its objects lie.
    pub path: PartitionPath,
    /// Which field is its time.
    pub time: FieldPath,
    /// How that field is written.
    pub time_format: TimeFormat,
    /// How long before its own time a row may have been filed, as by a client whose clock is ahead.
    pub early: SignedDuration,
    /// How long after its own time a row may have been filed.
    pub late: SignedDuration,
    /// How its objects are compressed.
    pub compression: Compression,
    /// When rows can be exported, if that is asked for.
    pub release: Option<Release>,
    /// How far back there is data; none goes back for ever.
    pub retention: Option<SignedDuration>,
    /// Bytes of source objects, as stored, that one export may read where the dialect has such a limit.
    pub max_export_bytes: u64,
}

/// When rows can be exported: at the next multiple of some hours, counted from 1970, from when they were
/// filed, and from some hours after they ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// Hours between releases.
    pub every: SignedDuration,
    /// Hours after the end.
    pub after: SignedDuration,
    /// How long it took, in seconds from its time to its end.
    pub duration: FieldPath,
}

/// How objects are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// As its first bytes tell: gzip, Zstandard or plain.
    #[default]
    Auto,
    /// gzip (RFC 1952), one member or many.
    Gzip,
    /// Zstandard (RFC 8878), one frame or many.
    Zstd,
    /// Plain.
    None,
}

/// Rows and columns over a dataset.
#[derive(Clone, Debug)]
pub struct Table {
    /// What requests call it.
    pub name: String,
    /// What it holds, for people.
    pub description: String,
    /// The dataset its rows come from.
    pub dataset: String,
    /// The lists in which its rows are, from the outermost; without any, every record is a row.
    pub explode: Vec<Level>,
    /// The column that must not be null in its rows.
    pub require: Option<String>,
    /// The field whose being `true` keeps a record out of it.
    pub omit: Option<FieldPath>,
    /// Whether records lack columns that a dialect promises, and must be rewritten with `null` there.
    pub fill: bool,
    /// Its columns, in their order.
    pub columns: Vec<Column>,
    /// What its rows belong to, with those of other tables.
    pub relation: Option<Relation>,
}

/// A list of rows, or of what lists rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Level {
    /// Where it stands in the record, or in an element of the level before.
    pub path: FieldPath,
    /// Whether it is an object, whose entries are listed with name and value.
    pub entries: bool,
}

/// What rows of several tables belong to: those that have the same value there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relation {
    /// Its name, the same for all these tables.
    pub name: String,
    /// Where the value stands in the record.
    pub path: FieldPath,
}

/// One column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// What requests and headers call it.
    pub name: String,
    /// What people call it.
    pub display: String,
    /// What filters call it, too.
    pub also: Vec<String>,
    /// What its values are.
    pub kind: ColumnType,
    /// Where it stands in the record.
    pub path: FieldPath,
    /// The level of whose elements it is, from 0; none is the record.
    pub level: Option<usize>,
    /// Whether it is the name of an entry.
    pub is_key: bool,
    /// What stands where there is no value, as JSON text.
    pub default: Option<String>,
    /// Whether CSV has its instants as `2026-03-01 10:20:30.400`, in UTC.
    pub sql_time: bool,
}

/// What a column's values are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnType {
    /// Text.
    #[default]
    String,
    /// A whole number, up to 64 bits and beyond: it passes through digit for digit.
    Integer,
    /// A decimal number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// An instant.
    Time,
    /// An object or a list.
    Json,
}

/// The names from the top of a record down to a field; none is the record or element itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldPath(pub Vec<String>);

/// Why a catalog was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {reason}")]
pub struct CatalogError {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub reason: String,
}

impl Catalog {
    /// Returns the catalog that ships with the code: the tables of the four dialects.
    pub fn built_in() -> Result<Self, CatalogError> {
        Self::parse("catalog.toml", include_str!("../catalog.toml"))
    }

    /// Returns a table by its name.
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables.get(name)
    }

    /// Returns every table, by name.
    pub fn tables(&self) -> impl Iterator<Item = &Table> {
        self.tables.values()
    }

    /// Returns every dataset, by name.
    pub fn datasets(&self) -> impl Iterator<Item = &Dataset> {
        self.datasets.values()
    }

    /// Returns the dataset under a table of this catalog.
    pub fn dataset_of(&self, table: &Table) -> &Dataset {
        &self.datasets[&table.dataset]
    }
}

impl Table {
    /// Returns a column by its name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Returns a column by its name, in any case where only one column is called so.
    pub fn find(&self, name: &str) -> Option<&Column> {
        let any_case = || {
            let so = |column: &&Column| column.name.eq_ignore_ascii_case(name);
            let mut columns = self.columns.iter().filter(so);
            columns.next().filter(|_| columns.next().is_none())
        };
        self.column(name).or_else(any_case)
    }

    /// Returns a column by what filters call it, too, in any case.
    pub fn also_called(&self, name: &str) -> Option<&Column> {
        let so = |column: &&Column| column.also.iter().any(|also| also.eq_ignore_ascii_case(name));
        self.columns.iter().find(so)
    }

    /// Returns where the value stands by which its rows belong to those of other tables.
    pub fn relation_path(&self) -> Option<&FieldPath> {
        self.relation.as_ref().map(|relation| &relation.path)
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("."))
    }
}
