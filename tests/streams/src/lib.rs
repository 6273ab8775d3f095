//! Deflate streams and gzip files to test decoders with.
//!
//! - [`any_stream`]: streams of any structure, sound or not, which no encoder would write.
//! - [`stream_of`]: given content in blocks of any kind and size.
//! - [`member`]: a stream as a gzip member.
//! - [`files_of_encoders`]: what real encoders write.
//! - [`zlib_reads`]: what zlib makes of a stream.
//! - [`Bits`] and [`Block`]: what they are written with, to write one by hand.
//!
//! What is random about them is decided by [`Choices`], so that a property test or a fuzzer decides it.

mod any;
mod bits;
mod block;
mod choices;
mod code;
mod encoders;
mod gzip;
mod of;
mod zlib;

pub use any::any_stream;
pub use bits::Bits;
pub use block::{Block, Token};
pub use choices::Choices;
pub use code::Code;
pub use encoders::{content_of_encoders, files_of_encoders};
pub use gzip::{member, member_with, without_header};
pub use of::stream_of;
pub use zlib::zlib_reads;
