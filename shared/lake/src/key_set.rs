//! Sets of join keys, by which rows of one table are chosen from those of another.
//!
//! A key is kept in 128 bits: a UUID as it is, any other value as the first half of its SHA-256. So a set
//! takes 16 bytes a key.

use sha2::{Digest as _, Sha256};

use crate::text::text_of;

/// The bytes of a key, as stored.
pub const KEY_BYTES: usize = 16;

/// A sorted set of join keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeySet(Vec<u128>);

impl KeySet {
    /// Makes a set of keys in any order.
    pub(crate) fn new(mut ids: Vec<u128>) -> Self {
        ids.sort_unstable();
        ids.dedup();
        Self(ids)
    }

    /// Returns the union of sets.
    pub fn joined(sets: impl IntoIterator<Item = Self>) -> Self {
        Self::new(sets.into_iter().flat_map(|set| set.0).collect())
    }

    /// Returns the number of keys.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Tells whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the keys that are in `other`, too.
    pub fn within(&self, other: &Self) -> Self {
        Self(self.0.iter().copied().filter(|id| other.has(*id)).collect())
    }

    pub(crate) fn has(&self, id: u128) -> bool {
        self.0.binary_search(&id).is_ok()
    }

    /// Returns the keys as they are stored: big-endian, sorted.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|id| id.to_be_bytes()).collect()
    }

    /// Reads stored keys, or a part of them.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let ids = bytes.chunks_exact(KEY_BYTES).filter_map(|id| id.try_into().ok());
        Self(ids.map(u128::from_be_bytes).collect())
    }
}

impl From<KeySet> for Vec<u128> {
    fn from(ids: KeySet) -> Self {
        ids.0
    }
}

/// Returns the key of a JSON value; `None` for null.
pub(crate) fn key_of(json: &str) -> Option<u128> {
    if json == "null" {
        return None;
    }
    let text = text_of(json);
    // Where U+FFFD took the place of something, different ids would be the same.
    let text = if text.is_unicode { text.text } else { json.into() };
    Some(uuid(text.as_bytes()).unwrap_or_else(|| {
        let digest = Sha256::digest(text.as_bytes());
        digest.iter().take(KEY_BYTES).fold(0, |id, byte| id << 8 | u128::from(*byte))
    }))
}

/// Reads a UUID as most write it: 36 characters, in lower case.
fn uuid(text: &[u8]) -> Option<u128> {
    if text.len() != 36 {
        return None;
    }
    let mut id = 0;
    for (at, byte) in text.iter().enumerate() {
        let digit = match (at, byte) {
            (8 | 13 | 18 | 23, b'-') => continue,
            (_, b'0'..=b'9') => byte - b'0',
            (_, b'a'..=b'f') => byte - b'a' + 10,
            _ => return None,
        };
        id = id << 4 | u128::from(digit);
    }
    // A hyphen in the place of a digit would have been refused, a digit in that of a hyphen not.
    [8, 13, 18, 23].iter().all(|at| text[*at] == b'-').then_some(id)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_are_told_apart_by_their_text() {
        let uuid = "\"01234567-89ab-cdef-0123-456789abcdef\"";
        assert_eq!(key_of(uuid), Some(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef));
        assert_ne!(key_of(uuid), key_of(&uuid.to_uppercase()));
        assert_ne!(key_of(uuid), key_of("\"0123456708900cdef001230456789abcdef1\""));
        assert_eq!(key_of("\"\\u0061\""), key_of("\"a\""));
        assert_eq!(key_of("7"), key_of("\"7\""));
        assert_eq!(key_of("null"), None);
        assert_ne!(key_of("\"\\ud83d\""), key_of("\"\\ud83e\""));
    }

    proptest! {
        #[test]
        fn a_set_is_what_was_put_into_it(ids in prop::collection::vec(0..50_u128, 0..40), other in prop::collection::vec(0..50_u128, 0..40)) {
            let set = KeySet::new(ids.clone());
            prop_assert_eq!(&KeySet::from_bytes(&set.to_bytes()), &set);
            let within = set.within(&KeySet::new(other.clone()));
            for id in 0..50 {
                prop_assert_eq!(set.has(id), ids.contains(&id));
                prop_assert_eq!(within.has(id), ids.contains(&id) && other.contains(&id));
            }
        }
    }

    #[test]
    fn what_is_no_uuid_is_the_first_half_of_its_hash() {
        // SHA-256 of "abc", as FIPS 180-4 has it in its example.
        let half = 0xba78_16bf_8f01_cfea_4141_40de_5dae_2223;
        assert_eq!(key_of("\"abc\""), Some(half));
    }

    #[test]
    fn a_set_knows_how_many_it_has() {
        let set = |ids: &[u128]| KeySet::new(ids.to_vec());
        assert_eq!((set(&[]).len(), set(&[]).is_empty()), (0, true));
        assert_eq!((set(&[3, 1, 3]).len(), set(&[3, 1, 3]).is_empty()), (2, false));
        assert_eq!(KeySet::joined([set(&[1, 2]), set(&[2, 3])]), set(&[1, 2, 3]));
    }
}
