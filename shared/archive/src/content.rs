//! The content of a member, read back from its segments.

use flate2::{Decompress, DecompressError, FlushDecompress, Status};

/// Reads segments as they come.
#[derive(Debug)]
pub struct SegmentDecoder(Decompress);

/// Bytes that are no segments.
#[derive(Debug, thiserror::Error)]
pub enum SegmentError {
    /// They are no deflate.
    #[error("read a segment")]
    Deflate(#[from] DecompressError),
    /// One of their blocks is the last of a stream, which no segment has.
    #[error("read a segment: its stream ends before its bytes do")]
    Final,
}

impl Default for SegmentDecoder {
    fn default() -> Self {
        Self(Decompress::new(false))
    }
}

impl SegmentDecoder {
    /// Appends the content of the next `stored` bytes to `out`.
    pub fn decode(&mut self, stored: &[u8], out: &mut Vec<u8>) -> Result<(), SegmentError> {
        let begin = self.0.total_in();
        loop {
            let read = usize::try_from(self.0.total_in() - begin).unwrap_or(usize::MAX);
            out.reserve(stored.len() * 4 + 1024);
            let free = out.capacity();
            let status = self.0.decompress_vec(&stored[read..], out, FlushDecompress::None)?;
            // Nothing is read after it, however often one asks.
            if status == Status::StreamEnd {
                return Err(SegmentError::Final);
            }
            let all_read = self.0.total_in() - begin == stored.len() as u64;
            // With room left over, everything that these bytes say has been said.
            if all_read && out.len() < free {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::SegmentEncoder;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn content_does_not_depend_on_how_segments_arrive(
            raw in prop_oneof![
                prop::collection::vec(0_u8..5, 0..100_000),
                // A byte of it says so much that it fills what is reserved.
                (0_usize..1_000_000).prop_map(|len| vec![0; len]),
            ],
            cut in prop_oneof![1_usize..4, 1_usize..5000]
        ) {
            let mut stored = Vec::new();
            let mut encoder = SegmentEncoder::new(6);
            for half in raw.chunks(raw.len() / 2 + 1) {
                encoder.encode(half, 0, &mut stored);
            }
            let (mut decoder, mut out) = (SegmentDecoder::default(), Vec::new());
            for piece in stored.chunks(cut) {
                decoder.decode(piece, &mut out).unwrap();
            }
            prop_assert_eq!(out, raw);
        }
    }

    #[test]
    fn bytes_with_a_final_block_are_no_segment() {
        for stored in [&[3, 0, 1, 2, 3][..], &[3, 0]] {
            let read = SegmentDecoder::default().decode(stored, &mut Vec::new());
            assert!(matches!(read, Err(SegmentError::Final)), "{read:?}");
        }
    }
}
