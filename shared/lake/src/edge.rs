//! The inside of an object that a window cuts.
//!
//! Rows are mostly filed in order of time, so what is wanted of such an object are few stretches. The
//! blocks in the midst of a stretch can be taken over bit for bit: what they refer to, 32 KiB at most
//! before them, is wanted as well and stands before them as it did. Only what is around them is
//! compressed again. (RFC 1951, section 2: blocks are independent but for these references.)

use std::ops::Range;

use archive::deflate::{Block, Receiver};

use crate::{
    Account, Selection, gzip,
    lines::{self, Line, Lines, TOO_LONG},
    selection::Verdict,
    splice::Refused,
};

/// How far back a block refers, in bytes.
const HISTORY: u64 = 32 * 1024;
/// The least content that is worth being taken over, in bytes.
const LEAST: u64 = 128 * 1024;
/// The most stretches: beyond, compressing again is as good.
const MOST_STRETCHES: usize = 64;

/// A part of an object's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// To be compressed again.
    Again(Range<u64>),
    /// Whole blocks, with the bits of the object that they are.
    Blocks(Range<u64>, Range<u64>),
}

/// What is wanted of an object.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    /// Its content, in order.
    pub(crate) parts: Vec<Part>,
    /// Rows in it.
    pub(crate) rows: u64,
    /// What was noticed on the way.
    pub(crate) account: Account,
}

/// Looks at every row of a gzip object; none if there are no blocks worth being taken over, and if
/// anything is wrong with it.
pub(crate) fn wanted(selection: &Selection, key: &str, data: &[u8]) -> Option<Wanted> {
    let mut survey = Survey {
        selection,
        key,
        lines: Lines::default(),
        seen: Seen::default(),
        content: 0,
        blocks: Vec::new(),
    };
    gzip::read(data, &mut survey).ok()?;
    let Survey { seen: Seen { stretches, line_end, rows, account, .. }, blocks, content, .. } =
        survey;
    let parts: Vec<Part> =
        stretches.iter().flat_map(|stretch| parts_of(stretch, &blocks)).collect();
    let worth = parts.iter().any(|part| matches!(part, Part::Blocks(..)));
    // A last line without an end would have to be given one.
    (worth && line_end == content).then_some(Wanted { parts, rows, account })
}

/// Cuts a stretch into blocks that can be taken over, and the rest.
fn parts_of(stretch: &Range<u64>, blocks: &[Place]) -> Vec<Part> {
    let (mut parts, mut done) = (Vec::new(), stretch.start);
    let mut next = blocks.partition_point(|block| block.at < stretch.start);
    while let Some(begin) = blocks.get(next) {
        // All that it refers to has to stand before it as it did.
        let reach = begin.stream_at.max(begin.at.saturating_sub(HISTORY));
        let end = run_end(blocks, next, stretch.end);
        let (begin, end) = (begin, &blocks[end]);
        if stretch.start <= reach && end.at >= begin.at + LEAST {
            if done < begin.at {
                parts.push(Part::Again(done..begin.at));
            }
            parts.push(Part::Blocks(begin.at..end.at, begin.bit..end.bit));
            done = end.at;
            next = blocks.partition_point(|block| block.bit < end.bit);
        } else {
            next += 1;
        }
        if blocks.get(next).is_none_or(|block| block.at >= stretch.end) {
            break;
        }
    }
    if done < stretch.end {
        parts.push(Part::Again(done..stretch.end));
    }
    parts
}

/// Returns the block up to which those from `first` on can be taken over together.
fn run_end(blocks: &[Place], first: usize, content_end: u64) -> usize {
    let begin = &blocks[first];
    let mut end = first;
    // A block that is not compressed begins on a byte boundary, and would not any more.
    let movable = |block: &Place| !block.stored || begin.bit.is_multiple_of(8);
    while let Some(next) = blocks.get(end + 1) {
        if next.stream_at != begin.stream_at || next.at > content_end || !movable(&blocks[end]) {
            break;
        }
        end += 1;
    }
    end
}

/// Where a block begins.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// In the object, in bits.
    bit: u64,
    /// In the content.
    at: u64,
    /// Where the content of its stream begins.
    stream_at: u64,
    /// Whether it is not compressed.
    stored: bool,
}

/// Looks at rows and blocks.
struct Survey<'a> {
    selection: &'a Selection,
    key: &'a str,
    lines: Lines,
    seen: Seen,
    content: u64,
    blocks: Vec<Place>,
}

#[derive(Default)]
struct Seen {
    stretches: Vec<Range<u64>>,
    line_end: u64,
    rows: u64,
    account: Account,
}

impl Receiver for Survey<'_> {
    type Error = Refused;

    fn content(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        self.content += bytes.len() as u64;
        let (selection, key, seen) = (self.selection, self.key, &mut self.seen);
        self.lines.push(bytes, |place, line| {
            let begin = std::mem::replace(&mut seen.line_end, place.end);
            let verdict = match line {
                Line::Whole(record) if record.iter().all(u8::is_ascii_whitespace) => return Ok(()),
                Line::Whole(record) => match selection.judge(record) {
                    // A carriage return or a byte order mark was passed over.
                    Verdict::Taken(_) if record.len() as u64 + 1 != place.end - begin => {
                        Verdict::Altered
                    }
                    verdict => verdict,
                },
                Line::TooLong => Verdict::Bad(TOO_LONG.to_owned()),
            };
            seen.add(selection, key, place, begin, verdict)
        })
    }

    fn stored(&mut self, _: &[u8], _: Option<u64>) {}

    const BLOCKS: bool = true;

    fn block(&mut self, block: Block) {
        let at = self.content;
        let stream_at =
            if block.first { at } else { self.blocks.last().map_or(at, |b| b.stream_at) };
        self.blocks.push(Place { bit: block.bit, at, stream_at, stored: block.stored });
    }
}

impl Seen {
    fn add(
        &mut self,
        selection: &Selection,
        key: &str,
        place: lines::Place,
        begin: u64,
        verdict: Verdict,
    ) -> Result<(), Refused> {
        match verdict {
            Verdict::Taken(time) => {
                self.account.span(time);
                self.rows += 1;
                let full = self.stretches.len() == MOST_STRETCHES;
                match self.stretches.last_mut() {
                    Some(last) if last.end == begin => last.end = place.end,
                    _ if full => return Err(Refused),
                    _ => self.stretches.push(begin..place.end),
                }
            }
            Verdict::Omitted(time) => self.account.span(time),
            Verdict::Outside => self.account.outside += 1,
            Verdict::Altered => return Err(Refused),
            Verdict::Bad(reason) => self.account.bad(&selection.table, key, place.number, reason),
        }
        Ok(())
    }
}
