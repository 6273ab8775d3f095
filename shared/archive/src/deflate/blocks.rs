//! Blocks taken out of a stream.

use std::ops::Range;

/// Appends the blocks that are these bits of `data` as a segment, without the last of a stream. They
/// may refer to what stands before them, and if any is not compressed, they begin on a byte boundary.
pub fn push_blocks(data: &[u8], bits: Range<u64>, out: &mut Vec<u8>) {
    let (first, last) = (index(bits.start / 8), index(bits.end.div_ceil(8)));
    let (bytes, shift) = (&data[first..last], bits.start % 8);
    let begin = out.len();
    if shift == 0 {
        out.extend_from_slice(bytes);
    } else {
        let pairs = bytes.iter().zip(bytes[1..].iter().chain([&0]));
        out.extend(pairs.map(|(low, high)| (low >> shift) | (high << (8 - shift))));
    }
    let len = bits.end - bits.start;
    out.truncate(begin + index(len.div_ceil(8)));
    let used = len % 8;
    if used > 0
        && let Some(last) = out.last_mut()
    {
        *last &= (1 << used) - 1;
    }
    // An empty stored block leads to a byte boundary: three bits of header, zeros, two lengths.
    if used == 0 || used > 5 {
        out.push(0);
    }
    out.extend([0, 0, 0xff, 0xff]);
}

/// A place in memory.
fn index(at: u64) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}
