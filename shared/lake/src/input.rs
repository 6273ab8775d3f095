//! An object that the pipeline reads.

use jiff::Timestamp;

/// A source object, and what the plan knows of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputObject {
    /// Its key.
    pub key: String,
    /// Its size in bytes, as stored.
    pub size_bytes: u64,
    /// Whether probably all of its rows are wanted, as those of an hour inside the window.
    pub likely_whole: bool,
    /// Whether the archive may refer to ranges of it instead of holding copies.
    pub refer: bool,
    /// When the time of its partition begins, if that is known.
    pub partition: Option<Timestamp>,
}
