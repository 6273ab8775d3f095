//! Compressed output that joins with what stands before and after it.
//!
//! A segment is raw deflate (RFC 1951) that ends on a byte boundary, none of whose blocks is final,
//! and that refers to nothing before its own beginning. Segments in a row and [`END_OF_MEMBER`] are
//! one valid deflate stream; the CRC-32 of the whole follows from those of the segments.

use std::fmt;

use crc32fast::Hasher;
use libdeflater::{CompressionLvl, Compressor};
use serde::{Deserialize, Serialize};

use crate::deflate::{BitReader, DeflateError, Inflater, Receiver};

/// An empty final block, which ends the deflate stream of a member.
pub const END_OF_MEMBER: [u8; 2] = [0x03, 0x00];

/// How much is compressed at a time, before compression: larger gains hardly any ratio, smaller
/// loses it.
pub const SEGMENT_BYTES: usize = if cfg!(fuzzing) { 1 << 12 } else { 1 << 20 };

/// The most that is compressed to one stream, in bytes; only a row of that size makes for several.
const STREAM_BYTES: usize = 2 * SEGMENT_BYTES;

/// What is known of a segment, or of several in a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// CRC-32 of the content.
    pub crc32: u32,
    /// Length of the content in bytes.
    pub raw_bytes: u64,
    /// CRC-32 of the compressed bytes.
    pub stored_crc32: u32,
    /// Length of the compressed bytes.
    pub stored_bytes: u64,
    /// Rows in it.
    pub rows: u64,
}

impl Segment {
    /// Returns what is known of content that is stored as it is.
    pub fn plain(content: &[u8], rows: u64) -> Self {
        let (crc32, bytes) = (crc32fast::hash(content), content.len() as u64);
        Self { crc32, raw_bytes: bytes, stored_crc32: crc32, stored_bytes: bytes, rows }
    }

    /// Returns what is known of this segment followed by `next`.
    pub fn join(self, next: Self) -> Self {
        Self {
            crc32: join_crc32(self.crc32, next.crc32, next.raw_bytes),
            raw_bytes: self.raw_bytes + next.raw_bytes,
            stored_crc32: join_crc32(self.stored_crc32, next.stored_crc32, next.stored_bytes),
            stored_bytes: self.stored_bytes + next.stored_bytes,
            rows: self.rows + next.rows,
        }
    }
}

/// The CRC-32 of two stretches in a row, from theirs and the length of the second.
pub(crate) fn join_crc32(first: u32, second: u32, second_len: u64) -> u32 {
    let mut joined = crc32fast::Hasher::new_with_initial_len(first, 0);
    joined.combine(&crc32fast::Hasher::new_with_initial_len(second, second_len));
    joined.finalize()
}

/// Makes segments. The same content gives the same bytes.
pub struct SegmentEncoder {
    compressor: Compressor,
    inflater: Inflater,
    /// What the compressor wrote, before it is made a segment.
    stream: Vec<u8>,
}

impl fmt::Debug for SegmentEncoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SegmentEncoder").finish_non_exhaustive()
    }
}

impl SegmentEncoder {
    /// Returns an encoder of one of libdeflate's levels, 1 (fast) to 12 (small).
    pub fn new(level: u32) -> Self {
        let level = i32::try_from(level).ok().and_then(|level| CompressionLvl::new(level).ok());
        let compressor = Compressor::new(level.unwrap_or_default());
        Self { compressor, inflater: Inflater::default(), stream: Vec::new() }
    }

    /// Appends the segment of `raw` to `out` and returns what is known of it.
    pub fn encode(&mut self, raw: &[u8], rows: u64, out: &mut Vec<u8>) -> Segment {
        let streams = raw.chunks(STREAM_BYTES).map(|part| self.encode_stream(part, out));
        let whole = streams.fold(Segment::default(), Segment::join);
        Segment { rows, ..whole }
    }

    /// What was compressed is read back: libdeflate writes whole streams, in which the last block is
    /// to be found, and whoever reads it sees whether it is right.
    fn encode_stream(&mut self, raw: &[u8], out: &mut Vec<u8>) -> Segment {
        let begin = out.len();
        let crc32 = crc32fast::hash(raw);
        let bound = self.compressor.deflate_compress_bound(raw.len());
        self.stream.resize(bound, 0);
        let len = self.compressor.deflate_compress(raw, &mut self.stream).unwrap_or(0);
        let mut joinable = Joinable { out, hasher: Hasher::new() };
        let mut bits = BitReader::new(&self.stream[..len]);
        let read_back = self.inflater.inflate(&mut bits, &mut joinable);
        if read_back.is_err() || joinable.hasher.finalize() != crc32 {
            out.truncate(begin);
            push_stored(raw, out);
        }
        Segment {
            crc32,
            raw_bytes: raw.len() as u64,
            stored_crc32: crc32fast::hash(&out[begin..]),
            stored_bytes: (out.len() - begin) as u64,
            rows: 0,
        }
    }
}

/// Keeps a stream as a segment.
struct Joinable<'a> {
    out: &'a mut Vec<u8>,
    hasher: Hasher,
}

impl Receiver for Joinable<'_> {
    type Error = DeflateError;

    fn content(&mut self, bytes: &[u8]) -> Result<(), DeflateError> {
        self.hasher.update(bytes);
        Ok(())
    }

    fn stored(&mut self, bytes: &[u8], _: Option<u64>) {
        self.out.extend_from_slice(bytes);
    }
}

/// Appends `raw` without compressing it (RFC 1951, section 3.2.4).
fn push_stored(raw: &[u8], out: &mut Vec<u8>) {
    for block in raw.chunks(usize::from(u16::MAX)) {
        let len = u16::try_from(block.len()).unwrap_or(u16::MAX);
        out.push(0);
        out.extend(len.to_le_bytes());
        out.extend((!len).to_le_bytes());
        out.extend(block);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::DeflateDecoder;
    use proptest::prelude::*;

    use super::*;

    /// Content that compresses well, badly and not at all.
    fn content() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..5000),
            prop::collection::vec(0_u8..4, 0..200_000),
            (any::<u8>(), 0_usize..300_000).prop_map(|(byte, len)| vec![byte; len]),
            // Of several streams.
            (any::<u8>(), 4_000_000_usize..5_000_000).prop_map(|(byte, len)| vec![byte; len]),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn segments_in_a_row_are_one_stream_with_their_joined_checksum(
            contents in prop::collection::vec(content(), 0..6), level in 1_u32..=9
        ) {
            let mut encoder = SegmentEncoder::new(level);
            let mut stored = Vec::new();
            let mut all = Segment::default();
            for raw in &contents {
                all = all.join(encoder.encode(raw, 1, &mut stored));
            }
            prop_assert_eq!(all.stored_bytes, stored.len() as u64);
            prop_assert_eq!(all.stored_crc32, crc32fast::hash(&stored));
            prop_assert_eq!(all.rows, contents.len() as u64);

            stored.extend(END_OF_MEMBER);
            let mut read = Vec::new();
            let mut decoder = DeflateDecoder::new(&stored[..]);
            decoder.read_to_end(&mut read).unwrap();
            prop_assert_eq!(decoder.total_in(), stored.len() as u64);
            prop_assert_eq!(&read, &contents.concat());
            prop_assert_eq!((all.crc32, all.raw_bytes), (crc32fast::hash(&read), read.len() as u64));
        }

        #[test]
        fn what_repeats_itself_becomes_small(word in "[a-z]{1,8} ", times in 1000_usize..20_000) {
            let (raw, mut stored) = (word.repeat(times), Vec::new());
            for level in [1, 6] {
                stored.clear();
                let segment = SegmentEncoder::new(level).encode(raw.as_bytes(), 0, &mut stored);
                prop_assert!(segment.stored_bytes < segment.raw_bytes / 20, "{:?}", segment);
            }
        }

        #[test]
        fn content_that_is_not_compressed_is_a_segment_too(raw in content()) {
            let mut stored = Vec::new();
            push_stored(&raw, &mut stored);
            stored.extend(END_OF_MEMBER);
            let mut read = Vec::new();
            DeflateDecoder::new(&stored[..]).read_to_end(&mut read).unwrap();
            prop_assert!(read == raw);
        }

        #[test]
        fn the_same_content_gives_the_same_bytes(raw in content()) {
            let (mut first, mut second) = (Vec::new(), Vec::new());
            let mut encoder = SegmentEncoder::new(6);
            encoder.encode(&raw, 0, &mut first);
            encoder.encode(&raw, 0, &mut second);
            prop_assert_eq!(first, second);
        }
    }

    #[test]
    fn content_that_is_stored_as_it_is_joins_like_a_segment() {
        let (first, second) = (Segment::plain(b"a,b\n", 1), Segment::plain(b"1,2\n3,4\n", 2));
        assert_eq!(first.join(second), Segment::plain(b"a,b\n1,2\n3,4\n", 3));
        let crc32 = crc32fast::hash(b"a,b\n");
        let want = Segment { crc32, raw_bytes: 4, stored_crc32: crc32, stored_bytes: 4, rows: 1 };
        assert_eq!(first, want);
    }

    #[test]
    fn a_higher_level_makes_content_smaller() {
        let rows: String = (0..5000).map(|n| format!("{n},{},{}\n", n * 7 % 97, n * n)).collect();
        let [fast, middle, small] = [1, 6, 12].map(|level| {
            SegmentEncoder::new(level).encode(rows.as_bytes(), 0, &mut Vec::new()).stored_bytes
        });
        assert!(small < middle && middle < fast, "{small}, {middle} and {fast} bytes");
    }
}
