//! A part of a file: bytes to write, or a range of an object that is already stored.

/// A part of a file. `S` names a stored object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Extent<S> {
    /// Bytes that no object holds yet: headers and the like.
    Bytes(Vec<u8>),
    /// `len` bytes of an object, from `offset`.
    Range {
        /// Which object.
        source: S,
        /// Where in it.
        offset: u64,
        /// How much of it.
        len: u64,
    },
}

impl<S: Clone> Extent<S> {
    /// Returns its length in bytes.
    pub fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Range { len, .. } => *len,
        }
    }

    /// Tells whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Cuts off and returns its first `len` bytes.
    pub(crate) fn take(&mut self, len: u64) -> Self {
        match self {
            Self::Bytes(bytes) => {
                let at = usize::try_from(len).unwrap_or(usize::MAX).min(bytes.len());
                let rest = bytes.split_off(at);
                Self::Bytes(std::mem::replace(bytes, rest))
            }
            Self::Range { source, offset, len: left } => {
                let len = len.min(*left);
                let head = Self::Range { source: source.clone(), offset: *offset, len };
                *offset += len;
                *left -= len;
                head
            }
        }
    }
}
