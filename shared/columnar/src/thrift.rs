//! Thrift's compact protocol: enough of it to look at what a file says before anything is made of it.

/// How deep structures, lists and maps may nest.
const MAX_DEPTH: u8 = 24;

/// What is wrong with encoded structures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// The bytes end too early.
    Short,
    /// They are no structure, or one that nests too deep.
    Wrong,
}

/// The types of fields.
pub(crate) mod kind {
    pub(crate) const TRUE: u8 = 1;
    pub(crate) const FALSE: u8 = 2;
    pub(crate) const I8: u8 = 3;
    pub(crate) const I16: u8 = 4;
    pub(crate) const I64: u8 = 6;
    pub(crate) const DOUBLE: u8 = 7;
    pub(crate) const BINARY: u8 = 8;
    pub(crate) const LIST: u8 = 9;
    pub(crate) const SET: u8 = 10;
    pub(crate) const MAP: u8 = 11;
    pub(crate) const STRUCT: u8 = 12;
}

/// Reads encoded structures.
#[derive(Clone, Debug)]
pub(crate) struct Thrift<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Thrift<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How many bytes were read.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    fn byte(&mut self) -> Result<u8, Flaw> {
        let byte = self.bytes.get(self.at).copied().ok_or(Flaw::Short)?;
        self.at += 1;
        Ok(byte)
    }

    fn pass(&mut self, len: usize) -> Result<(), Flaw> {
        if len > self.bytes.len() - self.at {
            return Err(Flaw::Short);
        }
        self.at += len;
        Ok(())
    }

    /// Reads a number of seven bits a byte.
    fn varint(&mut self) -> Result<u64, Flaw> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Flaw::Wrong)
    }

    /// Reads an integer.
    pub(crate) fn integer(&mut self) -> Result<i64, Flaw> {
        let value = self.varint()?;
        Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    /// Reads an integer that is a size.
    pub(crate) fn size(&mut self) -> Result<usize, Flaw> {
        usize::try_from(self.integer()?).map_err(|_| Flaw::Wrong)
    }

    /// Calls `each` with the number and the type of every field of a structure. What it leaves, it returns as false, and
    /// it is passed over.
    pub(crate) fn fields(
        &mut self,
        mut each: impl FnMut(&mut Self, i64, u8) -> Result<bool, Flaw>,
    ) -> Result<(), Flaw> {
        let mut number = 0;
        loop {
            let head = self.byte()?;
            let (step, kind) = (i64::from(head >> 4), head & 0xf);
            if kind == 0 {
                return Ok(());
            }
            number = if step == 0 { self.integer()? } else { number + step };
            if !each(self, number, kind)? {
                self.skip(kind, MAX_DEPTH)?;
            }
        }
    }

    /// Reads the head of a list: the type of its elements and how many they are, at most one a byte.
    pub(crate) fn list(&mut self) -> Result<(u8, usize), Flaw> {
        let head = self.byte()?;
        let len = match head >> 4 {
            15 => usize::try_from(self.varint()?).map_err(|_| Flaw::Wrong)?,
            short => usize::from(short),
        };
        if len > self.bytes.len() - self.at {
            return Err(Flaw::Short);
        }
        Ok((head & 0xf, len))
    }

    /// Passes over a field.
    fn skip(&mut self, kind: u8, depth: u8) -> Result<(), Flaw> {
        let depth = depth.checked_sub(1).ok_or(Flaw::Wrong)?;
        match kind {
            kind::TRUE | kind::FALSE => Ok(()),
            _ => self.skip_element(kind, depth),
        }
    }

    /// Passes over an element of a list, where truth values are a byte each.
    fn skip_element(&mut self, kind: u8, depth: u8) -> Result<(), Flaw> {
        match kind {
            kind::TRUE | kind::FALSE | kind::I8 => self.pass(1),
            kind::I16..=kind::I64 => self.varint().map(drop),
            kind::DOUBLE => self.pass(8),
            kind::BINARY => {
                let len = usize::try_from(self.varint()?).map_err(|_| Flaw::Wrong)?;
                self.pass(len)
            }
            kind::LIST | kind::SET => {
                let (kind, len) = self.list()?;
                let depth = depth.checked_sub(1).ok_or(Flaw::Wrong)?;
                (0..len).try_for_each(|_| self.skip_element(kind, depth))
            }
            kind::MAP => {
                let len = self.varint()?;
                if len == 0 {
                    return Ok(());
                }
                let kinds = self.byte()?;
                let depth = depth.checked_sub(1).ok_or(Flaw::Wrong)?;
                for _ in 0..len {
                    self.skip_element(kinds >> 4, depth)?;
                    self.skip_element(kinds & 0xf, depth)?;
                }
                Ok(())
            }
            kind::STRUCT => loop {
                let head = self.byte()?;
                let kind = head & 0xf;
                if kind == 0 {
                    return Ok(());
                }
                if head >> 4 == 0 {
                    self.integer()?;
                }
                self.skip(kind, depth)?;
            },
            _ => Err(Flaw::Wrong),
        }
    }
}
