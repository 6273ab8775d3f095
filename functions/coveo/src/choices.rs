//! How CSV is written where the documents of this dialect allow two readings: `[dialect.coveo]` of the catalog.

use export::{Catalog, CatalogError};
use serde::Deserialize;

/// The choice between the readings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Choices {
    /// How the format `EXCEL` writes a backslash.
    #[serde(default)]
    pub(crate) excel_backslash: ExcelBackslash,
    /// How the format `NO_NEWLINE` ends a row.
    #[serde(default)]
    pub(crate) no_newline_rows: NoNewlineRows,
}

/// How the format `EXCEL` writes a backslash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ExcelBackslash {
    /// Unchanged, as common readers expect.
    #[default]
    Plain,
    /// With a quote before it, as the document literally says.
    Literal,
}

/// How the format `NO_NEWLINE` ends a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum NoNewlineRows {
    /// With LF.
    #[default]
    Keep,
    /// Without any separator, as the document literally says.
    Drop,
}

impl Choices {
    /// Reads the choices of a deployment, or says what is wrong with them and in which line.
    pub(crate) fn of(catalog: &Catalog) -> Result<Self, CatalogError> {
        catalog.dialect(crate::response::DIALECT)
    }
}
