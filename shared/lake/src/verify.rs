//! Whether gzip objects that go in as they are can be read to their end.

use std::{
    convert::Infallible,
    io::{self, Read},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use export::Compression;

use crate::{
    Object, ObjectError,
    decode::{Stop, decode},
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

/// Reads gzip objects to their end, some at the same time. `open` gives an object's stored bytes. The first
/// object that is damaged or cannot be read ends it.
pub fn verify<R: Read>(
    objects: &[Object],
    workers: usize,
    open: impl Fn(usize) -> io::Result<R> + Sync,
) -> Result<Vec<Verified>, ObjectError> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut found = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(object) = objects.get(index) else { return Ok(found) };
            let verified = catch_unwind(AssertUnwindSafe(|| one(&object.key, || open(index))))
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

fn one<R: Read>(key: &str, open: impl Fn() -> io::Result<R>) -> Result<Verified, ObjectError> {
    let unreadable = |source| ObjectError::Unreadable { key: key.to_owned(), source };
    let mut input =
        Hashing { input: open().map_err(unreadable)?, hasher: crc32fast::Hasher::new() };
    let (mut last, mut has_rows) = (b'\n', false);
    let decoded = decode(Compression::Gzip, &mut input, |bytes| {
        last = bytes.last().copied().unwrap_or(last);
        has_rows = has_rows || !bytes.iter().all(u8::is_ascii_whitespace);
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
    let ending = match (has_rows, last) {
        (false, _) => Ending::Empty,
        (true, b'\n') => Ending::Complete,
        (true, _) => Ending::Unterminated,
    };
    Ok(Verified { crc32: input.hasher.finalize(), ending })
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
    use std::io::Write as _;

    use flate2::{Compression as Level, write::GzEncoder};

    use super::*;

    fn gzip(text: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Level::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    fn verified(files: &[Vec<u8>]) -> Result<Vec<Verified>, ObjectError> {
        let object = |(number, file): (usize, &Vec<u8>)| Object {
            key: number.to_string(),
            size_bytes: file.len() as u64,
            likely_whole: false,
            refer: false,
            partition: None,
        };
        let objects: Vec<Object> = files.iter().enumerate().map(object).collect();
        verify(&objects, 2, |index| Ok(&files[index][..]))
    }

    #[test]
    fn objects_that_can_be_read_are_known_by_checksum_and_ending() {
        let texts = [("", Ending::Empty), ("\n \n", Ending::Empty), ("{}\n", Ending::Complete)];
        let more = [("{}\n{}", Ending::Unterminated), ("{}\n\n", Ending::Complete)];
        let cases: Vec<_> = texts.into_iter().chain(more).cycle().take(50).collect();
        let files: Vec<Vec<u8>> = cases.iter().map(|(text, _)| gzip(text)).collect();

        let found = verified(&files).unwrap();

        let want = cases
            .iter()
            .zip(&files)
            .map(|((_, ending), file)| Verified { crc32: crc32fast::hash(file), ending: *ending });
        assert_eq!(found, want.collect::<Vec<_>>());
    }

    #[test]
    fn an_object_that_is_cut_or_changed_is_named() {
        let whole = gzip(&"{\"a\":1}\n".repeat(100));
        let mut changed = whole.clone();
        let at = changed.len() - 6;
        changed[at] ^= 1;
        let cut = whole[..whole.len() - 6].to_vec();
        for bad in [cut, changed, b"{}\n".to_vec()] {
            let found = verified(&[whole.clone(), bad, whole.clone()]);
            assert!(
                matches!(&found, Err(ObjectError::Corrupt { key, .. }) if key == "1"),
                "{found:?}"
            );
        }
    }
}
