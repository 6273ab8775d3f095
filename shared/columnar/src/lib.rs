//! Parquet as lines of JSON, which the engine reads, and rows as Parquet.
//!
//! Reads the footer, then the columns that are wanted of the row groups that may hold rows of a window, by ranges. Of a
//! file that lies, no more memory is made than the bounds here allow: sizes, counts and nesting are checked before the
//! `parquet` crate decodes footers, levels and values, and pages are decompressed here. Where that crate panics, the
//! file is damaged, and told so.
//!
//! Writes row groups that each stand alone, and one footer over any number of them: see [`Writer`]. Knows neither the
//! catalog nor AWS.

mod caught;
mod codec;
mod delta;
mod error;
mod footer;
mod leaf;
mod pages;
mod ranges;
mod rows;
mod schema;
mod style;
mod thrift;
mod write;

pub use error::ParquetFault;
pub use footer::{MAX_COLUMN_CHUNKS, MAX_FOOTER_BYTES, MAX_SCHEMA_DEPTH, MAX_SCHEMA_NODES};
pub use pages::{MAX_HELD_BYTES, MAX_PAGE_BYTES, MAX_PAGE_VALUES};
pub use ranges::Ranges;
pub use rows::{MAX_BATCH_VALUES, MAX_READ_COLUMNS, MAX_ROWS, Rows, Wanted, WantedTimes};
pub use write::{ColumnKind, ColumnValues, FooterError, FooterOf, RowGroup, Value, Writer};

/// Tells whether an object that begins with these bytes is Parquet.
pub fn is_parquet(head: &[u8]) -> bool {
    head.starts_with(footer::MAGIC)
}

/// Tells whether the name of an object says that it is Parquet.
pub fn is_named_parquet(key: &str) -> bool {
    let suffix = key.rsplit_once('.').map_or("", |(_, suffix)| suffix);
    suffix.eq_ignore_ascii_case("parquet") || suffix.eq_ignore_ascii_case("parq")
}
