//! What was decoded and may still be referred to.

use super::{DeflateError, Receiver};

/// How far back a match reaches, in bytes.
const HISTORY: usize = 32 * 1024;
/// How much is decoded before it is handed on, in bytes. Little under the fuzzer, so that windows are
/// often full.
const CHUNK: usize = if cfg!(fuzzing) { 300 } else { 256 * 1024 };
/// How much a match copies at a time, in bytes.
const STEP: usize = 16;
/// What may be written beyond the point where a window is full: two literals, the longest match, and
/// what its last steps write too much.
pub(super) const ROOM: usize = 2 + 258 + 2 * STEP;

/// The size of a window in bytes.
pub(super) const SIZE: usize = size_of_window(CHUNK);

/// The size of a window that is full when `chunk` bytes are held beside the history.
pub(super) const fn size_of_window(chunk: usize) -> usize {
    HISTORY + chunk + ROOM
}

/// The latest content of a stream.
///
/// - `bytes[..len]` is the end of the content so far: all of it, or at least its last 32 KiB.
/// - `bytes[..handed_on]` was handed on, and `handed_on <= len`.
/// - Before anything is appended, `len <= FULL`: whoever appends calls [`Window::ease`] first. One turn
///   of the fast loop, one match or one [`Window::extend`] appends [`ROOM`] bytes at most, so nothing is
///   written beyond `SIZE`. A turn that ends with its block leaves up to `FULL + 2` bytes.
#[derive(Debug)]
pub(super) struct Window<const SIZE: usize> {
    bytes: Box<[u8; SIZE]>,
    len: usize,
    handed_on: usize,
}

impl<const SIZE: usize> Window<SIZE> {
    /// How much is held before a window is full, in bytes.
    const FULL: usize = SIZE - ROOM;

    pub(super) fn new() -> Self {
        let Ok(bytes) = vec![0; SIZE].try_into() else { unreachable!("it has that length") };
        Self { bytes, len: 0, handed_on: 0 }
    }

    /// Forgets everything: another stream begins, which refers to nothing before it.
    pub(super) fn clear(&mut self) {
        (self.len, self.handed_on) = (0, 0);
    }

    /// Hands on what was not yet.
    pub(super) fn hand_on<T: Receiver>(&mut self, to: &mut T) -> Result<(), T::Error> {
        debug_assert!(self.handed_on <= self.len && self.len <= SIZE);
        to.content(&self.bytes[self.handed_on..self.len])?;
        self.handed_on = self.len;
        Ok(())
    }

    /// Makes room if there is little. To be called before anything is appended.
    pub(super) fn ease<T: Receiver>(&mut self, to: &mut T) -> Result<(), T::Error> {
        if self.len > Self::FULL {
            self.hand_on(to)?;
            self.bytes.copy_within(self.len - HISTORY..self.len, 0);
            (self.len, self.handed_on) = (HISTORY, HISTORY);
        }
        Ok(())
    }

    /// Lends the space for more content; what is written there counts from [`Window::resume`] on.
    pub(super) fn room(&mut self) -> Room<'_, SIZE> {
        debug_assert!(self.len <= Self::FULL);
        Room { bytes: &mut self.bytes, len: self.len }
    }

    pub(super) fn resume(&mut self, len: usize) {
        debug_assert!(self.len <= len && len <= SIZE);
        self.len = len;
    }

    pub(super) fn push(&mut self, byte: u8) {
        let mut room = self.room();
        room.push(byte);
        self.len = room.len;
    }

    /// Appends `len` bytes from `distance` back.
    pub(super) fn repeat(&mut self, distance: u32, len: u32) -> Result<(), DeflateError> {
        let mut room = self.room();
        if !room.repeat(distance, len) {
            return Err(DeflateError::Corrupt);
        }
        self.len = room.len;
        Ok(())
    }

    /// Appends [`ROOM`] bytes at most.
    pub(super) fn extend(&mut self, bytes: &[u8]) {
        debug_assert!(self.len <= Self::FULL && bytes.len() <= ROOM);
        self.bytes[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }
}

/// Where content is written to. Kept apart from its window so that it stays in registers.
#[derive(Debug)]
pub(super) struct Room<'a, const SIZE: usize> {
    bytes: &'a mut [u8; SIZE],
    len: usize,
}

impl<const SIZE: usize> Room<'_, SIZE> {
    const FULL: usize = SIZE - ROOM;

    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.len > Self::FULL
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(super) fn push(&mut self, byte: u8) {
        debug_assert!(self.len <= Self::FULL + 2);
        self.bytes[self.len] = byte;
        self.len += 1;
    }

    /// Appends `len` bytes from `distance` back; false if there are not as many.
    #[expect(clippy::inline_always, reason = "measured: a call costs as much as what it does")]
    #[inline(always)]
    pub(super) fn repeat(&mut self, distance: u32, len: u32) -> bool {
        debug_assert!(self.len <= Self::FULL + 2 && distance > 0 && len <= 258);
        let (distance, len) = (distance as usize, len as usize);
        let Some(mut from) = self.len.checked_sub(distance) else { return false };
        let (mut to, end) = (self.len, self.len + len);
        self.len = end;
        if distance < STEP {
            repeat_close(self.bytes, from, to, end);
            return true;
        }
        // Most matches are no longer than two steps, and need not be told apart.
        loop {
            for _ in 0..2 {
                let step: [u8; STEP] = self.bytes[from..from + STEP].try_into().unwrap_or_default();
                self.bytes[to..to + STEP].copy_from_slice(&step);
                (from, to) = (from + STEP, to + STEP);
            }
            if to >= end {
                return true;
            }
        }
    }
}

/// A match overlaps itself: what it writes is repeated, too.
#[inline(never)]
fn repeat_close(bytes: &mut [u8], begin: usize, mut to: usize, end: usize) {
    if to - begin == 1 {
        let byte = bytes[begin];
        bytes[to..end].fill(byte);
    } else {
        while to < end {
            let run = (to - begin).min(end - to);
            bytes.copy_within(begin..begin + run, to);
            to += run;
        }
    }
}
