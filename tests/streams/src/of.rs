//! Given content as a stream.

use std::collections::HashMap;

use crate::{Bits, Block, Choices, Code, Token, block::END};

/// Returns a sound stream of this content, in blocks whose kinds and sizes are chosen, some of them empty.
pub fn stream_of(content: &[u8], choices: &mut Choices<'_>) -> Vec<u8> {
    let mut bits = Bits::default();
    let (mut at, mut seen) = (0, HashMap::new());
    loop {
        let size = choices.one_of(&[5000, 8000, 0, 0, 1, 30, 300, 3000, 100_000]);
        let size = if choices.are_used_up() { size } else { choices.below(size + 1) };
        let end = content.len().min(at + size);
        let last = end == content.len() && !choices.rarely(2);
        match choices.below(8) {
            0 => {
                let pieces = content[at..end].chunks(65_535);
                let count = pieces.len().max(1);
                for (n, piece) in pieces.chain([&[][..]]).take(count).enumerate() {
                    let last = last && n + 1 == count;
                    Block::Stored(piece).write(last, &mut bits, choices);
                }
                (at..end).for_each(|place| remember(content, place, &mut seen));
            }
            1 => Block::Fixed(&tokens(content, at..end, &mut seen)).write(last, &mut bits, choices),
            _ => dynamic(&tokens(content, at..end, &mut seen), last, &mut bits),
        }
        at = end;
        if last {
            return bits.finish();
        }
    }
}

fn dynamic(tokens: &[Token], last: bool, bits: &mut Bits) {
    let plain = &mut Choices::new(&[]);
    let code = |symbols: &mut Vec<usize>, count| {
        symbols.sort_unstable();
        symbols.dedup();
        Code::of(symbols, count, 15, &mut Choices::new(&[]))
    };
    let mut literals: Vec<usize> = tokens.iter().map(|token| token.symbol()).chain([END]).collect();
    let mut distances: Vec<usize> =
        tokens.iter().filter_map(|token| token.distance_symbol()).collect();
    let distances = if distances.is_empty() { Code(vec![0]) } else { code(&mut distances, 30) };
    Block::Dynamic(tokens, code(&mut literals, 286), distances).write(last, bits, plain);
}

/// Where the latest four bytes of each kind stand.
type Seen = HashMap<[u8; 4], usize>;

fn remember(content: &[u8], at: usize, seen: &mut Seen) {
    if let Some(four) = content[at..].first_chunk() {
        seen.insert(*four, at);
    }
}

fn tokens(content: &[u8], range: std::ops::Range<usize>, seen: &mut Seen) -> Vec<Token> {
    let (mut tokens, mut at) = (Vec::new(), range.start);
    while at < range.end {
        let most = (range.end - at).min(258);
        let earlier = content[at..].first_chunk().and_then(|four| seen.get(four)).copied();
        let found = earlier.filter(|from| at - from <= 32_768).map(|from| {
            let len = (0..most).take_while(|n| content[from + n] == content[at + n]).count();
            (len, at - from)
        });
        let (token, len) = match found {
            Some((len, distance)) if len >= 3 => (Token::Match { len, distance }, len),
            _ => (Token::Literal(content[at]), 1),
        };
        tokens.push(token);
        (at..at + len).for_each(|place| remember(content, place, seen));
        at += len;
    }
    tokens
}
