//! Streams of any structure.

use crate::{
    Bits, Block, Choices, Code, Token,
    block::{END, spoil},
};

/// Returns a stream whose structure is chosen. Most are sound; the others break one of the format's rules
/// or another, or are cut, or something follows them.
pub fn any_stream(choices: &mut Choices<'_>) -> Vec<u8> {
    let mut stream = Stream { bits: Bits::default(), len: 0 };
    loop {
        let last = choices.are_used_up() || choices.rarely(12);
        stream.block(last, choices);
        if last {
            break;
        }
    }
    let mut bytes = stream.bits.finish();
    match choices.below(16) {
        14 => bytes.truncate(choices.below(bytes.len() + 1)),
        15 => {
            let at = choices.below(bytes.len());
            bytes[at] ^= 1 << choices.below(8);
        }
        13 => bytes.extend([choices.below(256).to_le_bytes()[0]; 9]),
        _ => {}
    }
    bytes
}

struct Stream {
    bits: Bits,
    /// How much content it has.
    len: usize,
}

impl Stream {
    fn block(&mut self, last: bool, choices: &mut Choices<'_>) {
        match choices.below(20) {
            0..3 => self.stored(last, choices),
            3..6 => {
                let tokens = self.tokens(choices);
                Block::Fixed(&tokens).write(last, &mut self.bits, choices);
            }
            // Flushes: an empty block.
            6..8 => Block::Stored(&[]).write(last, &mut self.bits, choices),
            8 => Block::Fixed(&[]).write(last, &mut self.bits, choices),
            9 => self.fill(last, choices),
            19 if choices.rarely(8) => self.bits.put(0b110 | usize::from(last), 3),
            _ => self.dynamic(last, choices),
        }
    }

    fn stored(&mut self, last: bool, choices: &mut Choices<'_>) {
        let len = choices.one_of(&[0, 1, 40, 291, 600, 40_000, 65_535]);
        let len = choices.below(len + 1);
        let content: Vec<u8> = (0..len).map(|at| (at * 7 % 251).to_le_bytes()[0]).collect();
        if choices.rarely(30) {
            self.bits.put(usize::from(last), 3);
            self.bits.align();
            self.bits.put(len, 16);
            self.bits.put(!len ^ 1 << choices.below(16), 16);
            self.bits.bytes(&content);
            return;
        }
        Block::Stored(&content).write(last, &mut self.bits, choices);
        self.len += len;
    }

    /// Repeats one byte up to where decoders' windows end.
    fn fill(&mut self, last: bool, choices: &mut Choices<'_>) {
        let ends = [32_768, 33_068, 65_536, 294_912, 557_056];
        let end = choices.one_of(&ends) + choices.below(7) - 3;
        let mut tokens = vec![Token::Literal(b'f')];
        let mut left = end.saturating_sub(self.len + 1);
        while left >= 258 + 3 {
            tokens.push(Token::Match { len: 258, distance: 1 });
            left -= 258;
        }
        tokens.extend(vec![Token::Literal(b'g'); left]);
        self.len = end.max(self.len + 1);
        Block::Fixed(&tokens).write(last, &mut self.bits, choices);
    }

    fn dynamic(&mut self, last: bool, choices: &mut Choices<'_>) {
        let tokens = self.tokens(choices);
        let used: Vec<usize> = tokens.iter().map(|token| token.symbol()).chain([END]).collect();
        let most = if choices.rarely(60) { 288 } else { 286 };
        let mut literals = some_code(used, choices.below(5), 257, most, choices);
        let used: Vec<usize> = tokens.iter().filter_map(|token| token.distance_symbol()).collect();
        let most = if choices.rarely(60) { 32 } else { 30 };
        let mut distances = some_code(used, choices.below(3), 1, most, choices);
        spoil(&mut literals, 15, 40, choices);
        spoil(&mut distances, 15, 40, choices);
        if choices.rarely(100) {
            literals.0[END] = 0;
        }
        Block::Dynamic(&tokens, literals, distances).write(last, &mut self.bits, choices);
    }

    fn tokens(&mut self, choices: &mut Choices<'_>) -> Vec<Token> {
        let count = choices.one_of(&[0, 1, 3, 10, 40, 200]);
        (0..count).map(|_| self.token(choices)).collect()
    }

    fn token(&mut self, choices: &mut Choices<'_>) -> Token {
        if self.len == 0 || choices.below(3) == 0 {
            if choices.rarely(200) {
                return Token::Symbol(286 + choices.below(2), 5);
            }
            self.len += 1;
            return Token::Literal((choices.below(64) * 5).to_le_bytes()[0]);
        }
        let farthest = self.len.min(32_768);
        let distance = match choices.below(8) {
            0 => 1,
            1 => farthest,
            2 => farthest - choices.below(farthest.min(20)),
            3 => 1 + choices.below(farthest.min(20)),
            7 if choices.rarely(12) => (farthest + 1).min(32_768),
            _ => 1 + choices.below(farthest),
        };
        let len = if choices.rarely(3) { 258 } else { 3 + choices.below(256) };
        self.len += len;
        Token::Match { len, distance }
    }
}

/// A code of these symbols and some more, of `least` to `most`.
fn some_code(
    mut symbols: Vec<usize>,
    more: usize,
    least: usize,
    most: usize,
    choices: &mut Choices<'_>,
) -> Code {
    symbols.extend((0..more).map(|_| choices.below(most)));
    symbols.sort_unstable();
    symbols.dedup();
    symbols.retain(|symbol| *symbol < most);
    let count = symbols.last().map_or(least, |last| (last + 1).max(least));
    if symbols.is_empty() {
        return Code(vec![0; count]);
    }
    if symbols.len() == 1 && choices.rarely(4) {
        // Right only if it takes one bit.
        let mut code = vec![0; count];
        code[symbols[0]] = choices.one_of(&[1, 2, 7, 15]);
        return Code(code);
    }
    Code::of(&symbols, if choices.rarely(10) { most } else { count }, 15, choices)
}
