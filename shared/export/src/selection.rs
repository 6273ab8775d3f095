//! What an export takes of a table.

use serde::{Deserialize, Serialize};

use crate::Filter;

/// One table of an export and the columns it takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableSelection {
    /// The table's name in the catalog.
    pub table: String,
    /// The columns in the order asked for; none given takes the whole record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<String>>,
    /// What its file is called, without a suffix, if not after the table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

/// A filter on the rows of some tables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableFilter {
    /// The tables' names in the catalog.
    pub tables: Vec<String>,
    /// What their rows have to be like.
    pub filter: Filter,
}

impl TableSelection {
    /// Returns what its file is called, without a suffix.
    pub fn stem(&self) -> &str {
        self.file.as_ref().unwrap_or(&self.table)
    }

    /// Returns all that there is of a table.
    pub fn whole(table: &str) -> Self {
        Self { table: table.to_owned(), columns: None, file: None }
    }
}
