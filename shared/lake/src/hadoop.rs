//! Snappy in the blocks of Hadoop.
//!
//! A block is its length as plain text, four bytes with the highest first, and then chunks until it is full: the
//! length of each as stored, in four bytes likewise, and raw Snappy.

use std::io::{self, BufRead, Read};

/// The longest chunk that is read, in bytes, as stored and as plain text: both are held at once. Hadoop writes
/// chunks of 256 KiB; a block may be longer than that, since a row that was written at once is one block.
const MAX_CHUNK_BYTES: usize = 8 << 20;

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
        check_chunk(len)?;
        self.input.by_ref().take(len as u64).read_to_end(&mut stored)?;
        if stored.len() < len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let plain = snap::raw::decompress_len(&stored).map_err(io::Error::other)?;
        if plain > self.missing {
            return Err(invalid("a chunk is longer than its block"));
        }
        check_chunk(plain)?;
        self.content =
            snap::raw::Decoder::new().decompress_vec(&stored).map_err(io::Error::other)?;
        self.passed = 0;
        self.missing -= plain;
        Ok(true)
    }

    fn length(&mut self) -> io::Result<usize> {
        let mut bytes = [0; 4];
        self.input.read_exact(&mut bytes)?;
        usize::try_from(u32::from_be_bytes(bytes)).map_err(io::Error::other)
    }
}

fn check_chunk(len: usize) -> io::Result<()> {
    if len > MAX_CHUNK_BYTES { Err(invalid("a chunk is too long")) } else { Ok(()) }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A block of chunks, each of so many zeros.
    fn block(chunks: &[usize]) -> Vec<u8> {
        let length = |len: usize| u32::try_from(len).unwrap().to_be_bytes();
        let mut block = length(chunks.iter().sum()).to_vec();
        for len in chunks {
            let stored = snap::raw::Encoder::new().compress_vec(&vec![0; *len]).unwrap();
            block.extend(length(stored.len()));
            block.extend(stored);
        }
        block
    }

    fn read(mut stored: &[u8]) -> io::Result<usize> {
        let mut content = Vec::new();
        HadoopBlocks::new(&mut stored).read_to_end(&mut content)
    }

    #[test]
    fn a_block_longer_than_any_chunk_is_read() {
        let chunks = [MAX_CHUNK_BYTES, MAX_CHUNK_BYTES, 5];
        assert_eq!(read(&block(&chunks)).unwrap(), chunks.iter().sum::<usize>());
    }

    #[test]
    fn a_chunk_of_too_much_plain_text_is_refused_before_it_is_decoded() {
        let error = read(&block(&[MAX_CHUNK_BYTES + 1])).unwrap_err();
        assert_eq!(error.to_string(), "a chunk is too long");
    }

    #[test]
    fn a_chunk_stored_in_too_many_bytes_is_refused_before_it_is_read() {
        let length = u32::try_from(MAX_CHUNK_BYTES + 1).unwrap().to_be_bytes();
        let error = read(&[length, length].concat()).unwrap_err();
        assert_eq!(error.to_string(), "a chunk is too long");
    }
}
