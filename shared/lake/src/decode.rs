//! Source objects as plain bytes, whatever they are compressed with.

use std::{
    cell::Cell,
    io::{self, BufRead, BufReader, Read},
    rc::Rc,
};

use export::Compression;
use flate2::bufread::MultiGzDecoder;

/// How much of an object is held at a time, in bytes.
const BUFFER: usize = 64 * 1024;

/// The largest Zstandard window accepted, as a power of two: 128 MiB, what decoders must support
/// without being asked to (RFC 8878 recommends at least 8 MiB).
const ZSTD_WINDOW_LOG: u32 = 27;

/// Why an object could not be read to its end.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// Its bytes are not what they should be. Trying again does not help.
    #[error("decode object {key}")]
    Corrupt {
        /// The object.
        key: String,
        /// What the decoder said.
        source: io::Error,
    },
    /// Its bytes did not come. Trying again may help.
    #[error("read object {key}")]
    Unreadable {
        /// The object.
        key: String,
        /// What the source said.
        source: io::Error,
    },
    /// What was made of it could not be handed on.
    #[error("hand on what was made of object {key}")]
    Sink {
        /// The object.
        key: String,
        /// What the receiver said.
        source: io::Error,
    },
}

/// A decoded object that can tell its own faults from those of its source.
pub(crate) struct Decoded<'a> {
    reader: Box<dyn Read + 'a>,
    source_failed: Rc<Cell<bool>>,
}

impl<'a> Decoded<'a> {
    /// Opens the object `key`, whose stored bytes are `input`.
    pub(crate) fn open(
        key: &str,
        compression: Compression,
        input: impl Read + 'a,
    ) -> io::Result<Self> {
        let source_failed = Rc::new(Cell::new(false));
        let source = Source { input, failed: Rc::clone(&source_failed) };
        let mut buffered = BufReader::with_capacity(BUFFER, source);
        let empty = buffered.fill_buf()?.is_empty();
        let reader: Box<dyn Read + 'a> = match effective(compression, key) {
            _ if empty => Box::new(io::empty()),
            Compression::Gzip => Box::new(MultiGzDecoder::new(buffered)),
            Compression::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(buffered)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG)?;
                Box::new(decoder)
            }
            Compression::None | Compression::Auto => Box::new(buffered),
        };
        Ok(Self { reader, source_failed })
    }

    /// Names the culprit of an error that reading this object gave.
    pub(crate) fn blame(&self, key: &str, source: io::Error) -> ObjectError {
        let key = key.to_owned();
        if self.source_failed.get() {
            ObjectError::Unreadable { key, source }
        } else {
            ObjectError::Corrupt { key, source }
        }
    }
}

impl Read for Decoded<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buf)
    }
}

/// Tells whether the object `key` is stored as gzip.
pub fn is_gzip(compression: Compression, key: &str) -> bool {
    effective(compression, key) == Compression::Gzip
}

/// The compression itself, where it is to be told from the key.
fn effective(compression: Compression, key: &str) -> Compression {
    let ends = |suffixes: [&str; 2]| suffixes.iter().any(|suffix| key.ends_with(suffix));
    match compression {
        Compression::Auto if ends([".gz", ".gzip"]) => Compression::Gzip,
        Compression::Auto if ends([".zst", ".zstd"]) => Compression::Zstd,
        Compression::Auto => Compression::None,
        named => named,
    }
}

/// Remembers whether it failed, since decoders pass its errors on as theirs.
struct Source<R> {
    input: R,
    failed: Rc<Cell<bool>>,
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.input.read(buf).inspect_err(|_| self.failed.set(true))
    }
}
