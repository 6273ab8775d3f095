//! What was decoded and may still be referred to.

use super::{DeflateError, Receiver};

/// How far back a match reaches, in bytes.
const HISTORY: usize = 32 * 1024;
/// How much is decoded before it is handed on, in bytes.
const CHUNK: usize = 256 * 1024;
/// How much a match copies at a time, in bytes.
const STEP: usize = 16;
/// What may be written beyond the point where a window is full: two literals, the longest match, and
/// what its last step writes too much.
pub(super) const ROOM: usize = 2 + 258 + STEP;

const SIZE: usize = HISTORY + CHUNK + ROOM;

#[derive(Debug)]
pub(super) struct Window {
    bytes: Box<[u8; SIZE]>,
    len: usize,
    handed_on: usize,
}

impl Window {
    pub(super) fn new() -> Self {
        let Ok(bytes) = vec![0; SIZE].try_into() else { unreachable!("it has that length") };
        Self { bytes, len: 0, handed_on: 0 }
    }

    /// Hands on what was not yet.
    pub(super) fn hand_on<T: Receiver>(&mut self, to: &mut T) -> Result<(), T::Error> {
        to.content(&self.bytes[self.handed_on..self.len])?;
        let keep = self.len.saturating_sub(HISTORY);
        self.bytes.copy_within(keep..self.len, 0);
        self.len -= keep;
        self.handed_on = self.len;
        Ok(())
    }

    /// Makes room if there is little.
    pub(super) fn ease<T: Receiver>(&mut self, to: &mut T) -> Result<(), T::Error> {
        if self.is_full() { self.hand_on(to) } else { Ok(()) }
    }

    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.len > HISTORY + CHUNK
    }

    #[inline]
    pub(super) fn push(&mut self, byte: u8) {
        self.bytes[self.len] = byte;
        self.len += 1;
    }

    /// Appends [`ROOM`] bytes at most.
    pub(super) fn extend(&mut self, bytes: &[u8]) {
        self.bytes[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    /// Appends `len` bytes from `distance` back.
    #[expect(clippy::inline_always, reason = "measured: a call costs as much as what it does")]
    #[inline(always)]
    pub(super) fn repeat(&mut self, distance: u32, len: u32) -> Result<(), DeflateError> {
        let (distance, len) = (distance as usize, len as usize);
        let begin = self.len.checked_sub(distance).ok_or(DeflateError::Corrupt)?;
        let (mut from, mut to, end) = (begin, self.len, self.len + len);
        self.len = end;
        if distance >= STEP {
            while to < end {
                let step: [u8; STEP] = self.bytes[from..from + STEP].try_into().unwrap_or_default();
                self.bytes[to..to + STEP].copy_from_slice(&step);
                (from, to) = (from + STEP, to + STEP);
            }
        } else if distance == 1 {
            let byte = self.bytes[begin];
            self.bytes[to..end].fill(byte);
        } else {
            // The match overlaps itself: what it writes is repeated, too.
            while to < end {
                let run = (to - begin).min(end - to);
                self.bytes.copy_within(begin..begin + run, to);
                to += run;
            }
        }
        Ok(())
    }
}
