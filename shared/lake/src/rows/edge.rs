//! The inside of an object that a window cuts.
//!
//! Rows are mostly filed in order of time, so what is wanted of such an object are few stretches. The
//! blocks in the midst of a stretch can be taken over bit for bit: what they refer to, 32 KiB at most
//! before them, is wanted as well and stands before them as it did. Only what is around them is
//! compressed again. (RFC 1951, section 2: blocks are independent but for these references.)
//!
//! The object is read once. Of its content and of its stream no more is held than is still to be decided.
//! What is decided depends on rows and blocks alone, not on how their bytes arrive, so that a builder that
//! does the work again writes the same.

use std::{
    cell::RefCell,
    io::{self, Read},
    ops::Range,
};

use archive::{
    SEGMENT_BYTES, Segment,
    deflate::{Block, Receiver, push_blocks},
};

use super::{Ended, Made, Rows, Stopped, Stretch};
use crate::{
    decode::Stop,
    gzip,
    lines::{self, Line, Lines},
    selection::Verdict,
};

/// How far back a block refers, in bytes.
const HISTORY: u64 = 32 * 1024;
/// The least content that is worth being taken over, in bytes.
const LEAST: u64 = 128 * 1024;
/// The most content that is taken over at a time, in bytes, but for its last block.
const MOST: u64 = SEGMENT_BYTES as u64;
/// How much content may wait for the end of a block, in bytes. Few programs write such blocks.
const MAX_WAITING: u64 = 8 << 20;
/// The longest row that may be taken over, in bytes: its end decides that, and until then it is held.
const MAX_KEPT_ROW: u64 = 1 << 20;

/// Pours the rows of a gzip object that go in as they are.
pub(super) fn pour<F: FnMut(Made) -> Result<(), Stopped>>(
    rows: &mut Rows<'_, F>,
    input: impl Read,
) -> Result<(), Stop<Ended>> {
    let stream = RefCell::default();
    let mut edge = Edge::new(rows, &stream);
    gzip::read(Tee { input, kept: &stream }, &mut edge)?;
    edge.finish().map_err(Stop::By)
}

/// Looks at every row as it comes.
struct Edge<'e, 'a, F> {
    lines: Lines,
    cut: Cut<'e, 'a, F>,
}

impl<'e, 'a, F: FnMut(Made) -> Result<(), Stopped>> Edge<'e, 'a, F> {
    fn new(rows: &'e mut Rows<'a, F>, stream: &'e RefCell<Kept>) -> Self {
        let (content, blocks) = (Kept::default(), Vec::new());
        let cut =
            Cut { rows, stream, used: 0, content, blocks, stream_at: 0, judged: 0, open: None };
        Self { lines: Lines::default(), cut }
    }

    fn finish(self) -> Result<(), Ended> {
        let Self { lines, mut cut } = self;
        lines.finish(|place, line| cut.line(place, line))?;
        cut.close()
    }
}

impl<F: FnMut(Made) -> Result<(), Stopped>> Receiver for Edge<'_, '_, F> {
    type Error = Stop<Ended>;

    fn content(&mut self, bytes: &[u8]) -> Result<(), Stop<Ended>> {
        let Self { lines, cut } = self;
        cut.content.push(bytes);
        lines.push(bytes, |place, line| cut.line(place, line)).map_err(Stop::By)?;
        cut.forget().map_err(Stop::By)
    }

    fn stored(&mut self, bytes: &[u8], at: Option<u64>) {
        if let Some(at) = at {
            self.cut.used = at + bytes.len() as u64;
        }
    }

    const BLOCKS: bool = true;

    fn block(&mut self, Block { bit, first, stored }: Block) {
        let at = self.cut.content.end();
        if first {
            self.cut.stream_at = at;
        }
        self.cut.blocks.push(Begin { bit, at, first, stream_at: self.cut.stream_at, stored });
    }
}

/// Cuts an object into blocks that are taken over, and the rest.
struct Cut<'e, 'a, F> {
    rows: &'e mut Rows<'a, F>,
    /// The object, as stored.
    stream: &'e RefCell<Kept>,
    /// How much of it was decoded for certain.
    used: u64,
    content: Kept,
    /// Where blocks begin that may be taken over.
    blocks: Vec<Begin>,
    /// Where the content of the gzip member at hand begins.
    stream_at: u64,
    /// The end of the last row that was looked at.
    judged: u64,
    open: Option<Open>,
}

/// A stretch of rows that are wanted, up to the last one that was looked at.
struct Open {
    begin: u64,
    /// What is before this was handed on.
    done: u64,
    end: u64,
}

/// Where a block begins.
#[derive(Clone, Copy, Debug)]
struct Begin {
    /// In the object, in bits.
    bit: u64,
    /// In the content.
    at: u64,
    /// Whether it is the first of its stream.
    first: bool,
    /// Where the content of its stream begins.
    stream_at: u64,
    /// Whether it is not compressed.
    stored: bool,
}

impl Begin {
    /// Where what it refers to begins at the earliest.
    fn reach(&self) -> u64 {
        self.stream_at.max(self.at.saturating_sub(HISTORY))
    }
}

impl<F: FnMut(Made) -> Result<(), Stopped>> Cut<'_, '_, F> {
    fn line(&mut self, place: lines::Place, line: Line<'_>) -> Result<(), Ended> {
        let Line::Whole(record) = line else {
            self.close()?;
            return self.rows.line(place.number, line);
        };
        let begin = std::mem::replace(&mut self.judged, place.end);
        let (verdict, len) = (self.rows.selection.judge(record), record.len() as u64);
        // A carriage return, a byte order mark and a missing end are not as they should be.
        let as_it_is = len + 1 == place.end - begin && len <= MAX_KEPT_ROW;
        if let Verdict::Taken(time) = verdict
            && as_it_is
        {
            self.rows.account.span(time);
            self.rows.row_count += 1;
            let mut open = self.open.take().unwrap_or(Open { begin, done: begin, end: begin });
            open.end = place.end;
            if open.end - open.done >= MOST {
                self.hand_on(&mut open, false)?;
            }
            self.open = Some(open);
            return Ok(());
        }
        self.close()?;
        match verdict {
            Verdict::Outside => self.rows.account.outside += 1,
            Verdict::Omitted(time) => self.rows.account.span(time),
            Verdict::Taken(_) | Verdict::Altered | Verdict::Bad(_) => {
                self.rows.line(place.number, line)?;
            }
        }
        Ok(())
    }

    /// No more belongs to the stretch.
    fn close(&mut self) -> Result<(), Ended> {
        self.open.take().map_or(Ok(()), |mut open| self.hand_on(&mut open, true))
    }

    /// Forgets what is not needed any more.
    fn forget(&mut self) -> Result<(), Ended> {
        let is_long = self.content.end() - self.judged > MAX_KEPT_ROW + 1;
        if is_long {
            self.close()?;
        }
        let needed = match &self.open {
            Some(open) => open.done,
            None if is_long => self.content.end(),
            None => self.judged,
        };
        self.content.drop_before(needed);
        self.blocks.drain(..self.blocks.partition_point(|block| block.at < needed));
        let needed = self.blocks.first().map_or(self.used, |block| self.used.min(block.bit / 8));
        self.stream.borrow_mut().drop_before(needed);
        Ok(())
    }

    /// Hands on what can be decided of a stretch: everything, if it is complete.
    fn hand_on(&mut self, open: &mut Open, complete: bool) -> Result<(), Ended> {
        while open.done < open.end {
            // All that a block refers to has to stand before it as it did.
            let able = |block: &Begin| block.at >= open.done && block.reach() >= open.begin;
            let first = self.blocks.partition_point(|block| !able(block));
            let next = self.blocks.get(first).map_or(open.end, |block| block.at.min(open.end));
            if open.done < next {
                self.again(open.done..next)?;
                open.done = next;
                continue;
            }
            let (last, is_all) = run(&self.blocks[first..], open.end);
            let last = first + last;
            let end = self.blocks[last].at;
            let is_all = is_all || complete;
            if end >= open.done + if is_all { LEAST } else { MOST } {
                self.take_over(self.blocks[first], self.blocks[last])?;
                open.done = end;
            } else if is_all || open.end - open.done > MAX_WAITING {
                self.blocks.drain(..=first);
            } else {
                break;
            }
        }
        Ok(())
    }

    /// Compresses content again.
    fn again(&mut self, range: Range<u64>) -> Result<(), Ended> {
        for piece in self.content.get(range).chunks(SEGMENT_BYTES) {
            self.rows.raw.extend_from_slice(piece);
            if self.rows.raw.len() >= SEGMENT_BYTES {
                self.rows.flush()?;
            }
        }
        Ok(())
    }

    /// Takes the blocks over that are between the beginnings of two.
    fn take_over(&mut self, first: Begin, end: Begin) -> Result<(), Ended> {
        self.rows.flush()?;
        let content = self.content.get(first.at..end.at);
        let stream = self.stream.borrow();
        let mut stored = Vec::new();
        push_blocks(&stream.bytes, first.bit - stream.at * 8..end.bit - stream.at * 8, &mut stored);
        let segment = Segment {
            crc32: crc32fast::hash(content),
            raw_bytes: content.len() as u64,
            stored_crc32: crc32fast::hash(&stored),
            stored_bytes: stored.len() as u64,
            rows: std::mem::take(&mut self.rows.row_count),
        };
        self.rows.make(Made::Spliced { segment, stretches: vec![Stretch::Bytes(stored)] })
    }
}

/// Returns at which block those end that can be taken over together, from the first on, and whether there
/// can be no more of them.
fn run(blocks: &[Begin], content_end: u64) -> (usize, bool) {
    let (begin, mut end) = (blocks[0], 0);
    // A block that is not compressed begins on a byte boundary, and would not any more.
    let movable = |block: &Begin| !block.stored || begin.bit.is_multiple_of(8);
    while let Some(next) = blocks.get(end + 1)
        && blocks[end].at < begin.at + MOST
    {
        if next.first || !movable(&blocks[end]) {
            return (end, true);
        }
        if next.at > content_end {
            break;
        }
        end += 1;
    }
    (end, false)
}

/// The later part of many bytes.
#[derive(Default)]
struct Kept {
    bytes: Vec<u8>,
    /// How many came before.
    at: u64,
}

impl Kept {
    fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    fn end(&self) -> u64 {
        self.at + self.bytes.len() as u64
    }

    fn get(&self, range: Range<u64>) -> &[u8] {
        let [begin, end] = [range.start, range.end].map(|at| self.index(at));
        &self.bytes[begin..end]
    }

    /// Forgets some or all of what is before `at`.
    fn drop_before(&mut self, at: u64) {
        let count = self.index(at);
        // What stays is moved, so not for little.
        if count > self.bytes.len() / 2 {
            self.bytes.drain(..count);
            self.at = at;
        }
    }

    fn index(&self, at: u64) -> usize {
        usize::try_from(at - self.at).unwrap_or(usize::MAX)
    }
}

/// Keeps what is read, too.
struct Tee<'k, R> {
    input: R,
    kept: &'k RefCell<Kept>,
}

impl<R: Read> Read for Tee<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = self.input.read(buf)?;
        self.kept.borrow_mut().push(&buf[..len]);
        Ok(len)
    }
}

#[cfg(test)]
mod tests;
