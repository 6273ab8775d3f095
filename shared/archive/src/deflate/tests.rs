//! Streams that others wrote, read back, cut and joined.

use flate2::{Compress, Compression, FlushCompress};
use proptest::prelude::*;

use super::*;
use crate::END_OF_MEMBER;

/// Content of several kinds, compressed at several levels with flushes in between.
fn streams() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let part = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..2000),
        prop::collection::vec(any::<u8>(), 100_000..200_000),
        prop::collection::vec(0_u8..3, 0..100_000),
        "([a-z]{1,8} ){0,3000}".prop_map(String::into_bytes),
        (any::<u8>(), 0_usize..400_000).prop_map(|(byte, len)| vec![byte; len]),
    ];
    let flush = prop_oneof![
        Just(FlushCompress::None),
        Just(FlushCompress::Sync),
        Just(FlushCompress::Full),
    ];
    let ours =
        (0_u32..10, prop::collection::vec((part, flush), 0..5)).prop_map(|(level, parts)| {
            let mut compress = Compress::new(Compression::new(level), false);
            let (mut content, mut stored) = (Vec::new(), Vec::new());
            let mut feed = |raw: &[u8], flush| {
                let begin = compress.total_in();
                loop {
                    stored.reserve(raw.len() + 4096);
                    let read = usize::try_from(compress.total_in() - begin).unwrap();
                    let before = stored.len();
                    compress.compress_vec(&raw[read..], &mut stored, flush).unwrap();
                    let all = compress.total_in() - begin == raw.len() as u64;
                    if all && (stored.len() < stored.capacity() || stored.len() == before) {
                        break;
                    }
                }
            };
            for (raw, flush) in parts {
                feed(&raw, flush);
                content.extend(raw);
            }
            feed(&[], FlushCompress::Finish);
            (content, stored)
        });
    let theirs = (1..=12, "([a-z]{1,8} ){0,9000}").prop_map(|(level, content)| {
        let level = libdeflater::CompressionLvl::new(level).unwrap();
        let mut compressor = libdeflater::Compressor::new(level);
        let mut stored = vec![0; compressor.deflate_compress_bound(content.len())];
        let len = compressor.deflate_compress(content.as_bytes(), &mut stored).unwrap();
        stored.truncate(len);
        (content.into_bytes(), stored)
    });
    prop_oneof![ours, theirs]
}

#[derive(Default)]
struct Read {
    content: Vec<u8>,
    stored: Vec<u8>,
    /// What stands in the stream as it is, and where.
    taken: Vec<(u64, Vec<u8>)>,
}

impl Receiver for Read {
    type Error = DeflateError;

    fn content(&mut self, bytes: &[u8]) -> Result<(), DeflateError> {
        self.content.extend_from_slice(bytes);
        Ok(())
    }

    fn stored(&mut self, bytes: &[u8], at: Option<u64>) {
        self.stored.extend_from_slice(bytes);
        self.taken.extend(at.map(|at| (at, bytes.to_vec())));
    }

    const BLOCKS: bool = true;

    fn block(&mut self, block: Block) {
        let taken = self.taken.last().map_or(0, |(at, bytes)| at + bytes.len() as u64);
        assert!(taken <= block.bit / 8, "{block:?} was handed on up to byte {taken}");
    }
}

/// Gives its bytes in pieces of one size.
struct Drip<'a>(&'a [u8], usize);

impl io::Read for Drip<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = self.1.min(self.0.len()).min(buf.len());
        buf[..len].copy_from_slice(&self.0[..len]);
        self.0 = &self.0[len..];
        Ok(len)
    }
}

/// Small pieces end anywhere in a block's header.
fn piece() -> impl Strategy<Value = usize> {
    prop_oneof![1_usize..8, 1_usize..100_000]
}

fn read(data: impl io::Read) -> Result<Read, DeflateError> {
    let mut read = Read::default();
    inflate(&mut BitReader::new(data), &mut read).map(|()| read)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn it_reads_what_another_program_wrote(
        (content, stored) in streams(), after in any::<[u8; 9]>(), piece in piece()
    ) {
        let data = [&stored[..], &after].concat();
        let (mut bits, mut found) = (BitReader::new(Drip(&data, piece)), Read::default());
        inflate(&mut bits, &mut found).unwrap();

        prop_assert!(found.content == content, "the content differs");
        let taken: usize = found.taken.iter().map(|(_, bytes)| bytes.len()).sum();
        prop_assert!(taken + 2 >= stored.len());
        for (at, bytes) in found.taken {
            let at = usize::try_from(at).unwrap();
            prop_assert!(data[at..at + bytes.len()] == bytes);
        }
        for byte in after {
            prop_assert_eq!(bits.byte().unwrap(), Some(byte));
        }
        prop_assert_eq!(bits.byte().unwrap(), None);
    }

    #[test]
    fn streams_become_segments_that_join(parts in prop::collection::vec(streams(), 1..4)) {
        let mut joined = Vec::new();
        for (_, stored) in &parts {
            joined.extend(read(&stored[..]).unwrap().stored);
        }
        joined.extend(END_OF_MEMBER);
        let content: Vec<u8> = parts.into_iter().flat_map(|(content, _)| content).collect();

        let mut decoder = flate2::bufread::DeflateDecoder::new(&joined[..]);
        let mut theirs = Vec::new();
        io::Read::read_to_end(&mut decoder, &mut theirs).unwrap();
        prop_assert!(theirs == content);
        prop_assert_eq!(decoder.total_in(), joined.len() as u64);
        prop_assert!(read(&joined[..]).unwrap().content == content);
    }

    #[test]
    fn a_stream_that_is_cut_is_never_taken_for_whole(
        (_, stored) in streams(), cut in any::<prop::sample::Index>()
    ) {
        let cut = cut.index(stored.len());
        prop_assert!(matches!(read(&stored[..cut]), Err(DeflateError::Truncated)));
    }

    #[test]
    fn anything_else_ends_without_a_panic(data in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = read(&data[..]);
    }
}

#[test]
fn a_block_is_told_before_its_bytes_are_handed_on_even_where_the_data_end() {
    // Blocks of one literal each: 3 bits of header, the code of 255, the end. The sixth begins with the
    // last bit of a byte.
    let block = 0b010 | 0x1ff << 3;
    let stream = (0..6).fold(0_u128, |stream, at| stream | block << (19 * at));
    for cut in 0..16 {
        assert!(matches!(read(&stream.to_le_bytes()[..cut]), Err(DeflateError::Truncated)));
    }
}
