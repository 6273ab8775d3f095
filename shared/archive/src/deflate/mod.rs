//! Deflate (RFC 1951) read block by block, so that its stream can be joined with others.
//!
//! Libraries say what a stream holds, not where its last block begins, and that is what joining has to
//! know: the bit that calls it the last. So this decoder hands on, beside the content, the stream
//! itself as a segment: that bit cleared, and an empty stored block at the end, which leads to a byte
//! boundary. All of it is decoded and checked on the way.

mod bits;
mod blocks;
mod codes;
mod window;

use std::io::{self, Read};

pub use bits::BitReader;
pub use blocks::push_blocks;
use codes::Tables;
use window::Window;

/// Why a stream could not be read to its end.
#[derive(Debug, thiserror::Error)]
pub enum DeflateError {
    /// Its bytes end before it does.
    #[error("the compressed data ends too early")]
    Truncated,
    /// Its bytes are no deflate.
    #[error("the compressed data is damaged")]
    Corrupt,
    /// Its bytes did not come.
    #[error("the compressed data could not be read")]
    Read(#[from] io::Error),
}

/// Takes what a stream is read to.
pub trait Receiver {
    /// Why it takes no more.
    type Error: From<DeflateError>;

    /// Takes the next bytes of the content.
    fn content(&mut self, bytes: &[u8]) -> Result<(), Self::Error>;

    /// Takes the next bytes of the stream as a segment. `at` is where they stand in what is read, if
    /// they stand there as they are.
    fn stored(&mut self, bytes: &[u8], at: Option<u64>);

    /// Whether [`Receiver::block`] is called.
    const BLOCKS: bool = false;

    /// A block begins. All content before it was handed on, and none of its own bytes.
    fn block(&mut self, _: Block) {}

    /// Everything before byte `at` of what is read was handed on or lies outside of streams.
    fn passed(&mut self, _at: u64) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// Where a block begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// The first bit of its header, counted in all that is read.
    pub bit: u64,
    /// Whether it is the first of its stream.
    pub first: bool,
    /// Whether it is not compressed. Such a block is aligned to bytes.
    pub stored: bool,
}

/// Decodes streams, one after the other. What it needs for that is kept, so that small streams cost
/// little.
#[derive(Debug)]
pub struct Inflater {
    window: Window<{ window::SIZE }>,
    tables: Tables,
}

impl Default for Inflater {
    fn default() -> Self {
        Self { window: Window::new(), tables: Tables::default() }
    }
}

impl Inflater {
    /// Decodes the stream that `bits` stand at, and leaves them at the first byte after it.
    pub fn inflate<R: Read, T: Receiver>(
        &mut self,
        bits: &mut BitReader<R>,
        to: &mut T,
    ) -> Result<(), <T as Receiver>::Error> {
        inflate(bits, &mut self.window, &mut self.tables, to)
    }
}

/// The same with a window of any size.
fn inflate<R: Read, T: Receiver, const SIZE: usize>(
    bits: &mut BitReader<R>,
    window: &mut Window<SIZE>,
    tables: &mut Tables,
    to: &mut T,
) -> Result<(), T::Error> {
    bits.begin_stream();
    window.clear();
    let mut first = true;
    loop {
        let (bit, last, kind) = bits.take_header(to)?;
        if T::BLOCKS {
            window.hand_on(to)?;
            to.block(Block { bit, first, stored: kind == 0 });
        }
        first = false;
        match kind {
            0 => stored(bits, window, to)?,
            1 => compressed(bits, Tables::fixed(), window, to)?,
            2 => {
                tables.read(bits, to)?;
                compressed(bits, tables, window, to)?;
            }
            _ => return Err(DeflateError::Corrupt.into()),
        }
        if last {
            window.hand_on(to)?;
            bits.end_stream(to);
            return Ok(());
        }
    }
}

/// Section 3.2.4.
fn stored<R: Read, T: Receiver, const SIZE: usize>(
    bits: &mut BitReader<R>,
    window: &mut Window<SIZE>,
    to: &mut T,
) -> Result<(), T::Error> {
    bits.align();
    let (len, complement) = (bits.take(16, to)?, bits.take(16, to)?);
    if len != !complement & 0xffff {
        return Err(DeflateError::Corrupt.into());
    }
    let mut left = len as usize;
    while left > 0 {
        let bytes = bits.bytes(left, to)?;
        left -= bytes.len();
        for piece in bytes.chunks(window::ROOM) {
            window.ease(to)?;
            window.extend(piece);
        }
        let taken = bytes.len();
        bits.consume(taken);
    }
    Ok(())
}

/// Section 3.2.3.
fn compressed<R: Read, T: Receiver, const SIZE: usize>(
    bits: &mut BitReader<R>,
    tables: &Tables,
    window: &mut Window<SIZE>,
    to: &mut T,
) -> Result<(), T::Error> {
    loop {
        window.ease(to)?;
        if bits.is_ample() {
            match with_plenty(bits, tables, window) {
                Ended::Block => return Ok(()),
                Ended::Plenty => continue,
                Ended::Corrupt => return Err(DeflateError::Corrupt.into()),
            }
        }
        bits.refill(to)?;
        let entry = tables.literals.look_up(bits.buffer);
        if entry.is_none() {
            return Err(bits.wrong().into());
        }
        let buffer = bits.buffer;
        bits.skip(entry.bits())?;
        if entry.is_end() {
            return Ok(());
        }
        if entry.is_literal() {
            window.push(entry.literal());
            continue;
        }
        let len = entry.value(buffer);
        bits.refill(to)?;
        let entry = tables.distances.look_up(bits.buffer);
        if entry.is_special() {
            return Err(bits.wrong().into());
        }
        let distance = entry.value(bits.buffer);
        bits.skip(entry.bits())?;
        window.repeat(distance, len)?;
    }
}

/// What ended first.
#[derive(Clone, Copy)]
enum Ended {
    Block,
    Plenty,
    Corrupt,
}

/// Decodes while there is plenty of input and of room, without looking at the end of either.
// Not inlined: there it would have fewer registers for itself.
#[inline(never)]
fn with_plenty<R, const SIZE: usize>(
    bits: &mut BitReader<R>,
    tables: &Tables,
    window: &mut Window<SIZE>,
) -> Ended {
    let mut fast = bits.ample();
    let mut room = window.room();
    let (literals, distances) = (&tables.literals, &tables.distances);
    fast.refill();
    let mut entry = literals.direct(fast.buffer);
    let ended = loop {
        if !fast.is_ample() || room.is_full() {
            break Ended::Plenty;
        }
        // There are 56 bits or more. Three literals that are found directly take 33.
        if entry.is_literal() {
            fast.drop(entry);
            room.push(entry.literal());
            entry = literals.direct(fast.buffer);
            if entry.is_literal() {
                fast.drop(entry);
                room.push(entry.literal());
                entry = literals.direct(fast.buffer);
                if entry.is_literal() {
                    fast.drop(entry);
                    room.push(entry.literal());
                    entry = literals.direct(fast.buffer);
                    fast.refill();
                    continue;
                }
            }
        }
        // Two literals and a length take 42, which leaves as many as a distance is looked up by.
        if entry.is_special() {
            entry = literals.followed(entry, fast.buffer);
            if entry.is_literal() {
                fast.drop(entry);
                room.push(entry.literal());
                entry = literals.direct(fast.buffer);
                fast.refill();
                continue;
            }
            if entry.is_special() {
                if entry.is_end() {
                    fast.drop(entry);
                    break Ended::Block;
                }
                return Ended::Corrupt;
            }
        }
        let len = entry.value(fast.buffer);
        fast.drop(entry);
        entry = distances.direct(fast.buffer);
        fast.refill();
        if entry.is_special() {
            entry = distances.followed(entry, fast.buffer);
            if entry.is_special() {
                return Ended::Corrupt;
            }
        }
        let distance = entry.value(fast.buffer);
        fast.drop(entry);
        // The next code is looked up before the match is copied, so that both go on at once.
        entry = literals.direct(fast.buffer);
        fast.refill();
        if !room.repeat(distance, len) {
            return Ended::Corrupt;
        }
    };
    let (state, len) = (fast.state(), room.len());
    bits.resume(state);
    window.resume(len);
    ended
}

#[cfg(test)]
mod tests;
