//! Decisions, taken from bytes.

/// Bytes that decide what is made. Once they are used up, every answer is the first one, which is always
/// the plain one, so that what is made comes to an end.
#[derive(Clone, Debug)]
pub struct Choices<'a>(&'a [u8]);

impl<'a> Choices<'a> {
    /// Returns the decisions that `bytes` stand for.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Tells whether there are no more bytes.
    pub fn are_used_up(&self) -> bool {
        self.0.is_empty()
    }

    /// A number less than `end`.
    pub fn below(&mut self, end: usize) -> usize {
        let mut number = usize::from(self.byte());
        if end > 256 {
            number |= usize::from(self.byte()) << 8;
        }
        if end > 1 << 16 {
            number |= usize::from(self.byte()) << 16;
        }
        number % end.max(1)
    }

    /// One of these.
    pub fn one_of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())].clone()
    }

    /// True about once in `times`.
    pub fn rarely(&mut self, times: usize) -> bool {
        self.below(times) == times - 1
    }

    fn byte(&mut self) -> u8 {
        self.0.split_off_first().copied().unwrap_or(0)
    }
}
