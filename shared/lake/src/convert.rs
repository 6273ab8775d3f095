//! Converts source objects, one after the other, into compressed rows.

mod edge;

use std::io::{self, Read};

use archive::{Extent, SEGMENT_BYTES, Segment};
use jiff::Timestamp;

use export::Compression;

use crate::{
    BadRow, Encoding, InputObject, ObjectError, Selection, Stats,
    decode::{Stop, decode},
    delimited::{DelimitedReader, Row},
    detect::{detect, peek},
    framing::Framing,
    lines::{Line, LineSplitter},
    records::{RecordReader, RecordVisitor},
    selection::Outcome,
    splice::{concatenate, splice},
    stats::ObjectCounts,
};

/// What a run of objects becomes, in order.
#[derive(Debug)]
pub(crate) enum Output {
    /// Rows that are still to be compressed.
    Rows { raw: Vec<u8>, rows: u64 },
    /// An object's own compressed rows.
    Spliced { segment: Segment, extents: Vec<Extent<usize>> },
}

/// The largest object in bytes, as stored, that is held in memory. A larger one is read once to see whether
/// it can be spliced, and again if it is not referred to.
const MAX_HELD_BYTES: u64 = 16 << 20;
/// How much of a larger one is emitted at a time, in bytes.
const CHUNK_BYTES: u64 = 1 << 20;

/// The least average length of the extents of an object that is referred to, in bytes: each may cost a
/// request.
const MIN_REFERRED_EXTENT_BYTES: u64 = 5 << 20;

/// The receiver of the output takes no more.
#[derive(Debug)]
pub(crate) struct ReceiverClosed;

/// Why the conversion of a run ended early.
#[derive(Debug)]
pub(crate) enum RunError {
    Failed(ObjectError),
    Closed,
}

/// Converts a run of objects.
pub(crate) struct Converter<'a, F> {
    selection: &'a Selection,
    encoding: &'a Encoding,
    /// The key of the object at hand.
    key: String,
    /// When the time of its partition begins.
    partition: Option<Timestamp>,
    /// What is known of its records.
    records: RecordReader<'a>,
    /// Rows that were not emitted yet.
    raw: Vec<u8>,
    row_count: u64,
    stats: Stats,
    emit: F,
}

impl<'a, F: FnMut(Output) -> Result<(), ReceiverClosed>> Converter<'a, F> {
    /// Returns a converter that passes its output to `emit`.
    pub(crate) fn new(selection: &'a Selection, encoding: &'a Encoding, emit: F) -> Self {
        Self {
            selection,
            encoding,
            key: String::new(),
            partition: None,
            records: RecordReader::default(),
            raw: Vec::new(),
            row_count: 0,
            stats: Stats::default(),
            emit,
        }
    }

    /// Converts an object. `open` returns its stored bytes from the beginning, each time it is called.
    pub(crate) fn object<R: Read>(
        &mut self,
        index: usize,
        object: &InputObject,
        open: impl Fn() -> io::Result<R>,
    ) -> Result<(), RunError> {
        let before = self.stats.counts_since(ObjectCounts::default(), index);
        self.convert(index, object, open)?;
        self.stats.objects.push(self.stats.counts_since(before, index));
        let records = std::mem::take(&mut self.records);
        records.check(&self.key, self.selection.max_bad_percent).map_err(RunError::Failed)
    }

    fn convert<R: Read>(
        &mut self,
        index: usize,
        object: &InputObject,
        open: impl Fn() -> io::Result<R>,
    ) -> Result<(), RunError> {
        self.partition = object.partition;
        self.key.clone_from(&object.key);
        self.records = RecordReader::new(self.selection.framing.nesting());
        let key = &object.key;
        let unreadable = |source| RunError::Failed(ObjectError::of_read(key, source));
        let (head, mut input) = open().and_then(peek).map_err(unreadable)?;
        let stored = detect(self.selection.compression, key, &head)
            .map_err(|what| RunError::Failed(ObjectError::Foreign { key: key.clone(), what }))?;
        let compressed = matches!(self.encoding, Encoding::Deflate(_));
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
                Some((segment, stats, extents)) => {
                    let kept = Extent::Bytes(concatenate(data, extents));
                    self.take_over(segment, stats, vec![kept])
                }
                None => self.cut(&data[..]),
            };
        }
        match splice(self.selection, index, input) {
            Some((segment, stats, extents)) if object.refer && are_worth_referring(&extents) => {
                self.take_over(segment, stats, extents)
            }
            Some((segment, stats, extents)) => {
                self.take_over(segment, stats, Vec::new())?;
                self.emit_again(key, open().map_err(unreadable)?, extents)
            }
            None => self.cut(open().map_err(unreadable)?),
        }
    }

    /// Converts a gzip object of which some rows are not wanted.
    fn cut(&mut self, input: impl Read) -> Result<(), RunError> {
        // Where rows are chosen by their columns, hardly a block is left to copy.
        if self.selection.is_filtered() {
            return self.transcode(Compression::Gzip, input);
        }
        let converted = edge::convert(self, input);
        converted.map_err(|stop| stop_error(&self.key, stop))
    }

    /// Emits what is left.
    pub(crate) fn finish(mut self) -> Result<Stats, RunError> {
        self.flush()?;
        Ok(self.stats)
    }

    fn transcode(&mut self, stored: Compression, input: impl Read) -> Result<(), RunError> {
        let selection = self.selection;
        if let Framing::Delimited(format) = &selection.framing {
            let mut rows = DelimitedReader::new(format);
            let decoded = decode(stored, input, |bytes| {
                rows.push(bytes, |line, row| self.delimited_row(line, row))
            });
            decoded.map_err(|stop| stop_error(&self.key, stop))?;
            return rows.finish(|line, row| self.delimited_row(line, row));
        }
        let mut lines = LineSplitter::default();
        let decoded = decode(stored, input, |bytes| {
            lines.push(bytes, |position, line| self.line(position.number, line))
        });
        decoded.map_err(|stop| stop_error(&self.key, stop))?;
        lines.finish(|position, line| self.line(position.number, line))
    }

    fn delimited_row(&mut self, line: u64, row: Row<'_>) -> Result<(), RunError> {
        let mut records = std::mem::take(&mut self.records);
        let read = records.row(self, line, row);
        self.records = records;
        read
    }

    fn line(&mut self, number: u64, line: Line<'_>) -> Result<(), RunError> {
        let mut records = std::mem::take(&mut self.records);
        let read = records.line(self, number, line);
        self.records = records;
        read
    }

    fn bad_row(&mut self, line: u64, reason: String, exported: bool) {
        let (table, key) = (&self.selection.table, &self.key);
        self.stats.bad(|| BadRow::new(table, key, line, reason, exported));
    }

    /// Counts a record whose time is outside of the window.
    fn outside(&mut self, line: u64, time: Timestamp) {
        let misfiled = self.selection.time.misfiled(time, self.partition);
        let (table, key) = (&self.selection.table, &self.key);
        self.stats.outside(misfiled.map(|reason| BadRow::new(table, key, line, reason, false)));
    }

    fn flush(&mut self) -> Result<(), RunError> {
        if self.raw.is_empty() {
            return Ok(());
        }
        let raw = std::mem::take(&mut self.raw);
        let rows = std::mem::take(&mut self.row_count);
        self.raw.reserve(raw.len().min(SEGMENT_BYTES + SEGMENT_BYTES / 8));
        self.emit_output(Output::Rows { raw, rows })
    }

    fn take_over(
        &mut self,
        segment: Segment,
        stats: Stats,
        extents: Vec<Extent<usize>>,
    ) -> Result<(), RunError> {
        self.flush()?;
        self.stats.add(stats);
        self.stats.rows += segment.rows;
        self.stats.spliced += 1;
        self.emit_output(Output::Spliced { segment, extents })
    }

    /// Emits the extents of an object that is read again from its beginning.
    fn emit_again(
        &mut self,
        key: &str,
        mut input: impl Read,
        extents: Vec<Extent<usize>>,
    ) -> Result<(), RunError> {
        let unreadable = |source| RunError::Failed(ObjectError::of_read(key, source));
        let mut at = 0;
        for extent in extents {
            let Extent::Range { offset, len, .. } = extent else {
                self.emit_more(extent)?;
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
                self.emit_more(Extent::Bytes(chunk))?;
            }
        }
        Ok(())
    }

    /// Emits bytes of a segment that was emitted before.
    fn emit_more(&mut self, extent: Extent<usize>) -> Result<(), RunError> {
        self.emit_output(Output::Spliced { segment: Segment::default(), extents: vec![extent] })
    }

    fn emit_output(&mut self, made: Output) -> Result<(), RunError> {
        (self.emit)(made).map_err(|ReceiverClosed| RunError::Closed)
    }
}

/// Tells whether extents are long enough to be referred to instead of copied.
fn are_worth_referring(extents: &[Extent<usize>]) -> bool {
    let (mut count, mut bytes) = (0, 0);
    for extent in extents {
        if let Extent::Range { len, .. } = extent {
            (count, bytes) = (count + 1, bytes + len);
        }
    }
    bytes >= count * MIN_REFERRED_EXTENT_BYTES
}

impl<F: FnMut(Output) -> Result<(), ReceiverClosed>> RecordVisitor for Converter<'_, F> {
    type Stop = RunError;

    fn wants(&self, number: u64) -> bool {
        self.selection.wanted().contains(&number)
    }

    fn visit(&mut self, line: u64, _: u64, record: &[u8]) -> Result<Result<(), String>, RunError> {
        match self.selection.push_rows(record, self.partition, &mut self.raw) {
            Ok(Outcome::Taken(taken)) => {
                self.row_count += taken.rows;
                self.stats.rows += taken.rows;
                self.stats.add_time(taken.time);
                if let Some(flaw) = taken.flaw {
                    self.bad_row(line, flaw, taken.rows > 0);
                }
            }
            Ok(Outcome::Outside(time)) => self.outside(line, time),
            Ok(Outcome::Foreign) => {}
            Err(reason) => return Ok(Err(reason)),
        }
        let (bytes, rows) = self.encoding.cut();
        if self.raw.len() >= bytes || self.row_count >= rows {
            self.flush()?;
        }
        Ok(Ok(()))
    }

    fn bad(&mut self, line: u64, reason: String) {
        self.bad_row(line, reason, false);
    }

    fn foreign(&mut self, what: &'static str) -> RunError {
        RunError::Failed(ObjectError::Foreign { key: self.key.clone(), what })
    }
}

/// Adds the key of the object to what stopped its decoding.
fn stop_error(key: &str, stop: Stop<RunError>) -> RunError {
    match stop {
        Stop::By(ended) => ended,
        Stop::Corrupt(source) => {
            RunError::Failed(ObjectError::Corrupt { key: key.to_owned(), source })
        }
        Stop::Unreadable(source) => RunError::Failed(ObjectError::of_read(key, source)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_of_very_many_members_is_not_referred_to() {
        let object = |len| Extent::Range { source: 0, offset: 0, len };
        let members = |count: usize, len| -> Vec<Extent<usize>> {
            (0..count).flat_map(|_| [Extent::Bytes(vec![0; 9]), object(len)]).collect()
        };
        assert!(are_worth_referring(&members(1, 32 << 20)));
        assert!(are_worth_referring(&members(6, 6 << 20)));
        assert!(!are_worth_referring(&members(20_000, 100 << 10)));
    }
}
