//! What is handed on of a stream, and blocks that are taken out of it, joined with something else.

use super::*;
use crate::SegmentEncoder;

/// Where the blocks of a stream begin, each with the length of the content before it.
#[derive(Default)]
struct Begins {
    content: Vec<u8>,
    blocks: Vec<(Block, usize)>,
}

impl Receiver for Begins {
    type Error = DeflateError;

    fn content(&mut self, bytes: &[u8]) -> Result<(), DeflateError> {
        self.content.extend_from_slice(bytes);
        Ok(())
    }

    fn stored(&mut self, _: &[u8], _: Option<u64>) {}

    const BLOCKS: bool = true;

    fn block(&mut self, block: Block) {
        self.blocks.push((block, self.content.len()));
    }
}

/// Whether the header of a block says that it is not compressed.
fn is_stored(data: &[u8], block: Block) -> bool {
    [block.bit + 1, block.bit + 2].into_iter().all(|bit| {
        let byte = data[usize::try_from(bit / 8).unwrap()];
        byte >> (bit % 8) & 1 == 0
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn blocks_taken_out_of_a_stream_say_the_same_after_the_same(
        words in "([a-z]{1,4} ){0,800}", choices in prop::collection::vec(any::<u8>(), 0..200),
        count in 1_usize..4
    ) {
        let data = streams::stream_of(words.as_bytes(), &mut Choices::new(&choices));
        let mut read = Begins::default();
        Inflater::default().inflate(&mut BitReader::new(&data[..]), &mut read).unwrap();
        prop_assert!(read.content == words.as_bytes());

        for (at, (block, before)) in read.blocks.iter().enumerate() {
            prop_assert_eq!(block.first, at == 0);
            prop_assert_eq!(block.stored, is_stored(&data, *block));
            // Blocks that are not compressed keep their place within a byte, so what begins elsewhere has none.
            let aligned = block.bit % 8 == 0;
            let fits = |(block, _): &&(Block, usize)| aligned || !block.stored;
            let most = read.blocks[at..].iter().take_while(fits).count();
            let end = at + most.min(count);
            let Some((next, after)) = read.blocks.get(end).filter(|_| end > at) else { continue };
            let mut joined = Vec::new();
            SegmentEncoder::new(1).encode(&read.content[..*before], 0, &mut joined);
            push_blocks(&data, block.bit..next.bit, &mut joined);
            joined.extend(END_OF_MEMBER);
            let whole = (read.content[..*after].to_vec(), joined.len());
            prop_assert!(streams::zlib_reads(&joined) == Some(whole), "{at} to {end}");
        }
    }
}

/// A stream of one block, which ends at each bit of a byte in turn.
fn ending_anywhere() -> impl Iterator<Item = (Vec<u8>, u32)> {
    (0..8_u8).map(|count| {
        // Of nine bits each, between a header of three bits and an end of seven.
        let tokens = vec![Token::Literal(255); usize::from(count)];
        let mut bits = Bits::default();
        streams::Block::Fixed(&tokens).write(true, &mut bits, &mut Choices::new(&[]));
        (bits.finish(), (8 - (3 + 9 * u32::from(count) + 7) % 8) % 8)
    })
}

#[test]
fn bits_after_the_end_of_a_stream_do_not_get_into_its_segment() {
    for (mut data, unused) in ending_anywhere() {
        let content = read(&data[..]).unwrap().content;
        *data.last_mut().unwrap() |= !(0xff >> unused);
        let Read { mut stored, taken, .. } = read(&data[..]).unwrap();
        // All of it stands in the data as it is but the byte of the header, and the last where bits of
        // it do not count.
        let as_is: usize = taken.iter().map(|(_, bytes)| bytes.len()).sum();
        assert_eq!(as_is, data.len() - 1 - usize::from(unused > 0), "{unused}");
        stored.extend(END_OF_MEMBER);
        let len = stored.len();
        assert_eq!(streams::zlib_reads(&stored), Some((content, len)), "{unused}");
    }
}

#[test]
fn what_is_handed_on_stands_where_it_is_said_to_however_bytes_arrive() {
    // Blocks of 19 bits, so their headers begin at each bit of a byte in turn; and the last is long, so
    // that its header may be the end of what has arrived.
    for blocks in 1..=9 {
        let mut bits = Bits::default();
        for n in 1..=blocks {
            let tokens = vec![Token::Literal(255); if n == blocks { 20 } else { 1 }];
            streams::Block::Fixed(&tokens).write(n == blocks, &mut bits, &mut Choices::new(&[]));
        }
        let data = bits.finish();
        for piece in 1..=data.len() {
            let found = read(Drip(&data, piece)).unwrap();
            for (at, bytes) in &found.taken {
                let at = usize::try_from(*at).unwrap();
                assert_eq!(data[at..at + bytes.len()], bytes[..], "{blocks} blocks by {piece}");
            }
            let stored = [&found.stored[..], &END_OF_MEMBER].concat();
            let whole = (vec![255; blocks + 19], stored.len());
            assert_eq!(streams::zlib_reads(&stored), Some(whole), "{blocks} blocks by {piece}");
        }
    }
}

/// Fails at every other reading, and at the end.
struct Faulty<'a> {
    rest: &'a [u8],
    fails: bool,
    end: Option<io::ErrorKind>,
}

impl io::Read for Faulty<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.fails = !self.fails;
        match (self.fails, self.rest) {
            (true, _) => Err(io::ErrorKind::Interrupted.into()),
            (false, []) => self.end.map_or(Ok(0), |kind| Err(kind.into())),
            (false, [first, rest @ ..]) => {
                self.rest = rest;
                buf[0] = *first;
                Ok(1)
            }
        }
    }
}

#[test]
fn a_reading_that_was_interrupted_is_made_again_and_one_that_failed_is_told() {
    let (data, _) = ending_anywhere().last().unwrap();
    let faulty = |rest, end| Faulty { rest, fails: false, end };
    let whole = read(faulty(&data, None)).unwrap();
    assert_eq!(whole.content, [255; 7]);
    let failed = read(faulty(&data[..3], Some(io::ErrorKind::ConnectionReset)));
    let kind = failed.map(|_| ()).map_err(|error| match error {
        DeflateError::Read(error) => error.kind(),
        other => panic!("{other}"),
    });
    assert_eq!(kind, Err(io::ErrorKind::ConnectionReset));
}
