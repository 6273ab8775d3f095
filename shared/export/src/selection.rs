//! The columns and rows that an export takes from a table.

use serde::{Deserialize, Serialize};

use crate::Filter;

/// A table of an export, and the columns taken from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableSelection {
    /// The name of the table in the catalog.
    pub table: String,
    /// The columns, in the order of the request. `None` takes the whole record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<String>>,
    /// The name of its file without a suffix, if it differs from that of the table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

/// A filter on the rows of some tables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableFilter {
    /// The names of the tables in the catalog.
    pub tables: Vec<String>,
    /// The condition on their rows.
    pub filter: Filter,
}

impl TableSelection {
    /// Returns the name of its file without a suffix.
    pub fn stem(&self) -> &str {
        self.file.as_ref().unwrap_or(&self.table)
    }

    /// Returns the selection of a whole table.
    pub fn whole(table: &str) -> Self {
        Self { table: table.to_owned(), columns: None, file: None }
    }
}
