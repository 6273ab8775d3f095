//! The engine: reads source objects and returns segments.
//!
//! Synchronous, on as many threads as asked for, in bounded memory. Bytes come in through
//! [`std::io::Read`]; compressed output leaves through a callback, in order. Knows the catalog, not AWS.
//!
//! Every row that cannot be read in whole is counted and listed as a [`BadRow`]. An object that cannot be
//! decoded is an [`ObjectError`], and then nothing of the export is published.

mod bad_rows;
mod cells;
mod convert;
mod csv;
mod decimal;
mod decode;
mod delimited;
mod detect;
mod encoding;
mod explode;
mod field_ref;
mod fields;
mod filter;
mod framing;
mod gzip;
mod hadoop;
mod head;
mod input;
mod inspect;
mod key_scan;
mod key_set;
mod lines;
mod names;
mod needs;
mod object_scan;
mod pipeline;
mod plan;
mod predicate;
mod records;
mod release;
mod row_time;
mod scan;
mod selection;
mod separators;
mod shape;
mod splice;
mod stats;
mod stops;
mod streams;
mod tenant;
mod text;
mod values;
mod verify;

pub use bad_rows::{BadRow, MAX_LISTED_BAD_ROWS};
pub use cells::{Cell, EncodedGroup, GroupEncoder, Rows};
pub use decode::ObjectError;
pub use detect::is_gzip;
pub use encoding::Encoding;
pub use head::{Head, head};
pub use input::InputObject;
pub use inspect::{Inspection, MAX_INSPECTED_ROWS, inspect};
pub use key_scan::{KeyScan, ScannedKeys};
pub use key_set::{KEY_BYTES, KeySet};
pub use needs::{Needs, ParquetUse};
pub use pipeline::{Group, Pipeline, RunOutput, group_runs};
pub use plan::{ListedPartition, Plan, PlannedObject, Reason, Step, StepKind, Way, WayChooser};
pub use predicate::{Lookup, lookup_tables, lookups};
pub use selection::Selection;
pub use stats::{ObjectCounts, Stats};
pub use verify::{Ending, Verified};
