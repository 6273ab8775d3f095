//! Blocks (RFC 1951, section 3.2.3).

use crate::{Bits, Choices, Code};

/// What a compressed block consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    /// A byte.
    Literal(u8),
    /// `len` bytes again, those from `distance` back on.
    Match {
        /// 3 to 258.
        len: usize,
        /// 1 to 32,768.
        distance: usize,
    },
    /// A symbol of the alphabet of literals and lengths, whatever it stands for, and then that many bits of
    /// zeros.
    Symbol(usize, u32),
}

const LENGTHS: [usize; 29] = [
    3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131,
    163, 195, 227, 258,
];
const DISTANCES: [usize; 30] = [
    1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537,
    2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577,
];
/// Ends a block.
pub(crate) const END: usize = 256;

impl Token {
    /// Its symbol among literals and lengths.
    pub(crate) fn symbol(self) -> usize {
        match self {
            Self::Literal(byte) => usize::from(byte),
            Self::Match { len, .. } => 257 + place(&LENGTHS, len),
            Self::Symbol(symbol, _) => symbol,
        }
    }

    /// Its symbol among distances.
    pub(crate) fn distance_symbol(self) -> Option<usize> {
        match self {
            Self::Match { distance, .. } => Some(place(&DISTANCES, distance)),
            Self::Literal(_) | Self::Symbol(..) => None,
        }
    }
}

/// Which of the ascending `bases` is the last that is not greater.
fn place(bases: &[usize], value: usize) -> usize {
    bases.partition_point(|base| *base <= value) - 1
}

/// The bits that tell a length from its base.
fn length_extra(place: usize) -> u32 {
    if (4..28).contains(&place) { u32::try_from(place / 4 - 1).unwrap_or(0) } else { 0 }
}

/// The bits that tell a distance from its base.
fn distance_extra(place: usize) -> u32 {
    u32::try_from(place / 2).unwrap_or(0).saturating_sub(1)
}

/// One block of a stream.
#[derive(Clone, Debug)]
pub enum Block<'a> {
    /// Not compressed, 65,535 bytes at most.
    Stored(&'a [u8]),
    /// In the codes that need no table.
    Fixed(&'a [Token]),
    /// In codes of its own, for literals and lengths and for distances.
    Dynamic(&'a [Token], Code, Code),
}

impl Block<'_> {
    /// Writes the block. How the table of a dynamic one is written is chosen.
    pub fn write(&self, last: bool, bits: &mut Bits, choices: &mut Choices<'_>) {
        bits.put(usize::from(last), 1);
        match self {
            Self::Stored(content) => {
                bits.put(0, 2);
                bits.align();
                bits.put(content.len(), 16);
                bits.put(!content.len(), 16);
                bits.bytes(content);
            }
            Self::Fixed(tokens) => {
                bits.put(1, 2);
                write_tokens(tokens, &Code::fixed_literals(), &Code::fixed_distances(), bits);
            }
            Self::Dynamic(tokens, literals, distances) => {
                bits.put(2, 2);
                write_table(literals, distances, bits, choices);
                write_tokens(tokens, literals, distances, bits);
            }
        }
    }
}

fn write_tokens(tokens: &[Token], literals: &Code, distances: &Code, bits: &mut Bits) {
    let (literals, distances) = (literals.codes(), distances.codes());
    // A symbol that has no code is left out: the block says something else then.
    let put = |bits: &mut Bits, codes: &[(usize, u32)], symbol: usize| {
        let (code, len) = codes.get(symbol).copied().unwrap_or_default();
        bits.put(code, len);
    };
    for token in tokens {
        let symbol = token.symbol();
        put(bits, &literals, symbol);
        match *token {
            Token::Literal(_) => {}
            Token::Symbol(_, zeros) => bits.put(0, zeros),
            Token::Match { len, distance } => {
                let at = symbol - 257;
                bits.put(len - LENGTHS[at], length_extra(at));
                let at = place(&DISTANCES, distance);
                put(bits, &distances, at);
                bits.put(distance - DISTANCES[at], distance_extra(at));
            }
        }
    }
    put(bits, &literals, END);
}

/// The lengths of both codes, run-length coded, and the code that is for (section 3.2.7).
fn write_table(literals: &Code, distances: &Code, bits: &mut Bits, choices: &mut Choices<'_>) {
    const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
    bits.put(literals.0.len().saturating_sub(257), 5);
    bits.put(distances.0.len().saturating_sub(1), 5);
    let mut items = runs(&[&literals.0[..], &distances.0].concat(), choices);
    if choices.rarely(100) {
        // More than there is room for, or nothing that could be repeated.
        let odd = choices.one_of(&[(18, 127, 7), (16, 3, 2)]);
        let at = choices.one_of(&[items.len(), 0]);
        items.insert(at, odd);
    }
    let mut symbols: Vec<usize> = items.iter().map(|item| item.0).collect();
    symbols.sort_unstable();
    symbols.dedup();
    if symbols.len() == 1 && !choices.rarely(20) {
        // One that is not used makes the code complete.
        symbols.push(usize::from(symbols[0] == 0));
    }
    let mut code = Code::of(&symbols, 19, 7, choices);
    spoil(&mut code, 7, 100, choices);
    let count =
        ORDER.iter().rposition(|symbol| code.0[*symbol] > 0).map_or(4, |at| (at + 1).max(4));
    bits.put(count - 4, 4);
    for symbol in &ORDER[..count] {
        bits.put(usize::from(code.0[*symbol]), 3);
    }
    let codes = code.codes();
    for (symbol, extra, count) in items {
        let (code, len) = codes[symbol];
        bits.put(code, len);
        bits.put(extra, count);
    }
}

/// Lengths as symbols, each with its extra bits and how many. Where a repetition may be told as such, it
/// mostly is.
fn runs(lengths: &[u8], choices: &mut Choices<'_>) -> Vec<(usize, usize, u32)> {
    let (mut items, mut at) = (Vec::new(), 0);
    while at < lengths.len() {
        let value = lengths[at];
        let run = lengths[at..].iter().take_while(|len| **len == value).count();
        let is_repeated = at > 0 && lengths[at - 1] == value;
        let plain = choices.rarely(8);
        let used = match run {
            11.. if value == 0 && !plain => {
                items.push((18, run.min(138) - 11, 7));
                run.min(138)
            }
            3.. if value == 0 && !plain => {
                items.push((17, run.min(10) - 3, 3));
                run.min(10)
            }
            3.. if is_repeated && !plain => {
                items.push((16, run.min(6) - 3, 2));
                run.min(6)
            }
            _ => {
                items.push((usize::from(value), 0, 0));
                1
            }
        };
        at += used;
    }
    items
}

/// Rarely changes one length, which leaves a code incomplete or over-subscribed.
pub(crate) fn spoil(code: &mut Code, longest: u8, times: usize, choices: &mut Choices<'_>) {
    if choices.rarely(times) {
        let used: Vec<usize> = (0..code.0.len()).filter(|symbol| code.0[*symbol] > 0).collect();
        let symbol = choices.one_of(&[used, (0..code.0.len()).collect()].concat());
        let len = code.0[symbol];
        code.0[symbol] = choices.one_of(&[len + 1, len.saturating_sub(1), 0, 2]).min(longest);
    }
}
