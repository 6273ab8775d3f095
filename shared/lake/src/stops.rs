//! Where a JSON string may end, for 64 bytes at a time.

use wide::u8x16;

/// How many bytes are looked at together.
pub(crate) const BLOCK: usize = 64;

/// Returns a mask of the bytes of a block that are special in a JSON string (RFC 8259, section 7): quotes,
/// backslashes and control characters. The lowest bit stands for the first byte.
#[inline]
pub(crate) fn stops(block: &[u8; BLOCK]) -> u64 {
    let (quote, backslash) = (u8x16::splat(b'"'), u8x16::splat(b'\\'));
    let control = u8x16::splat(0x1f);
    let mut bits = 0;
    for (number, sixteen) in block.as_chunks().0.iter().enumerate() {
        let sixteen = u8x16::new(*sixteen);
        let found = sixteen.simd_eq(quote)
            | sixteen.simd_eq(backslash)
            | sixteen.min(control).simd_eq(sixteen);
        bits |= u64::from(found.to_bitmask()) << (16 * number);
    }
    bits
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_byte_that_ends_or_breaks_a_string_is_found(bytes: [u8; 32], others: [u8; 32]) {
            let mut block = [0; BLOCK];
            block[..32].copy_from_slice(&bytes);
            block[32..].copy_from_slice(&others);
            for (n, byte) in block.into_iter().enumerate() {
                let is_stop = byte < 0x20 || byte == b'"' || byte == b'\\';
                prop_assert_eq!(stops(&block) >> n & 1 == 1, is_stop, "{:#x}", byte);
            }
        }
    }
}
