//! What is written does not depend on how content arrives.

use archive::deflate::Block;
use proptest::prelude::*;

use super::*;
use crate::{
    Pack,
    pour::tests::{Filed, jsonl, written},
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
fn made(object: &[u8], piece: usize) -> Vec<(u64, Vec<Stretch>)> {
    let (selection, stream, mut all) = (jsonl(), RefCell::default(), Vec::new());
    let mut rows = Rows::new(&selection, Pack::Deflate(1), |made| {
        all.push(match made {
            Made::Spliced { segment, stretches } => (segment.raw_bytes, stretches),
            Made::Rows { raw, .. } => (0, vec![Stretch::Bytes(raw)]),
        });
        Ok(())
    });
    let mut edge = Chopped(Edge::new(&mut rows, &stream), piece);
    assert!(gzip::read(Tee { input: object, kept: &stream }, &mut edge).is_ok());
    edge.0.finish().unwrap();
    rows.finish().unwrap();
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn the_same_is_written_however_content_arrives(
        stretches in prop::collection::vec((0..3000_usize, Filed::any()), 1..5),
        level in 0_u32..10, is_long in any::<bool>(), piece in 500..50_000_usize
    ) {
        // Rows that are nearly the same compress to blocks of much content.
        let mut text: String = stretches.iter()
            .flat_map(|(rows, filed)| (0..*rows).map(|m| filed.row(900).replacen(":\"", &format!(":\"{m}"), 1)))
            .collect();
        if is_long {
            text += &Filed::Wanted.row(1_047_000 + piece % 5000);
        }
        let object = written(&[text], level, usize::MAX);
        prop_assert!(made(&object, piece) == made(&object, usize::MAX));
    }
}
