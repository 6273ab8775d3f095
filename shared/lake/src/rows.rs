//! One object after the other becomes stretches of compressed rows.

mod edge;

use std::io::{self, Read};

use archive::{SEGMENT_BYTES, Segment};
use jiff::Timestamp;

use export::Compression;

use crate::{
    Account, BadRow, ObjectError, Pack, Selection,
    decode::{Stop, decode},
    lines::{Line, Lines},
    records::{Records, Take},
    selection::Outcome,
    splice::{put_together, splice},
    stored::{peek, stored_as},
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
    /// When the time of its partition begins, if that is known.
    pub partition: Option<Timestamp>,
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

/// How long the stretches of an object have to be on average so that it is referred to, in bytes: each may
/// have to be asked for by a request of its own.
const MIN_REFERRED_STRETCH_BYTES: u64 = 5 << 20;

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
    /// The key of the object at hand.
    key: String,
    /// When the time of its partition begins.
    partition: Option<Timestamp>,
    /// What is known of its records.
    records: Records,
    /// Rows that were not handed on yet.
    raw: Vec<u8>,
    row_count: u64,
    account: Account,
    hand_on: F,
}

impl<'a, F: FnMut(Made) -> Result<(), Stopped>> Rows<'a, F> {
    /// Returns one that hands on what it makes.
    pub(crate) fn new(selection: &'a Selection, pack: Pack, hand_on: F) -> Self {
        Self {
            selection,
            pack,
            key: String::new(),
            partition: None,
            records: Records::default(),
            raw: Vec::new(),
            row_count: 0,
            account: Account::default(),
            hand_on,
        }
    }

    /// Pours the rows of an object, whose stored bytes `open` gives, as often as it is called.
    pub(crate) fn object<R: Read>(
        &mut self,
        index: usize,
        object: &Object,
        open: impl Fn() -> io::Result<R>,
    ) -> Result<(), Ended> {
        self.pour(index, object, open)?;
        let records = std::mem::take(&mut self.records);
        records.check(&self.key, self.selection.max_bad_percent).map_err(Ended::Failed)
    }

    fn pour<R: Read>(
        &mut self,
        index: usize,
        object: &Object,
        open: impl Fn() -> io::Result<R>,
    ) -> Result<(), Ended> {
        self.partition = object.partition;
        self.key.clone_from(&object.key);
        self.records = Records::default();
        let key = &object.key;
        let unreadable =
            |source| Ended::Failed(ObjectError::Unreadable { key: key.clone(), source });
        let (head, mut input) = open().and_then(peek).map_err(unreadable)?;
        let stored = stored_as(self.selection.compression, key, &head)
            .map_err(|what| Ended::Failed(ObjectError::Foreign { key: key.clone(), what }))?;
        let compressed = matches!(self.pack, Pack::Deflate(_));
        if !(stored == Compression::Gzip && compressed && self.selection.passes_through()) {
            return self.transcode(stored, input);
        }
        // If anything is wrong with it, the last reading says what.
        if !object.likely_whole {
            return self.cut(input);
        }
        if object.size_bytes <= MAX_HELD_BYTES {
            let mut data =
                Vec::with_capacity(usize::try_from(object.size_bytes).unwrap_or_default());
            input.read_to_end(&mut data).map_err(unreadable)?;
            return match splice(self.selection, index, &data[..]) {
                Some((segment, account, stretches)) => {
                    let kept = Stretch::Bytes(put_together(data, stretches));
                    self.take_over(segment, account, vec![kept])
                }
                None => self.cut(&data[..]),
            };
        }
        match splice(self.selection, index, input) {
            Some((segment, account, stretches))
                if object.refer && are_worth_referring(&stretches) =>
            {
                self.take_over(segment, account, stretches)
            }
            Some((segment, account, stretches)) => {
                self.take_over(segment, account, Vec::new())?;
                self.again(key, open().map_err(unreadable)?, stretches)
            }
            None => self.cut(open().map_err(unreadable)?),
        }
    }

    /// Pours a gzip object some of whose rows are not wanted.
    fn cut(&mut self, input: impl Read) -> Result<(), Ended> {
        // Where rows are chosen by their columns, hardly a stretch is left that is worth a look.
        if self.selection.is_filtered() {
            return self.transcode(Compression::Gzip, input);
        }
        let poured = edge::pour(self, input);
        poured.map_err(|stop| ended(&self.key, stop))
    }

    /// Hands on what is left.
    pub(crate) fn finish(mut self) -> Result<Account, Ended> {
        self.flush()?;
        Ok(self.account)
    }

    fn transcode(&mut self, stored: Compression, input: impl Read) -> Result<(), Ended> {
        let mut lines = Lines::default();
        let decoded = decode(stored, input, |bytes| {
            lines.push(bytes, |place, line| self.line(place.number, line))
        });
        decoded.map_err(|stop| ended(&self.key, stop))?;
        lines.finish(|place, line| self.line(place.number, line))
    }

    fn line(&mut self, number: u64, line: Line<'_>) -> Result<(), Ended> {
        let mut records = std::mem::take(&mut self.records);
        let read = records.line(self, number, line);
        self.records = records;
        read
    }

    fn bad_row(&mut self, line: u64, reason: String, exported: bool) {
        let (table, key) = (&self.selection.table, &self.key);
        self.account.bad(|| BadRow::new(table, key, line, reason, exported));
    }

    /// Counts a record whose time is outside of the window.
    fn outside(&mut self, line: u64, time: Timestamp) {
        let misfiled = self.selection.time.misfiled(time, self.partition);
        let (table, key) = (&self.selection.table, &self.key);
        self.account.outside(misfiled.map(|reason| BadRow::new(table, key, line, reason, false)));
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

/// Tells whether stretches are so long that it is better to refer to them than to write them again.
fn are_worth_referring(stretches: &[Stretch]) -> bool {
    let (mut count, mut bytes) = (0, 0);
    for stretch in stretches {
        if let Stretch::Object { len, .. } = stretch {
            (count, bytes) = (count + 1, bytes + len);
        }
    }
    bytes >= count * MIN_REFERRED_STRETCH_BYTES
}

impl<F: FnMut(Made) -> Result<(), Stopped>> Take for Rows<'_, F> {
    type Stop = Ended;

    fn wants(&self, number: u64) -> bool {
        self.selection.wanted().contains(&number)
    }

    fn take(&mut self, line: u64, _: u64, record: &[u8]) -> Result<Result<(), String>, Ended> {
        match self.selection.push_rows(record, self.partition, &mut self.raw) {
            Ok(Outcome::Taken(taken)) => {
                self.row_count += taken.rows;
                self.account.span(taken.time);
                if let Some(flaw) = taken.flaw {
                    self.bad_row(line, flaw, taken.rows > 0);
                }
            }
            Ok(Outcome::Outside(time)) => self.outside(line, time),
            Err(reason) => return Ok(Err(reason)),
        }
        let (bytes, rows) = self.pack.cut();
        if self.raw.len() >= bytes || self.row_count >= rows {
            self.flush()?;
        }
        Ok(Ok(()))
    }

    fn bad(&mut self, line: u64, reason: String) {
        self.bad_row(line, reason, false);
    }

    fn foreign(&mut self, what: &'static str) -> Ended {
        Ended::Failed(ObjectError::Foreign { key: self.key.clone(), what })
    }
}

/// Says of which object it was what stopped its decoding.
fn ended(key: &str, stop: Stop<Ended>) -> Ended {
    let key = key.to_owned();
    match stop {
        Stop::By(ended) => ended,
        Stop::Corrupt(source) => Ended::Failed(ObjectError::Corrupt { key, source }),
        Stop::Unreadable(source) => Ended::Failed(ObjectError::Unreadable { key, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_of_very_many_members_is_not_referred_to() {
        let object = |len| Stretch::Object { object: 0, offset: 0, len };
        let members = |count: usize, len| -> Vec<Stretch> {
            (0..count).flat_map(|_| [Stretch::Bytes(vec![0; 9]), object(len)]).collect()
        };
        assert!(are_worth_referring(&members(1, 32 << 20)));
        assert!(are_worth_referring(&members(6, 6 << 20)));
        assert!(!are_worth_referring(&members(20_000, 100 << 10)));
    }
}
