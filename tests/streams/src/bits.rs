//! Bits to bytes, the lowest first (RFC 1951, section 3.1.1).

/// Writes bits.
#[derive(Clone, Debug, Default)]
pub struct Bits {
    bytes: Vec<u8>,
    /// Bits that do not fill a byte yet, and how many.
    rest: (u64, u32),
}

impl Bits {
    /// Appends the lowest `count` bits of `value`, at most 32.
    pub fn put(&mut self, value: usize, count: u32) {
        let (bits, filled) = &mut self.rest;
        *bits |= (value as u64 & ((1 << count) - 1)) << *filled;
        *filled += count;
        while *filled >= 8 {
            self.bytes.push(bits.to_le_bytes()[0]);
            *bits >>= 8;
            *filled -= 8;
        }
    }

    /// Fills the last byte with zeros.
    pub fn align(&mut self) {
        self.put(0, (8 - self.rest.1) % 8);
    }

    /// Appends whole bytes, after zeros up to a byte boundary.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.align();
        self.bytes.extend_from_slice(bytes);
    }

    /// Returns all bytes, the last one filled with zeros.
    pub fn finish(mut self) -> Vec<u8> {
        self.align();
        self.bytes
    }
}
