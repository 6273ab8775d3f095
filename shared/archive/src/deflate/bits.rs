//! Compressed data, bit by bit: the lowest bit of a byte comes first.

use std::io::{self, Read};

use super::{DeflateError, Receiver, codes::Entry};

/// How much of the data is held, in bytes. Little under the fuzzer, so that it is often used up.
const HELD: usize = if cfg!(fuzzing) { 100 } else { 64 * 1024 };
/// How many bytes one turn of the fast loop may use: two refills of eight.
const TURN: usize = 16;

/// Reads bits and bytes of compressed data.
///
/// - `held[at..end]` was read and is still to go into the buffer: `at <= end <= held.len()`.
/// - The lowest `filled` bits of `buffer` are those that stand right before byte `at`, so the next bit is
///   number `at * 8 - filled` of what is held. There are 63 at most, and their bytes are still held.
/// - Bits of `buffer` above them are zero, or already equal the input's next bits.
/// - `held[kept..]` is of the stream at hand and was not handed on. `kept` is `None` outside of a stream,
///   and never beyond the byte of the next bit.
#[derive(Debug)]
pub struct BitReader<R> {
    reader: R,
    held: Box<[u8]>,
    end: usize,
    at: usize,
    pub(super) buffer: u64,
    filled: u32,
    /// Where the first held byte stands in the whole.
    base: u64,
    kept: Option<usize>,
    /// The byte whose bit that says "last block" was cleared, until it is handed on.
    changed: Option<usize>,
}

/// Where a reader stands in what it holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct State {
    /// How many bytes are left.
    rest: usize,
    buffer: u64,
    filled: u32,
}

impl<R: Read> BitReader<R> {
    /// Returns one that stands at the beginning of `reader`'s bytes.
    pub fn new(reader: R) -> Self {
        Self::holding(HELD, reader)
    }

    /// The same, which holds so many bytes at most.
    pub(super) fn holding(bytes: usize, reader: R) -> Self {
        let held = vec![0; bytes].into_boxed_slice();
        Self {
            reader,
            held,
            end: 0,
            at: 0,
            buffer: 0,
            filled: 0,
            base: 0,
            kept: None,
            changed: None,
        }
    }

    /// Returns the next byte outside of a stream; none at the end.
    pub fn byte(&mut self) -> Result<Option<u8>, DeflateError> {
        debug_assert!(self.kept.is_none() && self.filled.is_multiple_of(8));
        self.unread();
        if self.at == self.end && !self.read_on(&mut Nobody)? {
            return Ok(None);
        }
        self.at += 1;
        Ok(Some(self.held[self.at - 1]))
    }

    /// How many bytes were read outside of streams and in those that were read to their end.
    pub fn position(&self) -> u64 {
        self.base + (self.at - self.filled as usize / 8) as u64
    }

    /// Takes `count` bits, 16 at most.
    pub(super) fn take<T: Receiver>(
        &mut self,
        count: u32,
        to: &mut T,
    ) -> Result<u32, DeflateError> {
        self.refill(to)?;
        let value = low(self.buffer, count);
        self.skip(count)?;
        Ok(value)
    }

    /// Takes a block's header: the place of its first bit, whether it is the last, and its kind (section
    /// 3.2.3). The bit that calls it the last is cleared in what is handed on.
    // At once, as its bytes are handed on by the next reading.
    pub(super) fn take_header<T: Receiver>(
        &mut self,
        to: &mut T,
    ) -> Result<(u64, bool, u32), DeflateError> {
        let header = self.take(3, to)?;
        self.check();
        let bit = self.at * 8 - self.filled as usize - 3;
        let last = header & 1 == 1;
        if last {
            self.held[bit / 8] &= !(1 << (bit % 8));
            self.changed = Some(bit / 8);
        }
        Ok((self.base * 8 + bit as u64, last, header >> 1))
    }

    /// Fills the buffer with 56 bits or more, if there are as many.
    pub(super) fn refill<T: Receiver>(&mut self, to: &mut T) -> Result<(), DeflateError> {
        while self.filled <= 55 {
            if self.at == self.end && !self.read_on(to)? {
                return Ok(());
            }
            self.buffer &= (1 << self.filled) - 1;
            self.buffer |= u64::from(self.held[self.at]) << self.filled;
            self.at += 1;
            self.filled += 8;
        }
        Ok(())
    }

    /// Returns the bytes of the stream that are held next, some of `most`.
    pub(super) fn bytes<T: Receiver>(
        &mut self,
        most: usize,
        to: &mut T,
    ) -> Result<&[u8], DeflateError> {
        self.unread();
        if self.at == self.end && !self.read_on(to)? {
            return Err(DeflateError::Truncated);
        }
        Ok(&self.held[self.at..self.end.min(self.at + most)])
    }

    /// Passes over bytes that [`BitReader::bytes`] returned.
    pub(super) fn consume(&mut self, bytes: usize) {
        self.at += bytes;
    }

    /// Hands on what was used, makes room and reads on; false at the end.
    fn read_on<T: Receiver>(&mut self, to: &mut T) -> Result<bool, DeflateError> {
        self.check();
        // A byte of which some bits are still in the buffer stays.
        let used = self.at - self.filled.div_ceil(8) as usize;
        self.hand_on(used, to);
        self.held.copy_within(used..self.end, 0);
        (self.at, self.end) = (self.at - used, self.end - used);
        self.base += used as u64;
        self.kept = self.kept.map(|kept| kept - used);
        self.changed = self.changed.map(|changed| changed - used);
        loop {
            match self.reader.read(&mut self.held[self.end..]) {
                Ok(0) => return Ok(false),
                Ok(len) => {
                    self.end += len;
                    return Ok(true);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e.into()),
            }
        }
    }

    /// Hands on what is held of the stream, up to `end`.
    fn hand_on<T: Receiver>(&mut self, end: usize, to: &mut T) {
        let Some(kept) = self.kept else { return };
        let changed = self.changed.take_if(|changed| *changed < end);
        let (first, second) = changed.map_or((end, end), |changed| (changed, changed + 1));
        to.stored(&self.held[kept..first], Some(self.base + kept as u64));
        to.stored(&self.held[first..second], None);
        to.stored(&self.held[second..end], Some(self.base + second as u64));
        self.kept = Some(end);
    }

    /// A stream begins at the next byte.
    pub(super) fn begin_stream(&mut self) {
        self.unread();
        self.kept = Some(self.at);
    }

    /// Hands on the rest of a stream, and leads it to a byte boundary: three header bits of an empty
    /// stored block, zeros up to the byte, and the lengths 0 and !0 (section 3.2.4).
    pub(super) fn end_stream<T: Receiver>(&mut self, to: &mut T) {
        // The bits of the last byte that do not count.
        let unused = self.filled % 8;
        self.align();
        self.unread();
        if unused > 0 {
            let last = self.at - 1;
            self.hand_on(last, to);
            to.stored(&[self.held[last] & (0xff >> unused)], None);
        } else {
            self.hand_on(self.at, to);
        }
        (self.kept, self.changed) = (None, None);
        // Three bits of header need another byte where fewer are left.
        let header: &[u8] = if unused < 3 { &[0] } else { &[] };
        to.stored(header, None);
        to.stored(&[0, 0, 0xff, 0xff], None);
    }
}

impl<R> BitReader<R> {
    /// What always holds, as written above.
    fn check(&self) {
        debug_assert!(self.at <= self.end && self.end <= self.held.len());
        debug_assert!(self.filled < 64 && self.filled as usize <= self.at * 8);
        let next = self.at - self.filled.div_ceil(8) as usize;
        debug_assert!(self.kept.is_none_or(|kept| kept <= next));
    }

    /// Drops the bits up to the next byte boundary.
    pub(super) fn align(&mut self) {
        self.drop_bits(self.filled % 8);
    }

    /// Gives whole bytes back that the buffer holds.
    fn unread(&mut self) {
        self.at -= (self.filled / 8) as usize;
        (self.buffer, self.filled) = (0, 0);
    }

    /// Drops bits that were looked at; fails if they were not there.
    pub(super) fn skip(&mut self, count: u32) -> Result<(), DeflateError> {
        if count > self.filled {
            return Err(DeflateError::Truncated);
        }
        self.drop_bits(count);
        Ok(())
    }

    fn drop_bits(&mut self, count: u32) {
        self.buffer >>= count;
        self.filled -= count;
    }

    /// What is wrong where bits stand for nothing.
    pub(super) fn wrong(&self) -> DeflateError {
        if self.filled < 15 { DeflateError::Truncated } else { DeflateError::Corrupt }
    }

    pub(super) fn is_ample(&self) -> bool {
        self.at + TURN <= self.end
    }

    /// Lends what is held to the fast loop, which gives back what is left by [`BitReader::resume`].
    pub(super) fn ample(&self) -> Ample<'_> {
        Ample { rest: &self.held[self.at..self.end], buffer: self.buffer, filled: self.filled }
    }

    pub(super) fn resume(&mut self, State { rest, buffer, filled }: State) {
        (self.at, self.buffer, self.filled) = (self.end - rest, buffer, filled);
        self.check();
    }
}

/// Bits of which there are plenty. Kept apart from their reader so that they stay in registers.
#[derive(Debug)]
pub(super) struct Ample<'a> {
    /// The bytes that are still to go into the buffer.
    rest: &'a [u8],
    pub(super) buffer: u64,
    /// As the reader's, in its lowest six bits; those above are arbitrary, which spares clearing them.
    filled: u32,
}

impl Ample<'_> {
    #[inline]
    pub(super) fn is_ample(&self) -> bool {
        self.rest.len() >= TURN
    }

    /// Fills the buffer with 56 bits or more.
    #[inline]
    pub(super) fn refill(&mut self) {
        if let Some(eight) = self.rest.first_chunk() {
            self.buffer |= u64::from_le_bytes(*eight).wrapping_shl(self.filled);
            // As many whole bytes as fit.
            self.rest = &self.rest[(!self.filled >> 3 & 7) as usize..];
            self.filled |= 0x38;
        }
    }

    /// Drops the bits of a code and its extra bits.
    #[inline]
    pub(super) fn drop(&mut self, entry: Entry) {
        self.buffer = self.buffer.wrapping_shr(entry.raw());
        self.filled = self.filled.wrapping_sub(entry.raw());
    }

    pub(super) fn state(&self) -> State {
        State { rest: self.rest.len(), buffer: self.buffer, filled: self.filled & 63 }
    }
}

/// The lowest `count` bits, at most 32.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "no more than 32 bits are left")]
pub(super) fn low(buffer: u64, count: u32) -> u32 {
    (buffer & ((1 << count) - 1)) as u32
}

/// Takes nothing: there is no stream.
struct Nobody;

impl Receiver for Nobody {
    type Error = DeflateError;

    fn content(&mut self, _: &[u8]) -> Result<(), DeflateError> {
        Ok(())
    }

    fn stored(&mut self, _: &[u8], _: Option<u64>) {}
}
