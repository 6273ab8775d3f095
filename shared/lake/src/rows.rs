//! One object after the other becomes stretches of compressed rows.

use std::{
    io::{self, Read},
    iter::Peekable,
    ops::Range,
    vec,
};

use archive::{
    SEGMENT_BYTES, Segment,
    deflate::{Receiver, push_blocks},
};

use jiff::Timestamp;

use crate::{
    Account, ObjectError, Pack, Selection,
    decode::{Stop, decode, is_gzip},
    edge::{self, Part, Wanted},
    gzip,
    lines::{Line, Lines, TOO_LONG},
    splice::{Referred, splice},
};

/// A source object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its key.
    pub key: String,
    /// Its size in bytes, as stored.
    pub size_bytes: u64,
    /// Whether its rows are likely to be all wanted, as those of an hour inside the window.
    pub likely_whole: bool,
    /// Whether what is taken over of it may be referred to, instead of being written again.
    pub refer: bool,
    /// When the last of its rows was filed, if that matters.
    pub arrived: Option<Timestamp>,
}

/// A stretch of compressed rows: bytes, or bytes that an object holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stretch {
    /// These.
    Bytes(Vec<u8>),
    /// Those of a source object.
    Object {
        /// Which one.
        object: usize,
        /// Where in it, in bytes.
        offset: u64,
        /// How many.
        len: u64,
    },
}

/// What a run of objects is made into, in order.
#[derive(Debug)]
pub(crate) enum Made {
    /// Rows that are still to be compressed.
    Rows { raw: Vec<u8>, rows: u64 },
    /// An object's own compressed rows.
    Spliced { segment: Segment, stretches: Vec<Stretch> },
}

/// The largest object, as stored, that is held as a whole. Larger ones are read once to see whether they
/// can be taken over, and again if they are not referred to.
const MAX_HELD_BYTES: u64 = 16 << 20;
/// How much of a larger one is handed on at a time, in bytes.
const CHUNK_BYTES: u64 = 1 << 20;

/// Nobody listens any more.
#[derive(Debug)]
pub(crate) struct Stopped;

/// Why a run ended early.
#[derive(Debug)]
pub(crate) enum Ended {
    Failed(ObjectError),
    Stopped,
}

/// Pours the rows of a run of objects.
pub(crate) struct Rows<'a, F> {
    selection: &'a Selection,
    pack: Pack,
    /// When the rows of the object at hand were filed.
    arrived: Option<Timestamp>,
    /// Rows that were not handed on yet.
    raw: Vec<u8>,
    row_count: u64,
    account: Account,
    hand_on: F,
}

impl<'a, F: FnMut(Made) -> Result<(), Stopped>> Rows<'a, F> {
    /// Returns one that hands on what it makes.
    pub(crate) fn new(selection: &'a Selection, pack: Pack, hand_on: F) -> Self {
        let (raw, account) = (Vec::new(), Account::default());
        Self { selection, pack, arrived: None, raw, row_count: 0, account, hand_on }
    }

    /// Pours the rows of an object, whose stored bytes `open` gives, as often as it is called.
    pub(crate) fn object<R: Read>(
        &mut self,
        index: usize,
        object: &Object,
        open: impl Fn() -> io::Result<R>,
    ) -> Result<(), Ended> {
        self.arrived = object.arrived;
        let key = &object.key;
        let unreadable =
            |source| Ended::Failed(ObjectError::Unreadable { key: key.clone(), source });
        let gzip = is_gzip(self.selection.compression, key);
        let compressed = matches!(self.pack, Pack::Deflate(_));
        if !(gzip && compressed && self.selection.passes_through()) {
            return self.transcode(key, open().map_err(unreadable)?);
        }
        // If anything is wrong with it, the last reading says what.
        if object.size_bytes <= MAX_HELD_BYTES {
            let mut data =
                Vec::with_capacity(usize::try_from(object.size_bytes).unwrap_or_default());
            open().and_then(|mut input| input.read_to_end(&mut data)).map_err(unreadable)?;
            return self.held(object, &data);
        }
        if object.likely_whole {
            let input = open().map_err(unreadable)?;
            let kept = Referred { object: index, stretches: Vec::new() };
            if let Some((segment, account, kept)) = splice(self.selection, input, kept) {
                if object.refer {
                    return self.take_over(segment, account, kept.stretches);
                }
                self.take_over(segment, account, Vec::new())?;
                return self.again(key, open().map_err(unreadable)?, kept.stretches);
            }
        }
        self.transcode(key, open().map_err(unreadable)?)
    }

    /// Pours an object that is in memory: taken over as a whole, or in part, or not at all.
    fn held(&mut self, object: &Object, data: &[u8]) -> Result<(), Ended> {
        if object.likely_whole
            && let Some((segment, account, kept)) =
                splice(self.selection, data, Vec::with_capacity(data.len() + 64))
        {
            return self.take_over(segment, account, vec![Stretch::Bytes(kept)]);
        }
        // Where rows are chosen by their columns, hardly a stretch is left that is worth a look.
        if self.selection.is_filtered() {
            return self.transcode(&object.key, data);
        }
        match edge::wanted(self.selection, &object.key, data) {
            Some(wanted) => self.in_part(&object.key, data, wanted),
            None => self.transcode(&object.key, data),
        }
    }

    /// Takes over the blocks that can be, and compresses again what is around them.
    fn in_part(&mut self, key: &str, data: &[u8], wanted: Wanted) -> Result<(), Ended> {
        self.account.add(wanted.account);
        self.row_count += wanted.rows;
        let mut second = Second {
            rows: self,
            data,
            parts: wanted.parts.into_iter().peekable(),
            at: 0,
            blocks: crc32fast::Hasher::new(),
        };
        let corrupt = |source| Ended::Failed(ObjectError::Corrupt { key: key.to_owned(), source });
        match gzip::read(data, &mut second) {
            Ok(_) => Ok(()),
            Err(Stop::By(ended)) => Err(ended),
            Err(Stop::Corrupt(source) | Stop::Unreadable(source)) => Err(corrupt(source)),
        }
    }

    /// Hands on what is left.
    pub(crate) fn finish(mut self) -> Result<Account, Ended> {
        self.flush()?;
        Ok(self.account)
    }

    fn transcode(&mut self, key: &str, input: impl Read) -> Result<(), Ended> {
        let mut lines = Lines::default();
        let decoded = decode(key, self.selection.compression, input, |bytes| {
            lines.push(bytes, |place, line| self.line(key, place.number, line))
        });
        let key = key.to_owned();
        match decoded {
            Ok(()) => lines.finish(|place, line| self.line(&key, place.number, line)),
            Err(Stop::By(ended)) => Err(ended),
            Err(Stop::Corrupt(source)) => Err(Ended::Failed(ObjectError::Corrupt { key, source })),
            Err(Stop::Unreadable(source)) => {
                Err(Ended::Failed(ObjectError::Unreadable { key, source }))
            }
        }
    }

    fn line(&mut self, key: &str, number: u64, line: Line<'_>) -> Result<(), Ended> {
        let result = match line {
            Line::Whole(record) if record.iter().all(u8::is_ascii_whitespace) => return Ok(()),
            Line::Whole(record) => self.selection.push_rows(record, self.arrived, &mut self.raw),
            Line::TooLong => Err(TOO_LONG.to_owned()),
        };
        match result {
            Ok(Some((time, rows))) => {
                self.row_count += rows;
                self.account.span(time);
            }
            Ok(None) => self.account.outside += 1,
            Err(reason) => self.account.bad(&self.selection.table, key, number, reason),
        }
        let (bytes, rows) = self.pack.cut();
        if self.raw.len() >= bytes || self.row_count >= rows { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Ended> {
        if self.raw.is_empty() {
            return Ok(());
        }
        let raw = std::mem::take(&mut self.raw);
        let rows = std::mem::take(&mut self.row_count);
        self.raw.reserve(raw.len().min(SEGMENT_BYTES + SEGMENT_BYTES / 8));
        self.make(Made::Rows { raw, rows })
    }

    fn take_over(
        &mut self,
        segment: Segment,
        account: Account,
        stretches: Vec<Stretch>,
    ) -> Result<(), Ended> {
        self.flush()?;
        self.account.add(account);
        self.account.spliced += 1;
        self.make(Made::Spliced { segment, stretches })
    }

    /// Hands on the stretches of an object that is read from its beginning.
    fn again(
        &mut self,
        key: &str,
        mut input: impl Read,
        stretches: Vec<Stretch>,
    ) -> Result<(), Ended> {
        let unreadable =
            |source| Ended::Failed(ObjectError::Unreadable { key: key.to_owned(), source });
        let mut at = 0;
        for stretch in stretches {
            let Stretch::Object { offset, len, .. } = stretch else {
                self.more(stretch)?;
                continue;
            };
            let between = io::copy(&mut input.by_ref().take(offset - at), &mut io::sink());
            at += between.map_err(unreadable)?;
            let end = offset + len;
            while at < end {
                let mut chunk = Vec::new();
                let most = CHUNK_BYTES.min(end - at);
                let read = input.by_ref().take(most).read_to_end(&mut chunk).map_err(unreadable)?;
                if read == 0 {
                    return Err(unreadable(io::ErrorKind::UnexpectedEof.into()));
                }
                at += read as u64;
                self.more(Stretch::Bytes(chunk))?;
            }
        }
        Ok(())
    }

    /// Hands on what belongs to a segment that was handed on before.
    fn more(&mut self, stretch: Stretch) -> Result<(), Ended> {
        self.make(Made::Spliced { segment: Segment::default(), stretches: vec![stretch] })
    }

    fn make(&mut self, made: Made) -> Result<(), Ended> {
        (self.hand_on)(made).map_err(|Stopped| Ended::Stopped)
    }
}

/// Hands on what is wanted of an object, which is decoded once more.
struct Second<'r, 'a, F> {
    rows: &'r mut Rows<'a, F>,
    data: &'r [u8],
    parts: Peekable<vec::IntoIter<Part>>,
    /// How much of the content came.
    at: u64,
    /// Of the blocks that are taken over.
    blocks: crc32fast::Hasher,
}

impl<F: FnMut(Made) -> Result<(), Stopped>> Receiver for Second<'_, '_, F> {
    type Error = Stop<Ended>;

    fn content(&mut self, bytes: &[u8]) -> Result<(), Stop<Ended>> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let Some(part) = self.parts.peek() else { return Ok(()) };
            let (Part::Again(range) | Part::Blocks(range, _)) = part;
            let (before, most) = (range.start.saturating_sub(self.at), range.end - self.at);
            let skip = before.min(rest.len() as u64);
            let take = (most - before).min(rest.len() as u64 - skip);
            let [skipped, taken] = [skip, take].map(|len| usize::try_from(len).unwrap_or_default());
            let wanted = &rest[skipped..skipped + taken];
            match part {
                Part::Again(_) => self.rows.raw.extend_from_slice(wanted),
                Part::Blocks(..) => self.blocks.update(wanted),
            }
            rest = &rest[skipped + taken..];
            self.at += skip + take;
            if self.at == range.end
                && let Some(Part::Blocks(content, bits)) = self.parts.next()
            {
                self.take_over(&content, bits).map_err(Stop::By)?;
            }
            if self.rows.raw.len() >= SEGMENT_BYTES {
                self.rows.flush().map_err(Stop::By)?;
            }
        }
        Ok(())
    }

    fn stored(&mut self, _: &[u8], _: Option<u64>) {}
}

impl<F: FnMut(Made) -> Result<(), Stopped>> Second<'_, '_, F> {
    fn take_over(&mut self, content: &Range<u64>, bits: Range<u64>) -> Result<(), Ended> {
        self.rows.flush()?;
        let mut stored = Vec::new();
        push_blocks(self.data, bits, &mut stored);
        let segment = Segment {
            crc32: std::mem::take(&mut self.blocks).finalize(),
            raw_bytes: content.end - content.start,
            stored_crc32: crc32fast::hash(&stored),
            stored_bytes: stored.len() as u64,
            rows: std::mem::take(&mut self.rows.row_count),
        };
        self.rows.make(Made::Spliced { segment, stretches: vec![Stretch::Bytes(stored)] })
    }
}
