//! What an export takes of a table.

use serde::{Deserialize, Serialize};

/// One table of an export and the columns it takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableSelection {
    /// The table's name in the catalog.
    pub table: String,
    /// The columns in the order asked for; none given takes the whole record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<String>>,
}
