//! What is no deflate is refused wherever it stands, as zlib refuses it, and never taken for something.

use super::*;

/// Writes one block, the last.
fn alone(block: &streams::Block<'_>) -> Vec<u8> {
    let mut bits = Bits::default();
    block.write(true, &mut bits, &mut Choices::new(&[]));
    bits.finish()
}

#[track_caller]
fn assert_refused(data: &[u8]) {
    assert_eq!(streams::zlib_reads(data), None);
    for ours in contents_of(data) {
        assert!(ours.is_err(), "{ours:?}");
    }
}

#[test]
fn symbols_that_stand_for_nothing_are_refused_wherever_they_stand() {
    for symbol in [286, 287] {
        for before in 0..40 {
            for after in [0, 1, 30] {
                let mut tokens = vec![Token::Literal(b'a'); before];
                tokens.push(Token::Symbol(symbol, 5));
                tokens.extend(vec![Token::Literal(b'b'); after]);
                assert_refused(&alone(&streams::Block::Fixed(&tokens)));
            }
        }
    }
}

#[test]
fn codes_of_more_symbols_than_there_are_are_refused() {
    for (literals, distances, sound) in [(286, 30, true), (287, 1, false), (257, 31, false)] {
        let mut lengths = vec![0; literals];
        (lengths[97], lengths[256]) = (1, 1);
        let tokens = [Token::Literal(b'a')];
        let codes = (Code(lengths), Code(vec![0; distances]));
        let data = alone(&streams::Block::Dynamic(&tokens, codes.0, codes.1));
        if sound {
            assert_eq!(read(&data[..]).unwrap().content, b"a");
        } else {
            assert_refused(&data);
        }
    }
}

#[test]
fn a_first_length_cannot_be_that_of_the_one_before() {
    let mut bits = Bits::default();
    // The last block, in codes of its own: 257 and 1 lengths in a code of five lengths.
    for (value, count) in [(0b101, 3), (0, 5), (0, 5), (1, 4)] {
        bits.put(value, count);
    }
    // Of 16, 17, 18, 0 and 8, the first and the last have one bit each.
    for len in [1, 0, 0, 0, 1] {
        bits.put(len, 3);
    }
    // 16: again the length before, three times.
    bits.put(1, 1);
    bits.put(0, 2);
    bits.bytes(&[0; 40]);
    assert_refused(&bits.finish());
}

#[test]
fn a_code_that_is_missing_is_told_from_one_that_is_cut() {
    let mut lengths = vec![0; 258];
    (lengths[97], lengths[256], lengths[257]) = (1, 2, 2);
    // The match's distance has no code, so the first bit of the end, a one, is read as one.
    let tokens = [Token::Literal(b'a'), Token::Match { len: 3, distance: 2 }];
    let cut = alone(&streams::Block::Dynamic(&tokens, Code(lengths), Code(vec![1])));
    assert!(matches!(read(&cut[..]), Err(DeflateError::Truncated)));
    for (more, is_cut) in [(1, true), (2, false), (9, false), (30, false)] {
        let data = [&cut[..], &vec![0; more]].concat();
        assert_refused(&data);
        let wrong = read(&data[..]).map(|read| read.content).unwrap_err();
        assert_eq!(matches!(wrong, DeflateError::Truncated), is_cut, "{more}: {wrong}");
    }
}

#[test]
fn fifteen_bits_are_enough_to_tell_that_a_code_is_missing() {
    let mut lengths = vec![0; 258];
    (lengths[97], lengths[256], lengths[257]) = (1, 2, 2);
    let is_cut = |before: &usize| {
        let mut tokens = vec![Token::Literal(b'a'); *before];
        tokens.push(Token::Match { len: 3, distance: 2 });
        let codes = (Code(lengths.clone()), Code(vec![1]));
        let mut data = alone(&streams::Block::Dynamic(&tokens, codes.0, codes.1));
        data.push(0);
        matches!(read(&data[..]), Err(DeflateError::Truncated))
    };
    // The distance has no code. Behind it are two bits of the end, the rest of their byte and one byte more. Each
    // literal moves it by one bit, so the eight streams have 10 to 17 bits there: five of them fewer than 15.
    assert_eq!((1..=8).filter(is_cut).count(), 5);
}

#[test]
fn a_length_that_its_complement_contradicts_is_refused() {
    assert_eq!(read(&[1, 1, 0, 0xfe, 0xff, b'a'][..]).unwrap().content, b"a");
    for complement in [[0xff, 0xff], [0xfe, 0xfe], [1, 0]] {
        assert_refused(&[&[1, 1, 0], &complement[..], b"a"].concat());
    }
}
