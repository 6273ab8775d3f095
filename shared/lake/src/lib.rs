//! From source objects to segments: decode, select, encode.
//!
//! Synchronous, on one thread, in bounded memory: bytes come in through [`std::io::Read`], compressed
//! output leaves through a callback. Knows the catalog, not AWS.
//!
//! A row that cannot be read is never dropped in silence: it is counted and listed as a [`BadRow`].
//! An object that cannot be decoded is an [`ObjectError`], and nothing of the export is published.

mod bad_rows;
mod csv;
mod decode;
mod fields;
mod inflate;
mod lines;
mod pour;
mod selection;
mod splice;

pub use bad_rows::{BadRow, MAX_LISTED_BAD_ROWS};
pub use decode::{ObjectError, is_gzip};
pub use lines::MAX_ROW_BYTES;
pub use pour::{Pour, Poured};
pub use selection::Selection;
