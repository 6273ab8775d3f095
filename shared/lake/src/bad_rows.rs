//! Rows that could not be exported.

use serde::{Deserialize, Serialize};

/// How many bad rows of one step are listed. All are counted.
pub const MAX_LISTED_BAD_ROWS: usize = 1000;

/// A row of a source object that could not be exported, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadRow {
    /// The table it was read for.
    pub table: String,
    /// The source object's key.
    pub object: String,
    /// Its line in the decoded object, from 1.
    pub line: u64,
    /// What is wrong with it. Nothing of the row itself is repeated.
    pub reason: String,
}
