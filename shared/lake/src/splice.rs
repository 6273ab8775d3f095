//! A gzip object's compressed stream as a segment, without compressing anything again.
//!
//! The object is decoded to verify it and to see its rows. If every one of them goes in as it is, so
//! does the stream, as [`archive::deflate`] hands it on.

use std::io::Read;

use archive::{
    Extent, Segment,
    deflate::{DeflateError, Receiver},
};

use crate::{
    Selection, Stats,
    gzip::{self, GzipError},
    lines::{Line, LineSplitter},
    selection::Verdict,
};

/// The most extents of one object. Each gzip member makes two.
const MAX_EXTENTS: usize = 1 << 16;

/// Returns the compressed stream of the gzip object number `index` as a segment and its extents. `None` if a
/// row of it is left out or changed.
pub(crate) fn splice(
    selection: &Selection,
    index: usize,
    input: impl Read,
) -> Option<(Segment, Stats, Vec<Extent<usize>>)> {
    let mut splice = Splice {
        selection,
        index,
        lines: LineSplitter::default(),
        stats: Stats::default(),
        rows: 0,
        row_bytes: 0,
        stored: crc32fast::Hasher::new(),
        stored_bytes: 0,
        extents: Vec::new(),
    };
    let content = gzip::read(input, &mut splice).ok()?;
    let segment = Segment {
        crc32: content.crc32,
        raw_bytes: content.len,
        stored_crc32: splice.stored.finalize(),
        stored_bytes: splice.stored_bytes,
        rows: splice.rows,
    };
    // Blank lines, CRLF, a byte order mark, a last line without an end: all change the length.
    (splice.row_bytes == content.len).then_some((segment, splice.stats, splice.extents))
}

/// Joins the extents of an object in its own memory. There is room: less is added to a stream than its gzip
/// header and checksum took (RFC 1952, section 2.3).
pub(crate) fn concatenate(mut object: Vec<u8>, extents: Vec<Extent<usize>>) -> Vec<u8> {
    let at = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
    let mut end = 0;
    for extent in extents {
        let begin = end;
        match extent {
            Extent::Bytes(bytes) => {
                end += bytes.len();
                object[begin..end].copy_from_slice(&bytes);
            }
            Extent::Range { offset, len, .. } => {
                end += at(len);
                object.copy_within(at(offset)..at(offset + len), begin);
            }
        }
    }
    object.truncate(end);
    object
}

/// Checks every row of a stream.
struct Splice<'a> {
    selection: &'a Selection,
    index: usize,
    lines: LineSplitter,
    stats: Stats,
    rows: u64,
    row_bytes: u64,
    stored: crc32fast::Hasher,
    stored_bytes: u64,
    extents: Vec<Extent<usize>>,
}

/// The stream cannot be used as it is.
pub(crate) struct NotSpliceable;

impl From<DeflateError> for NotSpliceable {
    fn from(_: DeflateError) -> Self {
        Self
    }
}

impl From<GzipError> for NotSpliceable {
    fn from(_: GzipError) -> Self {
        Self
    }
}

impl Receiver for Splice<'_> {
    type Error = NotSpliceable;

    fn content(&mut self, bytes: &[u8]) -> Result<(), NotSpliceable> {
        let Self { selection, lines, stats, rows, row_bytes, extents, .. } = self;
        if extents.len() > MAX_EXTENTS {
            return Err(NotSpliceable);
        }
        lines.push(bytes, |_, line| {
            let Line::Whole(record) = line else { return Err(NotSpliceable) };
            let Verdict::Taken(time) = selection.judge(record) else { return Err(NotSpliceable) };
            stats.add_time(time);
            *rows += 1;
            *row_bytes += record.len() as u64 + 1;
            Ok(())
        })
    }

    fn stored(&mut self, bytes: &[u8], at: Option<u64>) {
        self.stored.update(bytes);
        self.stored_bytes += bytes.len() as u64;
        let more = bytes.len() as u64;
        match (at, self.extents.last_mut()) {
            _ if bytes.is_empty() => {}
            (Some(at), Some(Extent::Range { offset, len, .. })) if *offset + *len == at => {
                *len += more;
            }
            (None, Some(Extent::Bytes(last))) => last.extend_from_slice(bytes),
            (None, _) => self.extents.push(Extent::Bytes(bytes.to_vec())),
            (Some(offset), _) => {
                self.extents.push(Extent::Range { source: self.index, offset, len: more });
            }
        }
    }
}
