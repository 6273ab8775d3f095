//! Which blocks of a stream may be taken over, and how much of them is remembered.
//!
//! Blocks in a row are put together to pieces of at least [`Sizes::piece`] bytes of content, and one that
//! takes more room than its content is left out. So there are a few pieces for each byte of content that
//! waits, however many blocks a stream has that are tiny or empty.

use std::{collections::VecDeque, ops::Range};

use archive::deflate::Block;

use super::{HISTORY, Sizes};

/// Blocks in a row of one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// Where they stand in the object, in bits.
    pub(super) bits: Range<u64>,
    /// Where their content stands in the object's content.
    pub(super) content: Range<u64>,
    /// Where what they refer to begins at the earliest.
    reach: u64,
    /// Whether one of them is not compressed. Such a block ends on a byte boundary, and still has to.
    stored: bool,
}

impl Piece {
    fn len(&self) -> u64 {
        self.content.end - self.content.start
    }

    /// The bytes that it takes in the object.
    fn stored_bytes(&self) -> u64 {
        (self.bits.end - self.bits.start).div_ceil(8)
    }
}

/// A block of which the end was not reached yet.
#[derive(Clone, Copy, Debug)]
struct Begun {
    bit: u64,
    at: u64,
    reach: u64,
    stored: bool,
}

/// The pieces that may be taken over, and the block at hand.
///
/// - Pieces are in their order, do not overlap, and their `reach` grows.
/// - All but the last of those in a row have [`Sizes::piece`] bytes of content or more. A smaller one that
///   nothing can be added to any more stands behind one that it joins with, or is dropped.
#[derive(Debug)]
pub(super) struct Blocks {
    sizes: Sizes,
    pieces: VecDeque<Piece>,
    begun: Option<Begun>,
    /// Where the content of the gzip member at hand begins.
    stream_at: u64,
}

impl Blocks {
    pub(super) fn new(sizes: Sizes) -> Self {
        Self { sizes, pieces: VecDeque::new(), begun: None, stream_at: 0 }
    }

    /// A block begins, at byte `at` of the content.
    pub(super) fn begin(&mut self, Block { bit, first, stored }: Block, at: u64) {
        if first {
            self.stream_at = at;
            // Where the last block of a stream ends is not known, so it is not taken over.
            self.begun = None;
        }
        if let Some(begun) = self.begun.take() {
            self.end(begun, bit, at);
        }
        let reach = self.stream_at.max(at.saturating_sub(HISTORY));
        self.begun = Some(Begun { bit, at, reach, stored });
        self.drop_excess(bit);
    }

    /// The object was read up to this byte, and it belongs to no stream.
    pub(super) fn pass(&mut self, at: u64) {
        self.begun = None;
        self.drop_excess(at * 8);
    }

    /// Drops all pieces if they hold back too much of the stream.
    fn drop_excess(&mut self, bit: u64) {
        let begin = self.pieces.front().map_or(bit, |piece| piece.bits.start);
        if (bit - begin) / 8 > self.sizes.max_stored {
            self.pieces.clear();
        }
    }

    fn end(&mut self, Begun { bit, at, reach, stored }: Begun, end_bit: u64, end: u64) {
        let is_empty = at == end;
        match self.pieces.back_mut() {
            // An empty block goes with what stands before it, so that pieces of a stream that is flushed
            // often begin on byte boundaries.
            Some(last) if last.bits.end == bit && (is_empty || last.len() < self.sizes.piece) => {
                (last.bits.end, last.content.end) = (end_bit, end);
                last.stored |= stored;
            }
            _ if is_empty => return,
            _ => {
                self.drop_small(bit);
                self.pieces.push_back(Piece {
                    bits: bit..end_bit,
                    content: at..end,
                    reach,
                    stored,
                });
            }
        }
        // Compressed again, it takes less.
        if self
            .pieces
            .back()
            .is_some_and(|last| last.stored_bytes() > last.len() + self.sizes.piece)
        {
            self.pieces.pop_back();
        }
    }

    /// Drops the last piece if it is small and joins neither with the one before nor with `next`.
    fn drop_small(&mut self, next: u64) {
        let mut latest = self.pieces.iter().rev();
        if let Some(last) = latest.next()
            && last.len() < self.sizes.piece
            && last.bits.end != next
            && latest.next().is_none_or(|before| before.bits.end != last.bits.start)
        {
            self.pieces.pop_back();
        }
    }

    /// Forgets blocks that begin before `at` or refer to what is before `begin`: these can never be taken
    /// over.
    pub(super) fn forget(&mut self, at: u64, begin: u64) {
        let is_lost = |from: u64, reach: u64| from < at || reach < begin;
        while self.pieces.front().is_some_and(|piece| is_lost(piece.content.start, piece.reach)) {
            self.pieces.pop_front();
        }
        self.begun.take_if(|begun| is_lost(begun.at, begun.reach));
    }

    /// Where the first block begins in the content; `None` if there is none.
    pub(super) fn first(&self) -> Option<u64> {
        let piece = self.pieces.front().map(|piece| piece.content.start);
        piece.or(self.begun.map(|begun| begun.at))
    }

    /// The same in the object, in bits.
    pub(super) fn first_bit(&self) -> Option<u64> {
        let piece = self.pieces.front().map(|piece| piece.bits.start);
        piece.or(self.begun.map(|begun| begun.bit))
    }

    /// Where the block at hand begins, in bits; `None` if it cannot be taken over.
    pub(super) fn begun(&self) -> Option<u64> {
        self.begun.map(|begun| begun.bit)
    }

    /// How many pieces from the first on can be taken over together, up to `end` in the content, and
    /// whether there can be no more of them.
    pub(super) fn run(&self, end: u64) -> (usize, bool) {
        let Some(first) = self.pieces.front() else { return (0, self.begun.is_none()) };
        let mut next_bit = first.bits.start;
        for (count, piece) in self.pieces.iter().enumerate() {
            let is_movable = !piece.stored || first.bits.start.is_multiple_of(8);
            let is_enough = piece.content.start >= first.content.start + self.sizes.most;
            if piece.bits.start != next_bit || !is_movable || is_enough {
                return (count, true);
            }
            if piece.content.end > end {
                return (count, false);
            }
            next_bit = piece.bits.end;
        }
        (self.pieces.len(), self.begun() != Some(next_bit))
    }

    /// Takes the first pieces out, as one; `None` if `count` is 0.
    pub(super) fn take(&mut self, count: usize) -> Option<Piece> {
        let mut all = self.pieces.drain(..count);
        let first = all.next()?;
        Some(all.fold(first, |mut whole, piece| {
            (whole.bits.end, whole.content.end) = (piece.bits.end, piece.content.end);
            whole
        }))
    }

    /// Drops the first piece, or the current block if there is no piece.
    pub(super) fn drop_first(&mut self) {
        if self.pieces.pop_front().is_none() {
            self.begun = None;
        }
    }

    /// How much content the first pieces have.
    pub(super) fn len(&self, count: usize) -> u64 {
        let pieces = self.pieces.iter().take(count);
        pieces.map(Piece::len).sum()
    }

    #[cfg(test)]
    pub(super) fn pieces(&self) -> impl Iterator<Item = &Piece> {
        self.pieces.iter()
    }
}
