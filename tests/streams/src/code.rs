//! Huffman codes (RFC 1951, section 3.2.2).

use crate::{Bits, Choices};

/// A code: of how many bits each symbol is, 0 if it has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code(pub Vec<u8>);

impl Code {
    /// A complete code of these symbols out of `count`, of `longest` bits at most. A single symbol takes
    /// one bit, which leaves the code incomplete.
    pub fn of(symbols: &[usize], count: usize, longest: u8, choices: &mut Choices<'_>) -> Self {
        let mut lengths = vec![0];
        while lengths.len() < symbols.len() {
            // Any leaf becomes two; the shortest one if that would be too deep.
            let mut leaf = choices.below(lengths.len());
            if lengths[leaf] + 1 >= longest {
                leaf = (0..lengths.len()).min_by_key(|leaf| lengths[*leaf]).unwrap_or(0);
            }
            lengths[leaf] += 1;
            lengths.push(lengths[leaf]);
        }
        let mut code = vec![0; count];
        for (symbol, len) in symbols.iter().zip(lengths) {
            code[*symbol] = len.max(1);
        }
        Self(code)
    }

    /// The literals and lengths of section 3.2.6.
    pub fn fixed_literals() -> Self {
        let mut lengths = vec![8; 288];
        lengths[144..256].fill(9);
        lengths[256..280].fill(7);
        Self(lengths)
    }

    /// The distances of section 3.2.6.
    pub fn fixed_distances() -> Self {
        Self(vec![5; 32])
    }

    /// The codes of all symbols, with the first bit lowest. Those of a code that is none, as it is
    /// over-subscribed, are arbitrary.
    pub(crate) fn codes(&self) -> Vec<(usize, u32)> {
        let longest = self.0.iter().copied().max().unwrap_or(0);
        let (mut codes, mut next) = (vec![(0, 0); self.0.len()], 0_u32);
        for len in 1..=longest {
            next <<= 1;
            for (symbol, _) in self.0.iter().enumerate().filter(|(_, of)| **of == len) {
                let code = next.reverse_bits() >> (32 - u32::from(len));
                codes[symbol] = (code as usize, u32::from(len));
                next += 1;
            }
        }
        codes
    }

    /// Writes a few symbols; for many, see [`Code::codes`].
    pub fn put(&self, bits: &mut Bits, symbol: usize) {
        let (code, len) = self.codes()[symbol];
        bits.put(code, len);
    }
}
