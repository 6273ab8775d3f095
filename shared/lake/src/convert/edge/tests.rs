//! What is written is what is wanted, and does not depend on how content arrives.

use std::{cell::Cell, io::Read as _};

use archive::{END_OF_MEMBER, SegmentEncoder, deflate::Block};
use flate2::read::DeflateDecoder;
use proptest::prelude::*;
use streams::{Bits, Choices, Token};

use super::*;
use crate::{
    Encoding,
    pipeline::tests::{Filed, jsonl, written},
};

/// Hands content on in pieces of so many bytes.
struct Chopped<T>(T, usize);

impl<T: Receiver> Receiver for Chopped<T> {
    type Error = T::Error;

    fn content(&mut self, bytes: &[u8]) -> Result<(), T::Error> {
        bytes.chunks(self.1).try_for_each(|piece| self.0.content(piece))
    }

    fn stored(&mut self, bytes: &[u8], at: Option<u64>) {
        self.0.stored(bytes, at);
    }

    const BLOCKS: bool = T::BLOCKS;

    fn block(&mut self, block: Block) {
        self.0.block(block);
    }
}

/// All that is made of an object: the content of what is taken over, and bytes.
fn made(object: &[u8], piece: usize, sizes: Sizes) -> Vec<(u64, Vec<Extent<usize>>)> {
    let (selection, stream, mut all) = (jsonl(), RefCell::default(), Vec::new());
    let mut rows = Converter::new(&selection, &Encoding::Deflate(1), |made| {
        all.push(match made {
            Output::Spliced { segment, extents } => (segment.raw_bytes, extents),
            Output::Rows { raw, .. } => (0, vec![Extent::Bytes(raw)]),
        });
        Ok(())
    });
    let mut edge = Chopped(Edge::new(&mut rows, &stream, sizes), piece);
    assert!(gzip::read(Tee { input: object, kept: &stream }, &mut edge).is_ok());
    edge.0.finish().unwrap();
    rows.finish().unwrap();
    all
}

/// The content of all that was made, as another reader sees it.
fn content(made: &[(u64, Vec<Extent<usize>>)]) -> String {
    let (mut stored, mut encoder) = (Vec::new(), SegmentEncoder::new(1));
    for (taken_over, extents) in made {
        let [Extent::Bytes(bytes)] = &extents[..] else { panic!("nothing is referred to") };
        if *taken_over > 0 {
            stored.extend(bytes);
        } else {
            encoder.encode(bytes, 0, &mut stored);
        }
    }
    stored.extend(END_OF_MEMBER);
    let mut text = String::new();
    DeflateDecoder::new(&stored[..]).read_to_string(&mut text).unwrap();
    text
}

/// A gzip file of members of these texts, their blocks as chosen.
fn file(texts: &[String], choices: &[u8]) -> Vec<u8> {
    let choices = &mut Choices::new(choices);
    let mut file = Vec::new();
    for text in texts {
        let stream = streams::stream_of(text.as_bytes(), choices);
        file.extend(streams::member_with(&stream, text.as_bytes(), choices));
        file.resize(file.len() + choices.one_of(&[0, 0, 0, 300]), 0);
    }
    file
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn the_same_is_written_however_content_arrives(
        extents in prop::collection::vec((0..3000_usize, Filed::any()), 1..5),
        level in 0_u32..10, is_long in any::<bool>(), piece in 500..50_000_usize
    ) {
        // Converter that are nearly the same compress to blocks of much content.
        let mut text: String = extents.iter()
            .flat_map(|(rows, filed)| (0..*rows).map(|m| filed.row(900).replacen(":\"", &format!(":\"{m}"), 1)))
            .collect();
        if is_long {
            text += &Filed::Wanted.row(1_047_000 + piece % 5000);
        }
        let object = written(&[text], level, usize::MAX);
        for sizes in [Sizes::REAL, Sizes::SMALL] {
            prop_assert!(made(&object, piece, sizes) == made(&object, usize::MAX, sizes));
        }
    }

    #[test]
    fn blocks_of_any_kind_and_size_are_cut_and_joined(
        members in prop::collection::vec(
            prop::collection::vec((0..150_usize, prop::sample::select(vec![30, 200, 500]), Filed::any()), 1..5), 1..4),
        choices in prop::collection::vec(any::<u8>(), 0..300), piece in 1..5000_usize
    ) {
        let texts: Vec<String> = members.iter().map(|extents| {
            // The same pages again after some rows: blocks refer to what stands far before them.
            let rows = extents.iter().flat_map(|(rows, size, filed)| {
                (0..*rows).map(move |n| filed.row(size + n % 40))
            });
            rows.collect()
        }).collect();
        let object = file(&texts, &choices);
        let wanted: String = texts.iter().flat_map(|text| text.lines())
            .filter(|line| line.contains("T00:30")).flat_map(|line| [line, "\n"]).collect();
        let small = made(&object, usize::MAX, Sizes::SMALL);
        prop_assert!(content(&small) == wanted);
        prop_assert!(made(&object, piece, Sizes::SMALL) == small);
        prop_assert!(content(&made(&object, usize::MAX, Sizes::REAL)) == wanted);
    }

    #[test]
    fn the_blocks_that_wait_are_few_however_small_they_are(
        list in prop::collection::vec((1_u64..90, 0_u64..4, 0..40_u8, any::<bool>()), 0..4000)
    ) {
        let sizes = Sizes { max_stored: u64::MAX, ..Sizes::SMALL };
        let (mut blocks, mut bit, mut at, mut begins) = (Blocks::new(sizes), 0, 0, Vec::new());
        for (n, (bits, len, first, stored)) in list.into_iter().enumerate() {
            let first = first == 0 || n == 0;
            bit += if first { 160 } else { 0 };
            blocks.begin(Block { bit, first, stored }, at);
            begins.push((bit, at, first));
            (bit, at) = (bit + bits, at + len);
        }
        let (mut before, mut stored) = (0, 0);
        for piece in blocks.pieces() {
            prop_assert!(before <= piece.bits.start);
            before = piece.bits.end;
            let [begin, end] = [piece.bits.start, piece.bits.end]
                .map(|bit| begins.iter().position(|begin| begin.0 == bit).unwrap());
            prop_assert_eq!((begins[begin].1, begins[end].1), (piece.content.start, piece.content.end));
            prop_assert!(begins[begin + 1..=end].iter().all(|begin| !begin.2), "two members");
            stored += (piece.bits.end - piece.bits.start) / 8;
        }
        let count = blocks.pieces().count() as u64;
        prop_assert!(count <= 2 * at / sizes.piece + 2, "{count} of {at} bytes");
        prop_assert!(stored <= at + count * sizes.piece);
    }
}

/// Notes how much of the stream is kept whenever more is read.
struct Watched<'k> {
    input: &'k [u8],
    kept: &'k RefCell<Retained>,
    most: &'k Cell<usize>,
}

impl Read for Watched<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.most.set(self.most.get().max(self.kept.borrow().bytes.len()));
        self.input.read(buf)
    }
}

#[test]
fn little_of_a_stream_is_kept_where_it_has_no_content() {
    let text = Filed::Wanted.row(300).repeat(8);
    // Blocks of a row each, and then empty ones of the fixed codes, ten bits each. What they follow waits for
    // more content.
    let mut bits = Bits::default();
    for row in text.split_inclusive('\n') {
        let tokens: Vec<Token> = row.bytes().map(Token::Literal).collect();
        streams::Block::Fixed(&tokens).write(false, &mut bits, &mut Choices::new(&[]));
    }
    (0..1_000_000).for_each(|_| bits.put(0b010, 10));
    streams::Block::Stored(b"").write(true, &mut bits, &mut Choices::new(&[]));
    let empty_blocks = bits.finish();
    let stream = streams::stream_of(text.as_bytes(), &mut Choices::new(&[]));
    let member = streams::member(&stream, text.as_bytes());
    let mut named = member.clone();
    named[3] = 8;
    named.splice(10..10, [vec![b'n'; 2 << 20], vec![0]].concat());
    for (what, object) in [
        ("empty blocks", streams::member(&empty_blocks, text.as_bytes())),
        ("a name", [&member[..], &named].concat()),
        ("padding", [&member[..], &vec![0; 2 << 20]].concat()),
        ("empty members", [&member[..], &streams::member(&[3, 0], b"").repeat(50_000)].concat()),
    ] {
        let (selection, kept, most) = (jsonl(), RefCell::default(), Cell::new(0));
        let mut rows = Converter::new(&selection, &Encoding::Deflate(1), |_| Ok(()));
        let mut edge = Edge::new(&mut rows, &kept, Sizes::SMALL);
        let input = Watched { input: &object, kept: &kept, most: &most };
        assert!(gzip::read(Tee { input, kept: &kept }, &mut edge).is_ok(), "{what}");
        edge.finish().unwrap();
        // What the reader holds, twice, as what is kept is not moved for little.
        assert!(most.get() < 300_000, "{what}: {}", most.get());
    }
}

#[test]
fn most_of_a_stream_that_is_flushed_at_every_row_is_taken_over() {
    let rows: Vec<String> = (0..4000).map(|n| Filed::Wanted.row(100 + n % 50)).collect();
    let text = Filed::Late.row(100) + &rows.concat();
    let object = written(std::slice::from_ref(&text), 6, 150);
    let made = made(&object, usize::MAX, Sizes::REAL);
    assert!(content(&made) == rows.concat());
    let taken_over: u64 = made.iter().map(|(bytes, _)| bytes).sum();
    assert!(taken_over > 400_000, "{taken_over} of {}", text.len());
}
