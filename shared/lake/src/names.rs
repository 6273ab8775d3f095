//! The names of the fields that are looked for.

use std::{fmt, sync::OnceLock};

use crate::shape::Shape;

/// Names, by what tells them apart soonest: most names of a row are none of them.
#[derive(Default)]
pub(crate) struct Names {
    all: Vec<String>,
    /// A bit for each length, modulo 64, that a name has.
    lengths: u64,
    /// Each in the slot that its word falls into.
    slots: [Vec<Name>; SLOTS],
    /// What the first row was like in which they were looked for.
    pub(crate) shape: OnceLock<Shape>,
}

/// How many slots there are, a power of two.
const SLOTS: usize = 32;

struct Name {
    word: u64,
    text: Box<[u8]>,
    index: usize,
}

impl Names {
    pub(crate) fn new(names: Vec<String>) -> Self {
        let lengths = names.iter().fold(0, |bits, name| bits | 1 << (name.len() % 64));
        let mut slots: [Vec<Name>; SLOTS] = Default::default();
        for (index, name) in names.iter().enumerate() {
            let word = word(name.as_bytes());
            slots[slot(word)].push(Name { word, text: name.as_bytes().into(), index });
        }
        Self { all: names, lengths, slots, shape: OnceLock::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// Returns them in the order of their indices.
    pub(crate) fn all(&self) -> &[String] {
        &self.all
    }

    #[inline]
    pub(crate) fn index_of(&self, key: &[u8]) -> Option<usize> {
        if self.lengths >> (key.len() % 64) & 1 == 0 {
            return None;
        }
        let word = word(key);
        let is_it = |name: &&Name| name.word == word && *name.text == *key;
        self.slots[slot(word)].iter().find(is_it).map(|name| name.index)
    }
}

/// Only what they are: the rest follows from it.
impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.all.fmt(f)
    }
}

/// The bytes of a short key, or the first ones of a long one.
#[inline]
fn word(key: &[u8]) -> u64 {
    if let Some(eight) = key.first_chunk() {
        return u64::from_le_bytes(*eight);
    }
    // Both ends, which overlap.
    if let (Some(first), Some(last)) = (key.first_chunk(), key.last_chunk()) {
        return u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << 32;
    }
    let byte = |at: usize| key.get(at).copied().map_or(0, u64::from);
    byte(0) | byte(1) << 8 | byte(2) << 16
}

#[inline]
fn slot(word: u64) -> usize {
    // Fibonacci hashing: the highest bits depend on all.
    let hash = word.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - SLOTS.ilog2());
    usize::try_from(hash).unwrap_or_default() % SLOTS
}
