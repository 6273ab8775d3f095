//! Deflate (RFC 1951) read block by block, so that its stream can be joined with others.
//!
//! Libraries say what a stream holds, not where its last block begins, and that is what a splice has
//! to know: the bit that calls it the last. The whole stream is decoded and checked on the way.

/// How far back a match reaches, in bytes.
const HISTORY: usize = 32 * 1024;
/// How much is decoded before it is handed on, in bytes.
const CHUNK: usize = 256 * 1024;

/// A stream that is no deflate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DeflateError {
    #[error("the compressed data ends too early")]
    Truncated,
    #[error("the compressed data is damaged")]
    Corrupt,
}

/// Where things lie in a stream that was read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stream {
    /// The bit that says that the last block is the last, counted from the beginning.
    pub(crate) final_bit: usize,
    /// The first bit after the stream.
    pub(crate) end_bit: usize,
}

/// Decodes the stream that `data` begins with, and hands its content on in order.
pub(crate) fn inflate<E: From<DeflateError>>(
    data: &[u8],
    mut each: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<Stream, E> {
    let mut bits = Bits { data, at: 0, buffer: 0, filled: 0 };
    let mut out = Output { bytes: Vec::with_capacity(HISTORY + CHUNK + 64 * 1024), handed_on: 0 };
    let mut tables = Tables::default();
    loop {
        let final_bit = bits.position();
        let last = bits.take(1)? == 1;
        match bits.take(2)? {
            0 => stored(&mut bits, &mut out, &mut each)?,
            1 => {
                tables.set_fixed()?;
                compressed(&mut bits, &tables, &mut out, &mut each)?;
            }
            2 => {
                tables.read(&mut bits)?;
                compressed(&mut bits, &tables, &mut out, &mut each)?;
            }
            _ => return Err(DeflateError::Corrupt.into()),
        }
        if last {
            out.hand_on(&mut each)?;
            return Ok(Stream { final_bit, end_bit: bits.position() });
        }
    }
}

/// Bits in the order in which deflate packs them: the lowest of a byte first.
struct Bits<'a> {
    data: &'a [u8],
    /// The next byte to go into the buffer.
    at: usize,
    buffer: u64,
    /// Bits of the buffer that count. Those above may be set as the bytes after them will set them.
    filled: u32,
}

impl Bits<'_> {
    /// Fills the buffer with at least 56 bits, if there are as many.
    #[inline]
    fn refill(&mut self) {
        if let Some(Ok(eight)) = self.data.get(self.at..self.at + 8).map(<[u8; 8]>::try_from) {
            self.buffer |= u64::from_le_bytes(eight) << self.filled;
            self.at += ((63 - self.filled) >> 3) as usize;
            self.filled |= 0x38; // 56 at least, as many as whole bytes fit
            return;
        }
        while self.filled <= 55 {
            let Some(byte) = self.data.get(self.at) else { return };
            self.buffer |= u64::from(*byte) << self.filled;
            self.at += 1;
            self.filled += 8;
        }
    }

    /// Drops bits that were looked at; fails if they were not there.
    #[inline]
    fn skip(&mut self, count: u32) -> Result<(), DeflateError> {
        if count > self.filled {
            return Err(DeflateError::Truncated);
        }
        self.buffer >>= count;
        self.filled -= count;
        Ok(())
    }

    fn take(&mut self, count: u32) -> Result<u32, DeflateError> {
        self.refill();
        let value = low(self.buffer, count);
        self.skip(count)?;
        Ok(value)
    }

    /// The number of bits taken so far.
    fn position(&self) -> usize {
        self.at * 8 - self.filled as usize
    }
}

/// The lowest `count` bits, at most 32.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "no more than 32 bits are left")]
fn low(buffer: u64, count: u32) -> u32 {
    (buffer & ((1 << count) - 1)) as u32
}

/// What was decoded and may still be referred to.
struct Output {
    bytes: Vec<u8>,
    handed_on: usize,
}

impl Output {
    fn hand_on<E>(&mut self, each: &mut impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        each(&self.bytes[self.handed_on..])?;
        let keep = self.bytes.len().saturating_sub(HISTORY);
        self.bytes.drain(..keep);
        self.handed_on = self.bytes.len();
        Ok(())
    }

    /// Hands on what has come together, if it is enough.
    #[inline]
    fn ease<E>(&mut self, each: &mut impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        if self.bytes.len() - self.handed_on >= CHUNK { self.hand_on(each) } else { Ok(()) }
    }

    #[inline]
    fn repeat(&mut self, distance: usize, len: usize) -> Result<(), DeflateError> {
        let begin = self.bytes.len().checked_sub(distance).ok_or(DeflateError::Corrupt)?;
        if distance >= len {
            self.bytes.extend_from_within(begin..begin + len);
            return Ok(());
        }
        // The match overlaps itself: what it writes is repeated, too.
        let mut left = len;
        while left > 0 {
            let run = (self.bytes.len() - begin).min(left);
            self.bytes.extend_from_within(begin..begin + run);
            left -= run;
        }
        Ok(())
    }
}

fn stored<E: From<DeflateError>>(
    bits: &mut Bits<'_>,
    out: &mut Output,
    each: &mut impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let begin = bits.position().div_ceil(8);
    let byte = |at: usize| bits.data.get(at).copied().map(u16::from).ok_or(DeflateError::Truncated);
    let len = byte(begin)? | byte(begin + 1)? << 8;
    if len != !(byte(begin + 2)? | byte(begin + 3)? << 8) {
        return Err(DeflateError::Corrupt.into());
    }
    let end = begin + 4 + usize::from(len);
    out.bytes.extend_from_slice(bits.data.get(begin + 4..end).ok_or(DeflateError::Truncated)?);
    (bits.at, bits.buffer, bits.filled) = (end, 0, 0);
    out.ease(each)
}

fn compressed<E: From<DeflateError>>(
    bits: &mut Bits<'_>,
    tables: &Tables,
    out: &mut Output,
    each: &mut impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    loop {
        // The longest code and match take 48 bits, three literals 45.
        bits.refill();
        let mut entry = tables.literals.look_up(bits.buffer);
        for _ in 0..2 {
            if entry.kind() != LITERAL {
                break;
            }
            bits.skip(entry.len())?;
            out.bytes.push(entry.literal());
            entry = tables.literals.look_up(bits.buffer);
        }
        match entry.kind() {
            LITERAL => {
                bits.skip(entry.len())?;
                out.bytes.push(entry.literal());
            }
            MATCH => {
                if bits.filled < 48 {
                    bits.refill();
                }
                bits.skip(entry.len())?;
                let len = entry.base() + low(bits.buffer, entry.extra());
                bits.skip(entry.extra())?;
                let entry = tables.distances.look_up(bits.buffer);
                if entry.kind() != MATCH {
                    return Err(if bits.filled == 0 {
                        DeflateError::Truncated
                    } else {
                        DeflateError::Corrupt
                    }
                    .into());
                }
                bits.skip(entry.len())?;
                let distance = entry.base() + low(bits.buffer, entry.extra());
                bits.skip(entry.extra())?;
                out.repeat(distance as usize, len as usize)?;
                out.ease(each)?;
            }
            END => {
                bits.skip(entry.len())?;
                return out.ease(each);
            }
            _ if bits.filled < 15 => return Err(DeflateError::Truncated.into()),
            _ => return Err(DeflateError::Corrupt.into()),
        }
    }
}

const NONE: u32 = 0;
const LITERAL: u32 = 1;
const MATCH: u32 = 2;
const END: u32 = 3;

/// What a code stands for: its length in bits 0 to 3, its kind in 4 and 5, how many extra bits follow
/// in 6 to 9, and a literal or the base of a length or distance above.
#[derive(Clone, Copy, Debug, Default)]
struct Entry(u32);

impl Entry {
    fn new(kind: u32, base: u16, extra: u8) -> Self {
        Self(kind << 4 | u32::from(extra) << 6 | u32::from(base) << 16)
    }

    #[inline]
    fn len(self) -> u32 {
        self.0 & 15
    }

    #[inline]
    fn kind(self) -> u32 {
        self.0 >> 4 & 3
    }

    #[inline]
    fn extra(self) -> u32 {
        self.0 >> 6 & 15
    }

    #[inline]
    fn base(self) -> u32 {
        self.0 >> 16
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "a literal's base is one byte")]
    fn literal(self) -> u8 {
        (self.0 >> 16) as u8
    }
}

/// The codes of one alphabet, looked up by as many bits as the longest has.
#[derive(Debug, Default)]
struct Codes {
    mask: u64,
    entries: Vec<Entry>,
}

impl Codes {
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the mask has at most 15 bits")]
    fn look_up(&self, buffer: u64) -> Entry {
        self.entries.get((buffer & self.mask) as usize).copied().unwrap_or_default()
    }

    /// Makes the codes of these lengths (section 3.2.2). `of` says what a symbol stands for.
    fn set(&mut self, lengths: &[u8], of: impl Fn(usize) -> Entry) -> Result<(), DeflateError> {
        let longest = u32::from(lengths.iter().copied().max().unwrap_or(0)).max(1);
        let mut counts = [0_u32; 16];
        for len in lengths.iter().filter(|len| **len > 0) {
            counts[usize::from(*len)] += 1;
        }
        let used: u32 =
            counts.iter().zip((0..=15).rev()).skip(1).map(|(count, room)| count << room).sum();
        // A code that is over full is none; one with room left is allowed with a single symbol at most.
        if used > 1 << 15 || (used < 1 << 15 && counts.iter().sum::<u32>() > 1) {
            return Err(DeflateError::Corrupt);
        }
        let mut next = [0_u32; 16];
        for len in 1..16 {
            next[len] = (next[len - 1] + counts[len - 1]) << 1;
        }
        self.mask = (1 << longest) - 1;
        self.entries.clear();
        self.entries.resize(1 << longest, Entry::default());
        for (symbol, len) in lengths.iter().enumerate().filter(|(_, len)| **len > 0) {
            let code = &mut next[usize::from(*len)];
            let reversed = (code.reverse_bits() >> (32 - u32::from(*len))) as usize;
            *code += 1;
            let entry = Entry(of(symbol).0 | u32::from(*len));
            for place in (reversed..1 << longest).step_by(1 << len) {
                self.entries[place] = entry;
            }
        }
        Ok(())
    }
}

#[derive(Debug, Default)]
struct Tables {
    literals: Codes,
    distances: Codes,
}

impl Tables {
    /// The codes of section 3.2.6.
    fn set_fixed(&mut self) -> Result<(), DeflateError> {
        let mut lengths = [8; 288];
        lengths[144..256].fill(9);
        lengths[256..280].fill(7);
        self.literals.set(&lengths, literal_or_length)?;
        self.distances.set(&[5; 32], distance)
    }

    /// Reads the codes of section 3.2.7.
    fn read(&mut self, bits: &mut Bits<'_>) -> Result<(), DeflateError> {
        const ORDER: [usize; 19] =
            [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
        let literals = bits.take(5)? as usize + 257;
        let distances = bits.take(5)? as usize + 1;
        let count = bits.take(4)? as usize + 4;
        if literals > 286 || distances > 30 {
            return Err(DeflateError::Corrupt);
        }
        let mut code_lengths = [0; 19];
        for place in &ORDER[..count] {
            code_lengths[*place] = u8::try_from(bits.take(3)?).unwrap_or(0);
        }
        let mut codes = Codes::default();
        codes.set(&code_lengths, |symbol| {
            Entry::new(LITERAL, u16::try_from(symbol).unwrap_or(0), 0)
        })?;

        let mut lengths = [0_u8; 286 + 30];
        let all = literals + distances;
        let mut at = 0;
        while at < all {
            bits.refill();
            let entry = codes.look_up(bits.buffer);
            if entry.kind() == NONE {
                return Err(if bits.filled < 7 {
                    DeflateError::Truncated
                } else {
                    DeflateError::Corrupt
                });
            }
            bits.skip(entry.len())?;
            let (value, times) = match entry.literal() {
                16 if at == 0 => return Err(DeflateError::Corrupt),
                16 => (lengths[at - 1], 3 + bits.take(2)?),
                17 => (0, 3 + bits.take(3)?),
                18 => (0, 11 + bits.take(7)?),
                len => (len, 1),
            };
            let end = at + times as usize;
            lengths
                .get_mut(at..end)
                .filter(|_| end <= all)
                .ok_or(DeflateError::Corrupt)?
                .fill(value);
            at = end;
        }
        if lengths[256] == 0 {
            return Err(DeflateError::Corrupt);
        }
        self.literals.set(&lengths[..literals], literal_or_length)?;
        self.distances.set(&lengths[literals..all], distance)
    }
}

fn literal_or_length(symbol: usize) -> Entry {
    const BASES: [u16; 29] = [
        3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115,
        131, 163, 195, 227, 258,
    ];
    const EXTRA: [u8; 29] =
        [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
    match symbol {
        0..256 => Entry::new(LITERAL, u16::try_from(symbol).unwrap_or(0), 0),
        256 => Entry::new(END, 0, 0),
        257..286 => Entry::new(MATCH, BASES[symbol - 257], EXTRA[symbol - 257]),
        _ => Entry::new(NONE, 0, 0),
    }
}

fn distance(symbol: usize) -> Entry {
    const BASES: [u16; 30] = [
        1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537,
        2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577,
    ];
    if symbol >= 30 {
        return Entry::new(NONE, 0, 0);
    }
    let extra = u8::try_from(symbol / 2).unwrap_or(0).saturating_sub(1);
    Entry::new(MATCH, BASES[symbol], extra)
}

#[cfg(test)]
pub(crate) mod tests {
    use flate2::{Compress, Compression, FlushCompress};
    use proptest::prelude::*;

    use super::*;

    /// Content of several kinds, compressed at several levels with flushes in between.
    pub(crate) fn streams() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
        let part = prop_oneof![
            prop::collection::vec(any::<u8>(), 0..2000),
            prop::collection::vec(0_u8..3, 0..100_000),
            "([a-z]{1,8} ){0,3000}".prop_map(String::into_bytes),
            (any::<u8>(), 0_usize..200_000).prop_map(|(byte, len)| vec![byte; len]),
        ];
        let flush = prop_oneof![
            Just(FlushCompress::None),
            Just(FlushCompress::Sync),
            Just(FlushCompress::Full),
        ];
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
        })
    }

    fn read(data: &[u8]) -> Result<(Vec<u8>, Stream), DeflateError> {
        let mut out = Vec::new();
        let stream = inflate(data, |chunk| {
            out.extend_from_slice(chunk);
            Ok::<_, DeflateError>(())
        })?;
        Ok((out, stream))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]
        #[test]
        fn it_reads_what_another_program_wrote((content, stored) in streams(), after in any::<[u8; 9]>()) {
            let data = [&stored[..], &after].concat();
            let (out, stream) = read(&data).unwrap();

            prop_assert!(out == content, "the content differs");
            prop_assert_eq!(stream.end_bit.div_ceil(8), stored.len());
            prop_assert_eq!(stored[stream.final_bit / 8] >> (stream.final_bit % 8) & 1, 1);
            prop_assert_eq!(read(&stored).unwrap().1, stream);
        }

        #[test]
        fn a_stream_that_is_cut_is_never_taken_for_whole((_, stored) in streams(), cut in any::<prop::sample::Index>()) {
            let cut = cut.index(stored.len());
            prop_assert!(read(&stored[..cut]).is_err());
        }

        #[test]
        fn anything_else_ends_without_a_panic(data in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = read(&data);
        }
    }
}
