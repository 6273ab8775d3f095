//! A row's fields, found by passing over its bytes once (RFC 8259).
//!
//! Fast where rows are as programs write them. Where it would take more to be sure, it says so, and a
//! full parser decides: a name with escapes in it, very deep nesting, and whatever is no JSON.

#![expect(clippy::inline_always, reason = "measured: a call costs as much as what it does")]

use crate::{
    names::Names,
    shape::Shape,
    stops::{BLOCK, stops},
};

/// The deepest nesting that is followed.
const DEEPEST: u32 = 100;

/// Finds the values of `names` in the object `json`, into `found`; of two with one name the last. False
/// if that takes more than a scan.
pub(crate) fn scan<'a>(json: &'a str, names: &Names, found: &mut [Option<&'a str>]) -> bool {
    let mut seen = Seen { block: NO_BLOCK, stops: 0 };
    let mut scan = Scan { bytes: json.as_bytes(), at: 0, seen: &mut seen };
    let mut each = |index: Option<usize>, begin, end| {
        if let Some(index) = index {
            found[index] = Some(&json[begin..end]);
        }
    };
    let whole = if let Some(shape) = names.shape.get() {
        scan.expected(names, shape, each)
    } else {
        let mut shape = Shape::default();
        let whole = scan.members(DEEPEST, |key, begin, end| {
            let index = names.index_of(key);
            shape.push(key, index);
            each(index, begin, end);
        });
        if whole.is_some() {
            _ = names.shape.set(shape);
        }
        whole
    };
    scan.space();
    whole.is_some() && scan.at == json.len()
}

/// Where it stands in a row. Steps return none where they find something else than they should. It is
/// not lent to what is not inlined, so that it stays in registers.
struct Scan<'a, 's> {
    bytes: &'a [u8],
    at: usize,
    seen: &'s mut Seen,
}

/// The block that was looked at last.
struct Seen {
    /// Where it begins.
    block: usize,
    /// Which of its bytes a string stops at.
    stops: u64,
}

/// Nothing is in this block.
const NO_BLOCK: usize = usize::MAX - BLOCK;

impl<'a> Scan<'a, '_> {
    /// Passes over an object, and tells of each member where its value begins and ends.
    #[inline(always)]
    fn members(&mut self, depth: u32, mut each: impl FnMut(&'a [u8], usize, usize)) -> Option<()> {
        if !self.begins()? {
            return Some(());
        }
        loop {
            let key = self.at + 1;
            if self.peek()? != b'"' || self.string()? {
                return None;
            }
            let key = &self.bytes[key..self.at - 1];
            let begin;
            // What programs write, in fewer steps.
            if self.are_next(*b":\"") {
                self.at += 1;
                begin = self.at;
                self.string()?;
            } else {
                self.space();
                self.expect(b':')?;
                self.space();
                begin = self.at;
                self.value(depth)?;
            }
            each(key, begin, self.at);
            if !self.goes_on()? {
                return Some(());
            }
        }
    }

    /// Passes over an object that is likely to have this shape, and tells of each member which of the
    /// names it has, and where its value begins and ends.
    #[inline(always)]
    fn expected(
        &mut self,
        names: &Names,
        shape: &Shape,
        mut each: impl FnMut(Option<usize>, usize, usize),
    ) -> Option<()> {
        let mut next = 0;
        if !self.begins()? {
            return Some(());
        }
        loop {
            if self.peek()? != b'"' {
                return None;
            }
            let index = if let Some(member) = shape.member(&mut next, &self.bytes[self.at + 1..]) {
                self.at += 1 + member.len;
                member.index
            } else {
                let key = self.at + 1;
                if self.string()? {
                    return None;
                }
                let index = names.index_of(&self.bytes[key..self.at - 1]);
                self.space();
                self.expect(b':')?;
                index
            };
            self.space();
            let begin = self.at;
            if self.peek()? == b'"' {
                self.string()?;
            } else {
                self.value(DEEPEST)?;
            }
            each(index, begin, self.at);
            if !self.goes_on()? {
                return Some(());
            }
        }
    }

    /// Passes over the beginning of an object, and tells whether there is anything in it.
    #[inline(always)]
    fn begins(&mut self) -> Option<bool> {
        self.space();
        self.expect(b'{')?;
        self.space();
        let is_empty = self.peek()? == b'}';
        self.at += usize::from(is_empty);
        Some(!is_empty)
    }

    /// Passes over what follows a member, and tells whether it is another.
    #[inline(always)]
    fn goes_on(&mut self) -> Option<bool> {
        if self.are_next(*b",\"") {
            self.at += 1;
            return Some(true);
        }
        self.ends_with(b'}').map(|ends| !ends)
    }

    #[inline(always)]
    fn value(&mut self, depth: u32) -> Option<()> {
        match self.peek()? {
            b'"' => self.string().map(drop),
            b'0'..=b'9' | b'-' => self.number(),
            b'n' => self.literal(b"null"),
            b't' => self.literal(b"true"),
            b'f' => self.literal(b"false"),
            b'{' | b'[' => {
                self.at = nested(self.bytes, self.at, self.seen, depth.checked_sub(1)?)?;
                Some(())
            }
            _ => None,
        }
    }

    #[inline(always)]
    fn list(&mut self, depth: u32) -> Option<()> {
        self.at += 1;
        self.space();
        if self.peek()? == b']' {
            self.at += 1;
            return Some(());
        }
        loop {
            self.value(depth)?;
            if self.ends_with(b']')? {
                return Some(());
            }
        }
    }

    /// Passes over what follows a value: a comma, or `end`, for which it returns true.
    #[inline(always)]
    fn ends_with(&mut self, end: u8) -> Option<bool> {
        self.space();
        let byte = self.peek()?;
        self.at += 1;
        if byte == end {
            return Some(true);
        }
        self.space();
        (byte == b',').then_some(false)
    }

    /// Passes over a string, and tells whether there are escapes in it.
    #[inline(always)]
    fn string(&mut self) -> Option<bool> {
        self.at += 1;
        let mut escaped = false;
        loop {
            self.plain();
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Some(escaped);
                }
                b'\\' => {
                    escaped = true;
                    self.at += escape(&self.bytes[self.at..])?;
                }
                _ => return None,
            }
        }
    }

    /// Passes over what means itself in a string.
    #[inline(always)]
    fn plain(&mut self) {
        loop {
            let inside = self.at.wrapping_sub(self.seen.block);
            if inside < BLOCK {
                let left = self.seen.stops >> inside;
                if left != 0 {
                    self.at += left.trailing_zeros() as usize;
                    return;
                }
                self.at = self.seen.block + BLOCK;
            }
            if self.at >= self.bytes.len() {
                return;
            }
            self.seen.block = self.at;
            self.seen.stops = match self.bytes[self.at..].first_chunk() {
                Some(block) => stops(block),
                None => last_stops(&self.bytes[self.at..]),
            };
        }
    }

    #[inline(always)]
    fn number(&mut self) -> Option<()> {
        if self.peek()? == b'-' {
            self.at += 1;
        }
        if self.peek()? == b'0' {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Some(())
    }

    /// Passes over digits, eight at a time.
    #[inline(always)]
    fn digits(&mut self) -> Option<()> {
        const ONES: u64 = u64::MAX / 255;
        let begin = self.at;
        while let Some(eight) = self.bytes.get(self.at..).and_then(<[u8]>::first_chunk) {
            let word = u64::from_le_bytes(*eight);
            // A digit's high half is 3, and with 6 its low half does not carry.
            let high = word & (ONES * 0xf0) ^ (ONES * 0x30);
            let carry = ((word & (ONES * 0x0f)) + ONES * 6) & (ONES * 0x10);
            let others = high | carry;
            if others != 0 {
                self.at += (others.trailing_zeros() / 8) as usize;
                return (self.at > begin).then_some(());
            }
            self.at += 8;
        }
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        (self.at > begin).then_some(())
    }

    #[inline(always)]
    fn literal(&mut self, text: &[u8]) -> Option<()> {
        let found = self.bytes.get(self.at..self.at + text.len())?;
        self.at += text.len();
        (found == text).then_some(())
    }

    /// Tells whether these two bytes come next.
    #[inline(always)]
    fn are_next(&self, two: [u8; 2]) -> bool {
        self.bytes.get(self.at..self.at + 2) == Some(&two)
    }

    #[inline(always)]
    fn expect(&mut self, byte: u8) -> Option<()> {
        let found = self.peek()?;
        self.at += 1;
        (found == byte).then_some(())
    }

    #[inline(always)]
    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.peek() {
            self.at += 1;
        }
    }

    #[inline(always)]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }
}

/// Passes over an object or a list, and returns where it ends.
#[inline(never)]
fn nested(bytes: &[u8], at: usize, seen: &mut Seen, depth: u32) -> Option<usize> {
    let mut scan = Scan { bytes, at, seen };
    if scan.peek()? == b'{' {
        scan.members(depth, |_, _, _| {})?;
    } else {
        scan.list(depth)?;
    }
    Some(scan.at)
}

/// Those of the bytes that are left, which are no whole block; it ends at their end.
#[cold]
fn last_stops(rest: &[u8]) -> u64 {
    let mut block = [0; BLOCK];
    block[..rest.len()].copy_from_slice(rest);
    stops(&block)
}

/// The length of the escape that begins here.
#[cold]
fn escape(bytes: &[u8]) -> Option<usize> {
    match bytes.get(1)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(2),
        b'u' => bytes.get(2..6)?.iter().all(u8::is_ascii_hexdigit).then_some(6),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
