//! Huffman codes (sections 3.2.2 and 3.2.5 to 3.2.7) and what they stand for.

use std::{io::Read, sync::LazyLock};

use super::{BitReader, DeflateError, Receiver, bits::low};

/// What a code stands for. In bits 0 to 5 how many bits it takes with its extra bits, in 8 to 11 without
/// them; from 16 a literal, or the base of a length or distance.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry(u32);

/// It stands for a literal.
const LITERAL: u32 = 1 << 31;
/// It stands for neither a literal nor a length or distance: for nothing, unless one of the next two is
/// set as well.
const SPECIAL: u32 = 1 << 15;
/// The code is longer: it leads to a place in the second table.
const LONGER: u32 = 1 << 14;
/// It ends the block.
const END: u32 = 1 << 13;

impl Entry {
    const NONE: Self = Self(SPECIAL);

    fn new(flags: u32, base: u16, extra: u32) -> Self {
        Self(flags | extra | u32::from(base) << 16)
    }

    /// The same, for a code of `len` bits.
    fn coded(self, len: u32) -> Self {
        Self(self.0 + len + (len << 8))
    }

    /// The bits of code and extra bits together.
    #[inline]
    pub(super) fn bits(self) -> u32 {
        self.0 & 63
    }

    /// A number of which the lowest byte is [`Entry::bits`].
    #[inline]
    pub(super) fn raw(self) -> u32 {
        self.0
    }

    #[inline]
    pub(super) fn is_literal(self) -> bool {
        self.0 & LITERAL != 0
    }

    /// Tells whether it stands for none of literal, length and distance.
    #[inline]
    pub(super) fn is_special(self) -> bool {
        self.0 & SPECIAL != 0
    }

    #[inline]
    pub(super) fn is_end(self) -> bool {
        self.0 & END != 0
    }

    #[inline]
    pub(super) fn is_none(self) -> bool {
        self.0 & (SPECIAL | END) == SPECIAL
    }

    /// The length or distance that the code in `buffer` stands for.
    #[inline]
    pub(super) fn value(self, buffer: u64) -> u32 {
        self.base() + low(buffer, self.bits()).wrapping_shr(self.0 >> 8)
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "a literal's base is one byte")]
    pub(super) fn literal(self) -> u8 {
        self.base() as u8
    }

    #[inline]
    fn base(self) -> u32 {
        self.0 >> 16
    }
}

/// The codes of one alphabet, in two tables: the second for those that the first, of `N` entries, is too
/// small for.
#[derive(Debug)]
pub(super) struct Codes<const N: usize> {
    direct: [Entry; N],
    longer: Vec<Entry>,
}

impl<const N: usize> Default for Codes<N> {
    fn default() -> Self {
        Self { direct: [Entry::NONE; N], longer: Vec::new() }
    }
}

impl<const N: usize> Codes<N> {
    /// How many bits are looked up directly.
    const DIRECT_BITS: u32 = N.ilog2();

    #[inline]
    pub(super) fn look_up(&self, buffer: u64) -> Entry {
        self.followed(self.direct(buffer), buffer)
    }

    /// Looks a code up that may be longer than what is found.
    #[inline]
    pub(super) fn direct(&self, buffer: u64) -> Entry {
        self.direct[low(buffer, Self::DIRECT_BITS) as usize]
    }

    /// Returns what an entry leads to: itself, or that of a longer code.
    #[inline]
    pub(super) fn followed(&self, entry: Entry, buffer: u64) -> Entry {
        if entry.0 & LONGER == 0 {
            return entry;
        }
        let place = entry.base() + low(buffer >> Self::DIRECT_BITS, entry.bits());
        self.longer.get(place as usize).copied().unwrap_or(Entry::NONE)
    }

    /// Makes the codes of these lengths (section 3.2.2). `of` says what a symbol stands for.
    ///
    /// Refused is what zlib refuses, so that it reads whatever is taken over: an over-subscribed code, and
    /// an incomplete one, unless it has no symbol at all or, if `one_bit_may_do`, one symbol of one bit.
    fn set(
        &mut self,
        lengths: &[u8],
        one_bit_may_do: bool,
        of: impl Fn(usize) -> Entry,
    ) -> Result<(), DeflateError> {
        #[cfg(test)]
        BUILT.set(BUILT.get() + 1);
        let mut counts = [0_u32; 16];
        for len in lengths.iter().filter(|len| **len > 0) {
            counts[usize::from(*len)] += 1;
        }
        let longest = (0..16_u32).rev().find(|len| counts[*len as usize] > 0).unwrap_or(0);
        // Of all that fifteen bits can say, how much stands for something.
        let used: u32 =
            counts.iter().zip((0..=15).rev()).skip(1).map(|(count, room)| count << room).sum();
        let may_be_incomplete = longest == 0 || (longest == 1 && one_bit_may_do);
        if used > 1 << 15 || (used < 1 << 15 && !may_be_incomplete) {
            return Err(DeflateError::Corrupt);
        }
        let mut next = [0_u32; 16];
        for len in 1..16 {
            next[len] = (next[len - 1] + counts[len - 1]) << 1;
        }
        self.direct.fill(Entry::NONE);
        self.longer.clear();
        for (symbol, len) in lengths.iter().enumerate().filter(|(_, len)| **len > 0) {
            let len = u32::from(*len);
            let code = &mut next[len as usize];
            let reversed = (code.reverse_bits() >> (32 - len)) as usize;
            *code += 1;
            self.place(reversed, len, longest, of(symbol).coded(len));
        }
        Ok(())
    }

    /// Enters a code wherever its bits come first.
    fn place(&mut self, code: usize, len: u32, longest: u32, entry: Entry) {
        if len <= Self::DIRECT_BITS {
            for place in (code..N).step_by(1 << len) {
                self.direct[place] = entry;
            }
            return;
        }
        let rest = longest - Self::DIRECT_BITS;
        let first = &mut self.direct[code % N];
        if first.0 & LONGER == 0 {
            let base = u16::try_from(self.longer.len()).unwrap_or(u16::MAX);
            *first = Entry::new(SPECIAL | LONGER, base, rest);
            self.longer.resize(self.longer.len() + (1 << rest), Entry::NONE);
        }
        let base = first.base() as usize;
        for place in (code >> Self::DIRECT_BITS..1 << rest).step_by(1 << (len - Self::DIRECT_BITS))
        {
            self.longer[base + place] = entry;
        }
    }
}

#[cfg(test)]
thread_local! {
    /// How many codes were built.
    pub(super) static BUILT: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

#[derive(Debug, Default)]
pub(super) struct Tables {
    pub(super) literals: Codes<2048>,
    pub(super) distances: Codes<256>,
}

impl Tables {
    /// The codes of section 3.2.6.
    pub(super) fn fixed() -> &'static Self {
        // Made once: a stream that is flushed at every row has as many blocks of them.
        static FIXED: LazyLock<Tables> = LazyLock::new(|| {
            let mut lengths = [8; 288];
            lengths[144..256].fill(9);
            lengths[256..280].fill(7);
            let mut tables = Tables::default();
            let literals = tables.literals.set(&lengths, false, literal_or_length);
            let distances = tables.distances.set(&[5; 32], false, distance);
            literals.and(distances).expect("these codes are complete");
            tables
        });
        &FIXED
    }

    /// Reads the codes of section 3.2.7.
    pub(super) fn read<R: Read, T: Receiver>(
        &mut self,
        bits: &mut BitReader<R>,
        to: &mut T,
    ) -> Result<(), DeflateError> {
        const ORDER: [usize; 19] =
            [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
        let literals = bits.take(5, to)? as usize + 257;
        let distances = bits.take(5, to)? as usize + 1;
        let count = bits.take(4, to)? as usize + 4;
        if literals > 286 || distances > 30 {
            return Err(DeflateError::Corrupt);
        }
        let mut code_lengths = [0; 19];
        for place in &ORDER[..count] {
            code_lengths[*place] = u8::try_from(bits.take(3, to)?).unwrap_or(0);
        }
        let mut codes = Codes::<128>::default();
        codes.set(&code_lengths, false, |symbol| {
            Entry::new(LITERAL, u16::try_from(symbol).unwrap_or(0), 0)
        })?;

        let mut lengths = [0_u8; 286 + 30];
        let all = literals + distances;
        let mut at = 0;
        while at < all {
            bits.refill(to)?;
            let entry = codes.look_up(bits.buffer);
            if entry.is_none() {
                return Err(bits.wrong());
            }
            bits.skip(entry.bits())?;
            let (value, times) = match entry.literal() {
                16 if at == 0 => return Err(DeflateError::Corrupt),
                16 => (lengths[at - 1], 3 + bits.take(2, to)?),
                17 => (0, 3 + bits.take(3, to)?),
                18 => (0, 11 + bits.take(7, to)?),
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
        self.literals.set(&lengths[..literals], true, literal_or_length)?;
        self.distances.set(&lengths[literals..all], true, distance)
    }
}

fn literal_or_length(symbol: usize) -> Entry {
    const BASES: [u16; 29] = [
        3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115,
        131, 163, 195, 227, 258,
    ];
    const EXTRA: [u32; 29] =
        [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
    match symbol {
        0..256 => Entry::new(LITERAL, u16::try_from(symbol).unwrap_or(0), 0),
        256 => Entry::new(SPECIAL | END, 0, 0),
        257..286 => Entry::new(0, BASES[symbol - 257], EXTRA[symbol - 257]),
        _ => Entry::NONE,
    }
}

fn distance(symbol: usize) -> Entry {
    const BASES: [u16; 30] = [
        1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537,
        2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577,
    ];
    if symbol >= 30 {
        return Entry::NONE;
    }
    let extra = u32::try_from(symbol / 2).unwrap_or(0).saturating_sub(1);
    Entry::new(0, BASES[symbol], extra)
}
