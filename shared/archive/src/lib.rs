//! The bytes of a ZIP, and how they are put together from parts that are already compressed.
//!
//! - [`Segment`]: a stretch of raw deflate that ends on a byte boundary without a final block. Any
//!   number of segments from any number of builders, one after the other, are one member.
//! - [`deflate`]: a decoder that makes a segment of any deflate stream.
//! - [`layout()`]: from the members' sizes and checksums to the exact bytes of the archive, as a list
//!   of [`Extent`]s: bytes to write, and ranges of objects that already lie in the bucket.
//! - [`plan_parts`]: from extents to the parts of an S3 multipart upload.
//!
//! Nothing here knows AWS or does I/O.

mod content;
pub mod deflate;
mod extent;
mod gzip;
mod layout;
mod name;
mod parts;
mod segment;

pub use content::{SegmentDecoder, SegmentError};
pub use extent::Extent;
pub use gzip::Gzip;
pub use layout::{Layout, Member, Method, layout};
pub use name::{MemberName, NameError, names_are_distinct};
pub use parts::{MAX_PART_BYTES, MAX_PARTS, MIN_PART_BYTES, Part, plan_parts};
pub use segment::{END_OF_MEMBER, SEGMENT_BYTES, Segment, SegmentEncoder};
