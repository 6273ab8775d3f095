//! From source objects to segments: plan, decode, select, encode.
//!
//! Synchronous, on as many threads as asked for, in bounded memory: bytes come in through
//! [`std::io::Read`], compressed output leaves through a callback, in order. Knows the catalog, not AWS.
//!
//! A row that cannot be read, or not all of it, is never dropped in silence: it is counted and listed as a
//! [`BadRow`].
//! An object that cannot be decoded is an [`ObjectError`], and nothing of the export is published.

mod account;
mod bad_rows;
mod csv;
mod decimal;
mod decode;
mod explode;
mod fields;
mod filter;
mod gather;
mod gzip;
mod ids;
mod lines;
mod names;
mod place;
mod plan;
mod pour;
mod records;
mod release;
mod rows;
mod rule;
mod scan;
mod selection;
mod separators;
mod shape;
mod splice;
mod stops;
mod stored;
mod text;
mod values;
mod verify;
mod walk;

pub use account::Account;
pub use bad_rows::{BadRow, MAX_LISTED_BAD_ROWS};
pub use decode::ObjectError;
pub use gather::{Gather, Gathered};
pub use ids::{ID_BYTES, Ids};
pub use plan::{Filed, Makes, Plan, Planned, Reason, Step, Way, Ways};
pub use pour::{Pack, Pour, Poured, runs_of};
pub use rows::{Object, Stretch};
pub use rule::{Lookup, lookup_tables, lookups};
pub use selection::Selection;
pub use stored::is_gzip;
pub use verify::{Ending, Verified};
