//! How rows are encoded.

use std::sync::Arc;

use archive::SEGMENT_BYTES;

use crate::GroupEncoder;

/// How many stored bytes of small objects become groups together: as gzip, so many mostly fill several.
const GROUP_RUN_BYTES: u64 = 8 << 20;

/// How rows are encoded.
#[derive(Clone, Debug)]
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
    /// Typed and column by column, in groups that end with the row that fills them.
    Groups {
        /// The bytes of cells that fill a group.
        bytes: usize,
        /// The rows that fill a group.
        rows: u64,
        /// What encodes a group.
        encoder: Arc<dyn GroupEncoder>,
    },
}

impl Encoding {
    /// Returns how many bytes and rows are encoded at a time.
    pub(crate) fn cut(&self) -> (usize, u64) {
        match self {
            Self::Deflate(_) => (SEGMENT_BYTES, u64::MAX),
            Self::Plain { bytes, rows } | Self::Groups { bytes, rows, .. } => (*bytes, *rows),
        }
    }

    /// Returns how many stored bytes of small objects are converted together, so that they fill what is encoded at a
    /// time.
    pub(crate) fn run_bytes(&self) -> u64 {
        match self {
            Self::Deflate(_) | Self::Plain { .. } => SEGMENT_BYTES as u64,
            Self::Groups { .. } => GROUP_RUN_BYTES,
        }
    }
}
