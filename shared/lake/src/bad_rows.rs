//! Rows that could not be exported, or not as they are.

use serde::{Deserialize, Serialize};

/// How many bad rows of one step are listed. All are counted.
pub const MAX_LISTED_BAD_ROWS: usize = 1000;

/// The longest reason, in bytes. A second fence: reasons repeat nothing of a row.
const MAX_REASON_BYTES: usize = 200;

/// A row of a source object with something that could not be exported, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadRow {
    /// The table it was read for.
    pub table: String,
    /// The source object's key.
    pub object: String,
    /// Its line in the decoded object, from 1. Several rows may stand on one line.
    pub line: u64,
    /// What is wrong with it. Nothing of the row itself is repeated.
    pub reason: String,
    /// Whether what is sound in it is in the export.
    #[serde(default)]
    pub exported: bool,
}

impl BadRow {
    /// Returns a row that is in the export without what `reason` names, or not at all.
    pub(crate) fn new(
        table: &str,
        object: &str,
        line: u64,
        mut reason: String,
        exported: bool,
    ) -> Self {
        reason.truncate(reason.floor_char_boundary(MAX_REASON_BYTES));
        Self { table: table.to_owned(), object: object.to_owned(), line, reason, exported }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_has_a_bound() {
        let reason = BadRow::new("t", "k", 1, "ä".repeat(1000), false).reason;
        assert_eq!(reason, "ä".repeat(100));
    }
}
