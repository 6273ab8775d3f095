//! The members of a row in their order, which mostly is the same in all rows of a dataset.

/// The most members that are known.
const MAX_MEMBERS: usize = 256;
/// The longest name that is told by its words, with the quote and the colon behind it, in bytes.
const MAX_NAME_BYTES: usize = 24;

type Words = [u64; MAX_NAME_BYTES / 8];

/// What was seen in one row, and is expected in others.
#[derive(Debug, Default)]
pub(crate) struct Shape(Vec<Member>);

/// A name, as it stands in a row.
#[derive(Debug)]
pub(crate) struct Member {
    /// Its bytes with the quote and the colon behind it, and a mask of as many.
    words: Words,
    mask: Words,
    /// How many bytes these are.
    pub(crate) len: usize,
    /// Its place among the names that are looked for, if it is one.
    pub(crate) index: Option<usize>,
}

impl Shape {
    /// Adds a member.
    pub(crate) fn push(&mut self, key: &[u8], index: Option<usize>) {
        if self.0.len() < MAX_MEMBERS {
            self.0.push(Member::new(key, index));
        }
    }

    /// Returns the member that the bytes after a quote begin with, if it is number `next`, or the one
    /// after it, as one may be missing. Then `next` is the one to expect.
    #[inline]
    pub(crate) fn member(&self, next: &mut usize, bytes: &[u8]) -> Option<&Member> {
        let words = words(bytes.first_chunk()?);
        let (at, member) = [*next, *next + 1]
            .into_iter()
            .filter_map(|at| Some((at, self.0.get(at)?)))
            .find(|(_, member)| member.begins(words))?;
        *next = at + 1;
        Some(member)
    }
}

impl Member {
    fn new(key: &[u8], index: Option<usize>) -> Self {
        let (mut text, mut mask) = ([0; MAX_NAME_BYTES], [0; MAX_NAME_BYTES]);
        let len = key.len() + 2;
        if len <= MAX_NAME_BYTES {
            text[..key.len()].copy_from_slice(key);
            text[key.len()..len].copy_from_slice(b"\":");
            mask[..len].fill(u8::MAX);
        } else {
            // Nothing begins with it: under this mask, all bytes are zero.
            text[0] = 1;
        }
        Self { words: words(&text), mask: words(&mask), len, index }
    }

    #[inline]
    fn begins(&self, words: Words) -> bool {
        let differ = |at: usize| (words[at] & self.mask[at]) ^ self.words[at];
        (0..words.len()).fold(0, |all, at| all | differ(at)) == 0
    }
}

#[inline]
fn words(bytes: &[u8; MAX_NAME_BYTES]) -> Words {
    let mut words = Words::default();
    for (word, eight) in words.iter_mut().zip(bytes.as_chunks().0) {
        *word = u64::from_le_bytes(*eight);
    }
    words
}
