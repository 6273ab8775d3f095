//! Snappy in the blocks of Hadoop.
//!
//! A block is its length as plain text, four bytes with the highest first, and then chunks until it is full: the
//! length of each as stored, in four bytes likewise, and raw Snappy.

use std::io::{self, BufRead, Read};

/// The longest block or chunk that is read, in bytes. Hadoop writes 256 KiB.
const MAX_BLOCK_BYTES: usize = 64 << 20;

/// Reads the content of all blocks.
pub(crate) struct HadoopBlocks<R> {
    input: R,
    /// What of the block at hand is still to come.
    missing: usize,
    /// What was decoded of it.
    content: Vec<u8>,
    /// How much of that was passed on.
    passed: usize,
}

impl<R: BufRead> HadoopBlocks<R> {
    pub(crate) fn new(input: R) -> Self {
        Self { input, missing: 0, content: Vec::new(), passed: 0 }
    }

    /// Decodes the next chunk. Returns false at the end of the object.
    fn next(&mut self) -> io::Result<bool> {
        while self.missing == 0 {
            if self.input.fill_buf()?.is_empty() {
                return Ok(false);
            }
            self.missing = self.length()?;
        }
        let mut stored = Vec::new();
        let len = self.length()?;
        self.input.by_ref().take(len as u64).read_to_end(&mut stored)?;
        if stored.len() < len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let plain = snap::raw::decompress_len(&stored).map_err(io::Error::other)?;
        if plain > self.missing {
            return Err(invalid("a chunk is longer than its block"));
        }
        self.content =
            snap::raw::Decoder::new().decompress_vec(&stored).map_err(io::Error::other)?;
        self.passed = 0;
        self.missing -= plain;
        Ok(true)
    }

    fn length(&mut self) -> io::Result<usize> {
        let mut bytes = [0; 4];
        self.input.read_exact(&mut bytes)?;
        let length = usize::try_from(u32::from_be_bytes(bytes)).unwrap_or(usize::MAX);
        if length > MAX_BLOCK_BYTES { Err(invalid("a block is too long")) } else { Ok(length) }
    }
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

impl<R: BufRead> Read for HadoopBlocks<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.passed == self.content.len() {
            if !self.next()? {
                return Ok(0);
            }
        }
        let len = (&self.content[self.passed..]).read(buf)?;
        self.passed += len;
        Ok(len)
    }
}
