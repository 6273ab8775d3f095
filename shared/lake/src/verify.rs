//! Whether objects that are to go in as they are can: whether they are gzip, whole, and lines of records.
//!
//! No row is looked at, only how the content begins, how lines follow each other, and how it ends.

use std::{
    convert::Infallible,
    io::{self, Read},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use export::Compression;
use memchr::memmem;

use crate::{
    InputObject, ObjectError, Selection,
    decode::{Stop, decode},
    detect::{detect, peek},
};

/// What is known of a gzip object that was read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// CRC-32 of the object as it is stored.
    pub crc32: u32,
    /// How its content ends.
    pub ending: Ending,
}

/// How the content of an object ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// There are no rows in it.
    Empty,
    /// Its last line has its line feed.
    Complete,
    /// Its last line lacks its line feed.
    Unterminated,
}

impl Selection {
    /// Reads objects that are to go in as they are to their end, some at the same time. `open` gives an object's
    /// stored bytes. Returns `None` for one that has to be converted instead: it is not gzip, or its content is not
    /// laid out as readers of JSON Lines expect. The first object that is damaged, that is of another kind, or that
    /// cannot be read is an error.
    pub fn verify<R: Read>(
        &self,
        objects: &[InputObject],
        workers: usize,
        open: impl Fn(usize) -> io::Result<R> + Sync,
    ) -> Result<Vec<Option<Verified>>, ObjectError> {
        let next = AtomicUsize::new(0);
        let work = || {
            let mut found = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(object) = objects.get(index) else { return Ok(found) };
                let one = AssertUnwindSafe(|| one(self.compression, &object.key, || open(index)));
                let verified = catch_unwind(one)
                    .unwrap_or_else(|_| Err(ObjectError::Panicked { key: object.key.clone() }));
                match verified {
                    Ok(verified) => found.push((index, verified)),
                    Err(error) => {
                        next.store(objects.len(), Ordering::Relaxed);
                        return Err(error);
                    }
                }
            }
        };
        let mut found = thread::scope(|scope| {
            let threads: Vec<_> = (0..workers.max(1)).map(|_| scope.spawn(work)).collect();
            let mut found = Vec::with_capacity(objects.len());
            for thread in threads {
                let panicked = |_| ObjectError::Sink(io::Error::other("a worker panicked"));
                found.extend(thread.join().map_err(panicked)??);
            }
            Ok(found)
        })?;
        found.sort_unstable_by_key(|(index, _)| *index);
        Ok(found.into_iter().map(|(_, verified)| verified).collect())
    }
}

fn one<R: Read>(
    compression: Compression,
    key: &str,
    open: impl Fn() -> io::Result<R>,
) -> Result<Option<Verified>, ObjectError> {
    let unreadable = |source| ObjectError::of_read(key, source);
    let (head, input) = open().and_then(peek).map_err(unreadable)?;
    match detect(compression, key, &head) {
        Ok(Compression::Gzip) => {}
        Ok(_) => return Ok(None),
        Err(what) => return Err(ObjectError::Foreign { key: key.to_owned(), what }),
    }
    let mut input = Hashing { input, hasher: crc32fast::Hasher::new() };
    let mut lines = LineLayout::default();
    let decoded = decode(Compression::Gzip, &mut input, |bytes| {
        lines.push(bytes);
        Ok::<(), Infallible>(())
    });
    match decoded {
        Ok(()) => {}
        Err(Stop::Corrupt(source)) => {
            return Err(ObjectError::Corrupt { key: key.to_owned(), source });
        }
        Err(Stop::Unreadable(source)) => return Err(unreadable(source)),
        Err(Stop::By(never)) => match never {},
    }
    // The checksum is that of all that is stored, whatever the decoder passes over.
    io::copy(&mut input, &mut io::sink()).map_err(unreadable)?;
    let crc32 = input.hasher.finalize();
    Ok(lines.ending().map(|ending| Verified { crc32, ending }))
}

/// What is known of the lines of an object, from a look at few of its bytes.
#[derive(Default)]
struct LineLayout {
    /// The first two bytes.
    begin: Vec<u8>,
    last: Option<u8>,
    /// The last byte that is neither a space nor a tabulator.
    last_visible: Option<u8>,
    has_rows: bool,
    has_empty_line: bool,
    /// Whether a record seems to follow another one on its line. A text that looks so counts, too.
    has_second_record: bool,
}

impl LineLayout {
    fn push(&mut self, bytes: &[u8]) {
        let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return };
        self.begin.extend(bytes.iter().take(2 - self.begin.len()));
        self.has_rows = self.has_rows || !bytes.iter().all(u8::is_ascii_whitespace);
        self.has_empty_line = self.has_empty_line
            || (self.last == Some(b'\n') && *first == b'\n')
            || memmem::find(bytes, b"\n\n").is_some();
        self.has_second_record = self.has_second_record || self.has_record_behind_another(bytes);
        self.last = Some(*last);
        self.last_visible = last_visible(bytes).or(self.last_visible);
    }

    fn has_record_behind_another(&self, bytes: &[u8]) -> bool {
        memchr::memchr_iter(b'{', bytes)
            .any(|at| last_visible(&bytes[..at]).or(self.last_visible) == Some(b'}'))
    }

    /// Returns how the lines end, if each of them may be a record: else some readers fail at a byte order mark, at
    /// a list of records, at an empty line, or at a second record on a line.
    fn ending(&self) -> Option<Ending> {
        if !self.has_rows {
            return Some(Ending::Empty);
        }
        let begins_record =
            matches!(self.begin[..], [b'{', second] if second != b'\n' && second != b'\r');
        if !begins_record || self.has_empty_line || self.has_second_record {
            return None;
        }
        let is_complete = self.last == Some(b'\n');
        Some(if is_complete { Ending::Complete } else { Ending::Unterminated })
    }
}

/// Returns the last byte that is neither a space nor a tabulator.
fn last_visible(bytes: &[u8]) -> Option<u8> {
    bytes.iter().copied().rfind(|byte| !matches!(byte, b' ' | b'\t'))
}

/// Takes the checksum of what passes.
struct Hashing<R> {
    input: R,
    hasher: crc32fast::Hasher,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = self.input.read(buf)?;
        self.hasher.update(&buf[..len]);
        Ok(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::tests::{gzip, jsonl};

    fn verified(files: &[(&str, Vec<u8>)]) -> Result<Vec<Option<Verified>>, ObjectError> {
        let object = |(key, file): &(&str, Vec<u8>)| InputObject {
            key: (*key).to_owned(),
            size_bytes: file.len() as u64,
            likely_whole: false,
            refer: false,
            partition: None,
        };
        let objects: Vec<InputObject> = files.iter().map(object).collect();
        jsonl().verify(&objects, 2, |index| Ok(&files[index].1[..]))
    }

    #[test]
    fn objects_that_can_be_read_are_known_by_checksum_and_ending() {
        let texts = [("", Ending::Empty), ("\n \n", Ending::Empty), ("{}\n", Ending::Complete)];
        let more = [("{}\n{}", Ending::Unterminated), ("{\"a\":1}\r\n{}\r\n", Ending::Complete)];
        let cases: Vec<_> = texts.into_iter().chain(more).cycle().take(50).collect();
        let files: Vec<_> = cases.iter().map(|(text, _)| ("a.gz", gzip(text))).collect();

        let found = verified(&files).unwrap();

        let want = cases.iter().zip(&files).map(|((_, ending), (_, file))| {
            Some(Verified { crc32: crc32fast::hash(file), ending: *ending })
        });
        assert_eq!(found, want.collect::<Vec<_>>());
    }

    #[test]
    fn an_object_that_readers_of_json_lines_would_fail_at_is_to_be_poured() {
        let empty_line_at = |at: usize| format!("{}\n{{}}\n", "{}\n".repeat(at));
        let row = "{}\n".as_bytes();
        for (what, object) in [
            ("plain", row.to_vec()),
            ("Zstandard", zstd::encode_all(row, 1).unwrap()),
            ("a byte order mark", gzip("\u{feff}{}\n")),
            ("a list", gzip("[{},{}]\n")),
            ("a sequence", gzip("\u{1e}{}\n")),
            ("a record of several lines", gzip("{\n\"a\":1\n}\n")),
            ("a list of several lines", gzip("[\n{},\n{}\n]\n")),
            ("an empty line", gzip(empty_line_at(0))),
            ("an empty line far behind", gzip(empty_line_at(200_000))),
            ("two empty lines at the end", gzip("{}\n\n\n")),
            ("two records on a line", gzip("{}\n{}{}\n")),
            ("two records on a line, apart", gzip("{}\n{} \t{}\n")),
            ("text", gzip("a,b\n1,2\n")),
        ] {
            assert_eq!(verified(&[("a.json.gz", object)]).unwrap(), [None], "{what}");
        }
        // Wherever the decoder ends a piece of content.
        for cut in 0..6 {
            let (mut lines, text) = (LineLayout::default(), b"{}\n\n{}");
            lines.push(&text[..cut]);
            lines.push(&text[cut..]);
            assert_eq!(lines.ending(), None, "{cut}");
            let (mut lines, text) = (LineLayout::default(), b"{} {}\n");
            lines.push(&text[..cut]);
            lines.push(&text[cut..]);
            assert_eq!(lines.ending(), None, "{cut}");
        }
    }

    #[test]
    fn an_object_that_is_damaged_or_of_another_kind_is_named() {
        let whole = gzip("{\"a\":1}\n".repeat(100));
        let mut changed = whole.clone();
        let at = changed.len() - 6;
        changed[at] ^= 1;
        let cut = whole[..whole.len() - 6].to_vec();
        for bad in [cut, changed, b"text".to_vec()] {
            let found =
                verified(&[("0.gz", whole.clone()), ("1.gz", bad), ("2.gz", whole.clone())]);
            assert!(
                matches!(&found, Err(ObjectError::Corrupt { key, .. }) if key == "1.gz"),
                "{found:?}"
            );
        }
        let found = verified(&[("1.gz", b"PAR1\x15".to_vec())]);
        assert!(
            matches!(&found, Err(ObjectError::Foreign { key, what: "Parquet" }) if key == "1.gz"),
            "{found:?}"
        );
    }
}
