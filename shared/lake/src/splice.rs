//! A gzip object's compressed stream as a segment, without compressing anything again.
//!
//! The object is decoded to verify it and to see its rows. If every one of them goes in as it is, so
//! does the stream, as [`archive::deflate`] hands it on.

use std::io::Read;

use archive::{
    Segment,
    deflate::{DeflateError, Receiver},
};

use crate::{
    Account, Selection, Stretch,
    gzip::{self, GzipError},
    lines::{Line, Lines},
    selection::Verdict,
};

/// The most stretches that are kept of an object. Each of its members makes two.
const MAX_STRETCHES: usize = 1 << 16;

/// Returns where the compressed stream of the gzip object number `index` is in `input`; none if not every
/// row goes in as it is.
pub(crate) fn splice(
    selection: &Selection,
    index: usize,
    input: impl Read,
) -> Option<(Segment, Account, Vec<Stretch>)> {
    let mut splice = Splice {
        selection,
        index,
        lines: Lines::default(),
        account: Account::default(),
        rows: 0,
        row_bytes: 0,
        stored: crc32fast::Hasher::new(),
        stored_bytes: 0,
        stretches: Vec::new(),
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
    (splice.row_bytes == content.len).then_some((segment, splice.account, splice.stretches))
}

/// Puts the stretches of an object together where the object is held. There is room: a stream has less
/// added to it than the header before it and the checksum after it take (RFC 1952, section 2.3).
pub(crate) fn put_together(mut object: Vec<u8>, stretches: Vec<Stretch>) -> Vec<u8> {
    let at = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
    let mut end = 0;
    for stretch in stretches {
        let begin = end;
        match stretch {
            Stretch::Bytes(bytes) => {
                end += bytes.len();
                object[begin..end].copy_from_slice(&bytes);
            }
            Stretch::Object { offset, len, .. } => {
                end += at(len);
                object.copy_within(at(offset)..at(offset + len), begin);
            }
        }
    }
    object.truncate(end);
    object
}

/// Looks at every row of a stream that is taken over.
struct Splice<'a> {
    selection: &'a Selection,
    index: usize,
    lines: Lines,
    account: Account,
    rows: u64,
    row_bytes: u64,
    stored: crc32fast::Hasher,
    stored_bytes: u64,
    stretches: Vec<Stretch>,
}

/// An object's compressed rows cannot be taken over.
pub(crate) struct Refused;

impl From<DeflateError> for Refused {
    fn from(_: DeflateError) -> Self {
        Self
    }
}

impl From<GzipError> for Refused {
    fn from(_: GzipError) -> Self {
        Self
    }
}

impl Receiver for Splice<'_> {
    type Error = Refused;

    fn content(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        let Self { selection, lines, account, rows, row_bytes, stretches, .. } = self;
        if stretches.len() > MAX_STRETCHES {
            return Err(Refused);
        }
        lines.push(bytes, |_, line| {
            let Line::Whole(record) = line else { return Err(Refused) };
            let Verdict::Taken(time) = selection.judge(record) else { return Err(Refused) };
            account.span(time);
            *rows += 1;
            *row_bytes += record.len() as u64 + 1;
            Ok(())
        })
    }

    fn stored(&mut self, bytes: &[u8], at: Option<u64>) {
        self.stored.update(bytes);
        self.stored_bytes += bytes.len() as u64;
        let more = bytes.len() as u64;
        match (at, self.stretches.last_mut()) {
            _ if bytes.is_empty() => {}
            (Some(at), Some(Stretch::Object { offset, len, .. })) if *offset + *len == at => {
                *len += more;
            }
            (None, Some(Stretch::Bytes(last))) => last.extend_from_slice(bytes),
            (None, _) => self.stretches.push(Stretch::Bytes(bytes.to_vec())),
            (Some(offset), _) => {
                self.stretches.push(Stretch::Object { object: self.index, offset, len: more });
            }
        }
    }
}
