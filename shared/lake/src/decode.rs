//! Decompresses source objects.

use std::{
    cell::Cell,
    io::{self, BufRead as _, BufReader, Read},
    rc::Rc,
};

use archive::deflate::{DeflateError, Receiver};
use export::Compression;

use crate::{
    gzip::{self, GzipError},
    hadoop::HadoopBlocks,
    streams::{Lz4Frame, Streams},
};

/// How much of an object is held at a time, in bytes.
const BUFFER: usize = 256 * 1024;

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
    /// It is stored in a way that is not read. Trying again does not help.
    #[error("read object {key}: it is not JSON Lines but {what}")]
    Foreign {
        /// The object.
        key: String,
        /// What it seems to be.
        what: &'static str,
    },
    /// It is of a format that is read, but in a way that is not, or beyond a bound. Trying again does not help.
    #[error("read object {key}")]
    Unsupported {
        /// The object.
        key: String,
        /// What its reader said.
        source: io::Error,
    },
    /// Hardly any of its rows can be read. Trying again does not help.
    #[error("read object {key}: {bad} of {rows} rows are bad, the first on line {line}: {reason}")]
    MostlyBad {
        /// The object.
        key: String,
        /// How many rows it has.
        rows: u64,
        /// How many of them cannot be read.
        bad: u64,
        /// The line of the first of these, from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// The code that read it panicked: a fault of Decant.
    #[error("read object {key}: the worker panicked")]
    Panicked {
        /// The object.
        key: String,
    },
    /// Its bytes could not be read. Trying again may help.
    #[error("read object {key}")]
    Unreadable {
        /// The object.
        key: String,
        /// What the source said.
        source: io::Error,
    },
    /// The receiver of the output failed.
    #[error("pass output on")]
    Sink(#[source] io::Error),
}

impl ObjectError {
    /// Returns what it means that reading an object failed. What opens objects may read formats of its own, and says
    /// by the kind of its error whether the object is damaged or not supported.
    pub(crate) fn of_read(key: &str, source: io::Error) -> Self {
        let key = key.to_owned();
        match source.kind() {
            io::ErrorKind::InvalidData => Self::Corrupt { key, source },
            io::ErrorKind::Unsupported => Self::Unsupported { key, source },
            _ => Self::Unreadable { key, source },
        }
    }
}

/// What stopped the decoding of an object.
#[derive(Debug)]
pub(crate) enum Stop<E> {
    Corrupt(io::Error),
    Unreadable(io::Error),
    /// The receiver of the content wants no more.
    By(E),
}

/// Calls `each` with the decompressed content of `input`, piece by piece.
pub(crate) fn decode<E>(
    compression: Compression,
    input: impl Read,
    each: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), Stop<E>> {
    match compression {
        Compression::Gzip => gzip::read(input, &mut Content(each)).map(drop),
        Compression::Zstd => by_library(input, each, |buffered| {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(buffered)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG)?;
            Ok(decoder)
        }),
        Compression::Zlib => by_library(input, each, |buffered| {
            Ok(Streams::new(buffered, flate2::bufread::ZlibDecoder::new))
        }),
        Compression::Bzip2 => {
            by_library(input, each, |buffered| Ok(bzip2::bufread::MultiBzDecoder::new(buffered)))
        }
        Compression::Snappy => {
            by_library(input, each, |buffered| Ok(snap::read::FrameDecoder::new(buffered)))
        }
        Compression::HadoopSnappy => {
            by_library(input, each, |buffered| Ok(HadoopBlocks::new(buffered)))
        }
        Compression::Lz4 => {
            by_library(input, each, |buffered| Ok(Streams::new(buffered, Lz4Frame::new)))
        }
        Compression::None | Compression::Auto => chunks(input, Stop::Unreadable, each),
    }
}

/// Decompresses with a library. An error is damage, unless it is that of the source.
fn by_library<E, R: Read, D: Read>(
    input: R,
    each: impl FnMut(&[u8]) -> Result<(), E>,
    decoder: impl FnOnce(BufReader<Source<R>>) -> io::Result<D>,
) -> Result<(), Stop<E>> {
    let failed = Rc::new(Cell::new(false));
    let mut buffered = BufReader::new(Source { input, failed: Rc::clone(&failed) });
    if buffered.fill_buf().map_err(Stop::Unreadable)?.is_empty() {
        return Ok(());
    }
    let culprit = |e| if failed.get() { Stop::Unreadable(e) } else { Stop::Corrupt(e) };
    chunks(decoder(buffered).map_err(culprit)?, culprit, each)
}

fn chunks<E>(
    mut input: impl Read,
    culprit: impl Fn(io::Error) -> Stop<E>,
    mut each: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), Stop<E>> {
    let mut buffer = vec![0; BUFFER];
    loop {
        match input.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(len) => each(&buffer[..len]).map_err(Stop::By)?,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(culprit(e)),
        }
    }
}

/// Passes the content of a gzip file on.
struct Content<F>(F);

impl<E, F: FnMut(&[u8]) -> Result<(), E>> Receiver for Content<F> {
    type Error = Stop<E>;

    fn content(&mut self, bytes: &[u8]) -> Result<(), Stop<E>> {
        (self.0)(bytes).map_err(Stop::By)
    }

    fn stored(&mut self, _: &[u8], _: Option<u64>) {}
}

impl<E> From<DeflateError> for Stop<E> {
    fn from(error: DeflateError) -> Self {
        match error {
            DeflateError::Read(e) => Self::Unreadable(e),
            damage @ (DeflateError::Truncated | DeflateError::Corrupt) => {
                Self::Corrupt(io::Error::new(io::ErrorKind::InvalidData, damage))
            }
        }
    }
}

impl<E> From<GzipError> for Stop<E> {
    fn from(error: GzipError) -> Self {
        match error {
            GzipError::Deflate(error) => error.into(),
            damage @ (GzipError::Header | GzipError::Garbage | GzipError::Checksum) => {
                Self::Corrupt(io::Error::new(io::ErrorKind::InvalidData, damage))
            }
        }
    }
}

/// Remembers whether it failed, since decoders pass its errors on as theirs.
struct Source<R> {
    input: R,
    failed: Rc<Cell<bool>>,
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.input.read(buf) {
                // Not every library tries again.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return read.inspect_err(|_| self.failed.set(true)),
            }
        }
    }
}
