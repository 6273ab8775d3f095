//! How rows are encoded.

use archive::SEGMENT_BYTES;

/// How rows are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Compressed, at one of libdeflate's levels, from 1 (fast) to 12 (small).
    Deflate(u32),
    /// Not compressed, in segments that end with the row that fills them.
    Plain {
        /// The bytes that fill a segment.
        bytes: usize,
        /// The rows that fill a segment.
        rows: u64,
    },
}

impl Encoding {
    /// Returns how many bytes and rows are encoded at a time.
    pub(crate) fn cut(self) -> (usize, u64) {
        match self {
            Self::Deflate(_) => (SEGMENT_BYTES, u64::MAX),
            Self::Plain { bytes, rows } => (bytes, rows),
        }
    }
}
