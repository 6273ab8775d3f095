//! Segments as a gzip file (RFC 1952).

use crate::{END_OF_MEMBER, Segment, segment::join_crc32};

/// Deflate, no flags, no time, no extra flags, an unknown system: the same input gives the same bytes.
const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// What stands before and after segments that are a gzip file, and what is known of the whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gzip {
    /// The bytes before.
    pub head: Vec<u8>,
    /// The bytes after.
    pub tail: Vec<u8>,
    /// CRC-32 of the file.
    pub crc32: u32,
    /// Length of the file in bytes.
    pub size_bytes: u64,
}

impl Gzip {
    /// Returns the gzip file of the segments that `content` is known of.
    pub fn of(content: Segment) -> Self {
        let mut tail = END_OF_MEMBER.to_vec();
        tail.extend(content.crc32.to_le_bytes());
        // The length counts modulo 2^32.
        #[expect(clippy::cast_possible_truncation, reason = "as the format says")]
        tail.extend((content.raw_bytes as u32).to_le_bytes());
        let crc32 = join_crc32(crc32fast::hash(&HEAD), content.stored_crc32, content.stored_bytes);
        let crc32 = join_crc32(crc32, crc32fast::hash(&tail), tail.len() as u64);
        let size_bytes = (HEAD.len() + tail.len()) as u64 + content.stored_bytes;
        Self { head: HEAD.to_vec(), tail, crc32, size_bytes }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::GzDecoder;
    use proptest::prelude::*;

    use super::*;
    use crate::SegmentEncoder;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn another_reader_finds_the_content(parts in prop::collection::vec("[a-z\n]{0,300}", 0..5)) {
            let (mut encoder, mut stored) = (SegmentEncoder::new(6), Vec::new());
            let whole = parts.iter().fold(Segment::default(), |sum, part| {
                sum.join(encoder.encode(part.as_bytes(), 0, &mut stored))
            });
            let gzip = Gzip::of(whole);
            let file = [&gzip.head[..], &stored, &gzip.tail].concat();
            prop_assert_eq!((gzip.crc32, gzip.size_bytes), (crc32fast::hash(&file), file.len() as u64));
            let mut read = String::new();
            GzDecoder::new(&file[..]).read_to_string(&mut read).unwrap();
            prop_assert_eq!(read, parts.concat());
        }
    }
}
