//! Texts that are stored as differences, written out within a bound.
//!
//! A value may repeat all of the value before it, so a small page can stand for any amount of text. The library makes
//! memory of whatever such a page claims.

use bytes::Bytes;

use crate::ParquetFault;

/// How a page is written out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plain {
    /// How many values it has, at most.
    pub(crate) values: usize,
    /// How many bytes it may have.
    pub(crate) most: usize,
    /// Whether all values have the same length, so that none is said.
    pub(crate) is_fixed: bool,
}

impl Plain {
    /// Writes out lengths followed by all texts.
    pub(crate) fn of_lengths(self, bytes: &[u8]) -> Result<Bytes, ParquetFault> {
        let (lengths, texts) = numbers(bytes, self.values)?;
        self.write_out(std::iter::repeat(0).zip(lengths), texts)
    }

    /// Writes out how much each value has of the one before it, and the rest of each.
    pub(crate) fn of_prefixes(self, bytes: &[u8]) -> Result<Bytes, ParquetFault> {
        let (prefixes, rest) = numbers(bytes, self.values)?;
        let (lengths, texts) = numbers(rest, self.values)?;
        if prefixes.len() != lengths.len() {
            return Err(contradiction());
        }
        self.write_out(prefixes.into_iter().zip(lengths), texts)
    }

    /// Writes each value, behind its length of four bytes.
    fn write_out(
        self,
        values: impl Iterator<Item = (usize, usize)>,
        mut texts: &[u8],
    ) -> Result<Bytes, ParquetFault> {
        let (mut out, mut before) = (Vec::new(), 0..0);
        for (prefix, len) in values {
            let (text, rest) = texts.split_at_checked(len).ok_or_else(contradiction)?;
            texts = rest;
            if prefix > before.len() {
                return Err(contradiction());
            }
            let whole = u32::try_from(prefix + len).map_err(|_| contradiction())?;
            if out.len() + 4 + prefix + len > self.most {
                let why = format!("the values of a page have more than {} bytes", self.most);
                return Err(ParquetFault::unsupported(why));
            }
            if !self.is_fixed {
                out.extend(whole.to_le_bytes());
            }
            let begin = out.len();
            out.extend_from_within(before.start..before.start + prefix);
            out.extend_from_slice(text);
            before = begin..out.len();
        }
        Ok(out.into())
    }
}

fn contradiction() -> ParquetFault {
    ParquetFault::damaged("the lengths of a page's values cannot be read")
}

/// Reads numbers that are packed as differences, at most `most`, none below zero. Returns what follows them.
fn numbers(bytes: &[u8], most: usize) -> Result<(Vec<usize>, &[u8]), ParquetFault> {
    let mut at = 0;
    let mut read = || unpack(bytes, &mut at, most);
    let numbers = read().ok_or_else(contradiction)?;
    Ok((numbers, &bytes[at..]))
}

fn unpack(bytes: &[u8], at: &mut usize, most: usize) -> Option<Vec<usize>> {
    let size = |value: u64| usize::try_from(value).ok();
    let block = size(varint(bytes, at)?)?;
    let minis = size(varint(bytes, at)?)?;
    let count = size(varint(bytes, at)?)?;
    let mut value = zigzag(varint(bytes, at)?);
    let per_mini = block.checked_div(minis)?;
    if count > most || per_mini == 0 || !per_mini.is_multiple_of(32) || per_mini > 1 << 20 {
        return None;
    }
    let mut found = Vec::with_capacity(count);
    let push = |value: i64, found: &mut Vec<usize>| {
        found.push(usize::try_from(value).ok()?);
        Some(())
    };
    if count == 0 {
        return Some(found);
    }
    push(value, &mut found)?;
    while found.len() < count {
        let least = zigzag(varint(bytes, at)?);
        let widths = bytes.get(*at..at.checked_add(minis)?)?;
        *at += minis;
        for width in widths {
            if found.len() == count {
                break;
            }
            let width = usize::from(*width);
            let packed = bytes.get(*at..at.checked_add(per_mini / 8 * width)?)?;
            if width > 64 {
                return None;
            }
            *at += packed.len();
            for index in 0..per_mini.min(count - found.len()) {
                let delta = bits(packed, index * width, width).cast_signed();
                value = value.wrapping_add(least).wrapping_add(delta);
                push(value, &mut found)?;
            }
        }
    }
    Some(found)
}

/// Returns `width` bits from bit `from` on, the lowest first.
fn bits(packed: &[u8], from: usize, width: usize) -> u64 {
    let byte = |at: usize| packed.get(at).copied().map_or(0, u128::from);
    let (first, shift) = (from / 8, from % 8);
    let word = (0..9).fold(0_u128, |word, at| word | byte(first + at) << (8 * at));
    let mask = if width == 64 { u64::MAX } else { (1 << width) - 1 };
    u64::try_from(word >> shift & u128::from(u64::MAX)).unwrap_or_default() & mask
}

fn varint(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn zigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}
