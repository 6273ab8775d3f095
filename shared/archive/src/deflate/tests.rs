//! Streams that others wrote, read back, cut and joined.

mod joined;
mod refused;

use flate2::{Compress, Compression, FlushCompress};
use proptest::prelude::*;
use streams::{Bits, Choices, Code, Token};

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
    Inflater::default().inflate(&mut BitReader::new(data), &mut read).map(|()| read)
}

/// The content of the stream at the beginning of `data` and how many bytes it takes, read with a window
/// that is full when it has so much beside the history, and with so many bytes of the stream held.
fn content_of<const SIZE: usize>(
    data: &[u8],
    held: usize,
) -> Result<(Vec<u8>, usize), DeflateError> {
    /// Wants no blocks, as those who only read do not.
    #[derive(Default)]
    struct Content(Vec<u8>);

    impl Receiver for Content {
        type Error = DeflateError;

        fn content(&mut self, bytes: &[u8]) -> Result<(), DeflateError> {
            self.0.extend_from_slice(bytes);
            Ok(())
        }

        fn stored(&mut self, _: &[u8], _: Option<u64>) {}
    }

    let (mut bits, mut content) = (BitReader::holding(held, data), Content::default());
    inflate(&mut bits, &mut Window::<SIZE>::new(), &mut Tables::default(), &mut content)?;
    Ok((content.0, usize::try_from(bits.position()).unwrap()))
}

/// Reads with windows and buffers of several sizes, the real ones among them.
fn contents_of(data: &[u8]) -> [Result<(Vec<u8>, usize), DeflateError>; 4] {
    const REAL: usize = window::SIZE;
    const SMALL: usize = window::size_of_window(300);
    const SMALLEST: usize = window::size_of_window(1);
    [
        content_of::<REAL>(data, 64 * 1024),
        content_of::<REAL>(data, 100),
        content_of::<SMALL>(data, 1000),
        content_of::<SMALLEST>(data, 24),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn it_reads_what_another_program_wrote(
        (content, stored) in streams(), after in any::<[u8; 9]>(), piece in piece()
    ) {
        let data = [&stored[..], &after].concat();
        let (mut bits, mut found) = (BitReader::new(Drip(&data, piece)), Read::default());
        Inflater::default().inflate(&mut bits, &mut found).unwrap();

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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]
    #[test]
    fn it_takes_and_refuses_what_zlib_does(choices in prop::collection::vec(any::<u8>(), 0..500)) {
        let data = streams::any_stream(&mut Choices::new(&choices));
        let theirs = streams::zlib_reads(&data);
        for ours in contents_of(&data) {
            prop_assert_eq!(ours.is_ok(), theirs.is_some(), "{:?}", ours.err());
            prop_assert!(ours.ok() == theirs);
        }
    }
}

#[test]
fn a_stored_block_may_follow_one_that_fills_the_window() {
    // A window is full at 294,912 bytes.
    for more in 0..4 {
        let mut tokens = vec![Token::Literal(b'a')];
        tokens.extend(vec![Token::Match { len: 258, distance: 1 }; 1143]);
        tokens.push(Token::Match { len: 17, distance: 1 });
        tokens.extend(vec![Token::Literal(b'b'); more]);
        let (mut bits, plain) = (Bits::default(), &mut Choices::new(&[]));
        streams::Block::Fixed(&tokens).write(false, &mut bits, plain);
        streams::Block::Stored(&[7; 1000]).write(true, &mut bits, plain);
        let data = bits.finish();
        let theirs = streams::zlib_reads(&data);
        assert_eq!(theirs.as_ref().unwrap().0.len(), 294_912 + more + 1000);
        for ours in contents_of(&data) {
            assert!(ours.unwrap() == *theirs.as_ref().unwrap());
        }
    }
}

/// A stream of one block, `a` and its end, in these codes.
fn one_block(literals: &[(usize, u8)], distances: Vec<u8>) -> Vec<u8> {
    let mut lengths = vec![0; 257];
    for (symbol, len) in literals {
        lengths[*symbol] = *len;
    }
    let mut bits = Bits::default();
    let tokens = [Token::Literal(b'a')];
    let tokens = if lengths[usize::from(b'a')] > 0 { &tokens[..] } else { &[] };
    streams::Block::Dynamic(tokens, Code(lengths), Code(distances)).write(
        true,
        &mut bits,
        &mut Choices::new(&[]),
    );
    bits.finish()
}

#[test]
fn incomplete_codes_are_taken_where_zlib_takes_them() {
    let (a, end) = (usize::from(b'a'), 256);
    let complete = [(a, 1), (end, 1)];
    for (literals, distances, sound) in [
        (&complete[..], vec![0], true),
        (&complete[..], vec![1], true),
        (&complete[..], vec![0, 1], true),
        (&complete[..], vec![1, 1], true),
        (&complete[..], vec![2], false),
        (&complete[..], vec![15], false),
        (&complete[..], vec![1, 2], false),
        (&complete[..], vec![1, 1, 1], false),
        (&[(end, 1)], vec![0], true),
        (&[(end, 2)], vec![0], false),
        (&[(end, 15)], vec![0], false),
        (&[(a, 1)], vec![0], false),
        (&[(a, 1), (end, 2)], vec![0], false),
        (&[(a, 2), (end, 2)], vec![0], false),
    ] {
        let data = one_block(literals, distances.clone());
        let ours = read(&data[..]);
        assert_eq!(ours.is_ok(), sound, "{literals:?} {distances:?}");
        assert_eq!(streams::zlib_reads(&data).is_some(), sound, "{literals:?} {distances:?}");
    }
}

#[test]
fn a_code_of_code_lengths_is_complete() {
    // 257 and 1 lengths, told by a code in which only 8 stands for something: literals that are all of
    // eight bits, the last of which says nine but is not reached.
    let stream = |lengths: &[(usize, usize)]| {
        let mut bits = Bits::default();
        for (value, count) in [(0b101, 3), (0, 5), (0, 5), (1, 4)] {
            bits.put(value, count);
        }
        // In their order: 16, 17, 18, 0, 8.
        for place in 0..5 {
            let len = lengths.iter().find(|(at, _)| *at == place).map_or(0, |(_, len)| *len);
            bits.put(len, 3);
        }
        // Zeros stand for the first symbol: 258 lengths of 0 lack the end of a block. So this is never
        // sound, and is refused at its end or before.
        (0..258).for_each(|_| bits.put(0, 1));
        bits.finish()
    };
    for lengths in [&[][..], &[(3, 1)], &[(4, 1)], &[(3, 2)], &[(3, 1), (4, 1)]] {
        assert!(read(&stream(lengths)[..]).is_err(), "{lengths:?}");
        assert_eq!(streams::zlib_reads(&stream(lengths)), None, "{lengths:?}");
    }
}

#[test]
fn fixed_codes_are_built_once() {
    let mut bits = Bits::default();
    for n in 0..1000 {
        streams::Block::Fixed(&[Token::Literal(b'a')]).write(
            n == 999,
            &mut bits,
            &mut Choices::new(&[]),
        );
    }
    let data = bits.finish();
    read(&data[..]).unwrap();
    let before = codes::BUILT.get();
    assert_eq!(read(&data[..]).unwrap().content.len(), 1000);
    assert_eq!(codes::BUILT.get(), before);
}

#[test]
fn a_stream_does_not_refer_to_the_one_before() {
    let stream = |token| {
        let mut bits = Bits::default();
        streams::Block::Fixed(&[token]).write(true, &mut bits, &mut Choices::new(&[]));
        bits.finish()
    };
    let data =
        [stream(Token::Literal(b'a')), stream(Token::Match { len: 3, distance: 1 })].concat();
    let (mut bits, mut inflater) = (BitReader::new(&data[..]), Inflater::default());
    inflater.inflate(&mut bits, &mut Read::default()).unwrap();
    let second = inflater.inflate(&mut bits, &mut Read::default());
    assert!(matches!(second, Err(DeflateError::Corrupt)), "{second:?}");
}

#[test]
fn it_reads_what_the_encoders_write_that_people_have() {
    for (name, file) in streams::files_of_encoders() {
        let data = streams::without_header(&file);
        let theirs = streams::zlib_reads(data).unwrap();
        for ours in contents_of(data) {
            assert!(ours.unwrap() == theirs, "{name}");
        }
    }
}
