//! Converts a gzip object of which some rows are outside of the window.
//!
//! Rows are mostly filed in order of time, so the wanted rows of such an object form few ranges. Deflate
//! blocks inside of a range are copied bit for bit: they refer to at most 32 KiB before them (RFC 1951,
//! section 2), which are wanted, too, and stand before them as they did. Only the rows around these blocks
//! are compressed again.
//!
//! The object is read once. Only content and stream that are not decided yet are held. Decisions depend on
//! rows and blocks alone, not on how their bytes arrive, so a builder that repeats the work writes the same.

mod blocks;

use std::{
    cell::RefCell,
    io::{self, Read},
    ops::Range,
};

use archive::{
    Extent, SEGMENT_BYTES, Segment,
    deflate::{Block, Receiver, push_blocks},
};
use blocks::Blocks;

use super::{Converter, Output, ReceiverClosed, RunError};
use crate::{
    decode::Stop,
    gzip,
    lines::{self, Line, LineSplitter},
    selection::Verdict,
};

/// How far back a block refers, in bytes.
const HISTORY: u64 = 32 * 1024;

/// The sizes in bytes by which it is decided what is copied.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    /// The least content that is worth being taken over.
    least: u64,
    /// The most content that is taken over at a time, but for its last piece.
    most: u64,
    /// How much content may wait for the end of a block. Few programs write such blocks.
    max_waiting: u64,
    /// The longest row that may be taken over: its end decides that, and until then it is held.
    max_kept_row: u64,
    /// The least content of a piece, the smallest unit that is taken over.
    piece: u64,
    /// How much of the object's stream may wait.
    max_stored: u64,
}

impl Sizes {
    const REAL: Self = Self {
        least: 128 * 1024,
        most: SEGMENT_BYTES as u64,
        max_waiting: 8 << 20,
        max_kept_row: 1 << 20,
        piece: 1024,
        max_stored: 16 << 20,
    };

    /// For tests and the fuzzer: all of them are passed by a few rows.
    const SMALL: Self = Self {
        least: 600,
        most: 4000,
        max_waiting: 10_000,
        max_kept_row: 3000,
        piece: 100,
        max_stored: 20_000,
    };
}

/// Converts the rows of a gzip object that are written as they are.
pub(super) fn convert<F: FnMut(Output) -> Result<(), ReceiverClosed>>(
    rows: &mut Converter<'_, F>,
    input: impl Read,
) -> Result<(), Stop<RunError>> {
    let stream = RefCell::default();
    let sizes = if cfg!(fuzzing) { Sizes::SMALL } else { Sizes::REAL };
    let mut edge = Edge::new(rows, &stream, sizes);
    gzip::read(Tee { input, kept: &stream }, &mut edge)?;
    edge.finish().map_err(Stop::By)
}

/// Reads rows as they come.
struct Edge<'e, 'a, F> {
    lines: LineSplitter,
    cut: Cutter<'e, 'a, F>,
}

impl<'e, 'a, F: FnMut(Output) -> Result<(), ReceiverClosed>> Edge<'e, 'a, F> {
    fn new(rows: &'e mut Converter<'a, F>, stream: &'e RefCell<Retained>, sizes: Sizes) -> Self {
        let cut = Cutter {
            rows,
            sizes,
            stream,
            used: 0,
            content: Retained::default(),
            blocks: Blocks::new(sizes),
            judged: 0,
            open: None,
        };
        Self { lines: LineSplitter::default(), cut }
    }

    fn finish(self) -> Result<(), RunError> {
        let Self { lines, mut cut } = self;
        lines.finish(|position, line| cut.line(position, line))?;
        cut.close()
    }
}

impl<F: FnMut(Output) -> Result<(), ReceiverClosed>> Receiver for Edge<'_, '_, F> {
    type Error = Stop<RunError>;

    fn content(&mut self, bytes: &[u8]) -> Result<(), Stop<RunError>> {
        let Self { lines, cut } = self;
        cut.content.push(bytes);
        lines.push(bytes, |position, line| cut.line(position, line)).map_err(Stop::By)?;
        cut.forget().map_err(Stop::By)
    }

    fn stored(&mut self, bytes: &[u8], at: Option<u64>) {
        if let Some(at) = at {
            self.cut.used = at + bytes.len() as u64;
        }
    }

    const BLOCKS: bool = true;

    fn block(&mut self, block: Block) {
        let at = self.cut.content.end();
        self.cut.blocks.begin(block, at);
    }

    fn passed(&mut self, at: u64) -> Result<(), Stop<RunError>> {
        self.cut.used = at;
        self.cut.blocks.pass(at);
        self.cut.forget().map_err(Stop::By)
    }
}

/// Cuts an object into blocks that are copied, and rows that are compressed again.
struct Cutter<'e, 'a, F> {
    rows: &'e mut Converter<'a, F>,
    sizes: Sizes,
    /// The object, as stored.
    stream: &'e RefCell<Retained>,
    /// How much of it was decoded for certain.
    used: u64,
    content: Retained,
    blocks: Blocks,
    /// The end of the last row that was looked at.
    judged: u64,
    open: Option<OpenRange>,
}

/// A range of wanted rows, up to the last row that was read.
struct OpenRange {
    begin: u64,
    /// Everything before this was emitted.
    done: u64,
    end: u64,
    /// The current block when nothing could be decided.
    undecided_in: Option<u64>,
}

impl<F: FnMut(Output) -> Result<(), ReceiverClosed>> Cutter<'_, '_, F> {
    fn line(&mut self, position: lines::LinePosition, line: Line<'_>) -> Result<(), RunError> {
        let Line::Whole(record) = line else {
            self.close()?;
            return self.rows.line(position.number, line);
        };
        let begin = std::mem::replace(&mut self.judged, position.end);
        let (verdict, len) = (self.rows.selection.judge(record), record.len() as u64);
        // A carriage return, a byte order mark and a missing end are not as they should be.
        let as_it_is = len + 1 == position.end - begin && len <= self.sizes.max_kept_row;
        if let Verdict::Taken(time) = verdict
            && as_it_is
        {
            self.rows.stats.add_time(time);
            self.rows.records.count_good();
            self.rows.row_count += 1;
            self.rows.stats.rows += 1;
            let fresh = OpenRange { begin, done: begin, end: begin, undecided_in: None };
            let mut open = self.open.take().unwrap_or(fresh);
            open.end = position.end;
            let waiting = open.end - open.done;
            // More can only be decided once another block begins, or too much waits.
            let is_undecided =
                open.undecided_in.is_some() && open.undecided_in == self.blocks.begun();
            if waiting > self.sizes.max_waiting || (waiting >= self.sizes.most && !is_undecided) {
                self.emit(&mut open, false)?;
            }
            self.open = Some(open);
            return Ok(());
        }
        self.close()?;
        match verdict {
            Verdict::Outside(time) => {
                self.rows.records.count_good();
                self.rows.outside(position.number, time);
            }
            Verdict::Omitted(time) => {
                self.rows.records.count_good();
                self.rows.stats.add_time(time);
            }
            Verdict::Foreign => self.rows.records.count_good(),
            Verdict::Taken(_) | Verdict::Altered | Verdict::Bad(_) => {
                self.rows.line(position.number, line)?;
            }
        }
        Ok(())
    }

    /// Ends the open range.
    fn close(&mut self) -> Result<(), RunError> {
        self.open.take().map_or(Ok(()), |mut open| self.emit(&mut open, true))
    }

    /// Forgets what is not needed any more.
    fn forget(&mut self) -> Result<(), RunError> {
        let is_long = self.content.end() - self.judged > self.sizes.max_kept_row + 1;
        if is_long {
            self.close()?;
        }
        let (begin, needed) = match &self.open {
            Some(open) => (open.begin, open.done),
            None if is_long => (self.content.end(), self.content.end()),
            None => (self.judged, self.judged),
        };
        self.content.drop_before(needed);
        self.blocks.forget(needed, begin);
        let first = self.blocks.first_bit().map(|bit| bit / 8);
        let needed = first.map_or(self.used, |first| self.used.min(first));
        self.stream.borrow_mut().drop_before(needed);
        Ok(())
    }

    /// Emits what can be decided of a range: all of it, if it is `complete`.
    fn emit(&mut self, open: &mut OpenRange, complete: bool) -> Result<(), RunError> {
        while open.done < open.end {
            // All that a block refers to has to stand before it as it did.
            self.blocks.forget(open.done, open.begin);
            let next = self.blocks.first().map_or(open.end, |first| first.min(open.end));
            if open.done < next {
                self.again(open.done..next)?;
                open.done = next;
                continue;
            }
            let (count, is_all) = self.blocks.run(open.end);
            let waiting = open.end - open.done;
            let is_all = is_all || complete || waiting > self.sizes.max_waiting;
            let worth = if is_all { self.sizes.least } else { self.sizes.most };
            if self.blocks.len(count) >= worth {
                open.done = self.take_over(count)?.unwrap_or(open.done);
            } else if is_all {
                self.blocks.drop_first();
            } else {
                open.undecided_in = self.blocks.begun();
                break;
            }
        }
        Ok(())
    }

    /// Compresses content again.
    fn again(&mut self, range: Range<u64>) -> Result<(), RunError> {
        for piece in self.content.get(range).chunks(SEGMENT_BYTES) {
            self.rows.raw.extend_from_slice(piece);
            if self.rows.raw.len() >= SEGMENT_BYTES {
                self.rows.flush()?;
            }
        }
        Ok(())
    }

    /// Copies the first `count` pieces, and returns where their content ends.
    fn take_over(&mut self, count: usize) -> Result<Option<u64>, RunError> {
        let Some(piece) = self.blocks.take(count) else { return Ok(None) };
        self.rows.flush()?;
        let content = self.content.get(piece.content.clone());
        let stream = self.stream.borrow();
        let (begin, end) = (piece.bits.start - stream.at * 8, piece.bits.end - stream.at * 8);
        let mut stored = Vec::new();
        push_blocks(&stream.bytes, begin..end, &mut stored);
        let segment = Segment {
            crc32: crc32fast::hash(content),
            raw_bytes: content.len() as u64,
            stored_crc32: crc32fast::hash(&stored),
            stored_bytes: stored.len() as u64,
            rows: std::mem::take(&mut self.rows.row_count),
        };
        self.rows.emit_output(Output::Spliced { segment, extents: vec![Extent::Bytes(stored)] })?;
        Ok(Some(piece.content.end))
    }
}

/// The last part of a stream of bytes.
#[derive(Default)]
struct Retained {
    bytes: Vec<u8>,
    /// How many bytes were dropped before it.
    at: u64,
}

impl Retained {
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

/// Reads, and retains what is read.
struct Tee<'k, R> {
    input: R,
    kept: &'k RefCell<Retained>,
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
