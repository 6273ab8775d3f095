//! Ranges of a file, read in as few requests as memory allows.

use std::{io, ops::Range, sync::Arc};

use bytes::Bytes;

use crate::{ParquetFault, footer::read};

/// An object of which ranges can be read.
pub trait Ranges: Send + Sync {
    /// Its size in bytes.
    fn size(&self) -> u64;

    /// Reads `len` bytes from `offset`, which lie within it.
    fn read(&self, offset: u64, len: u64) -> io::Result<Bytes>;
}

impl Ranges for Bytes {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn read(&self, offset: u64, len: u64) -> io::Result<Bytes> {
        let end = offset.checked_add(len).and_then(|end| usize::try_from(end).ok());
        match (usize::try_from(offset), end) {
            (Ok(begin), Some(end)) if end <= self.len() => Ok(self.slice(begin..end)),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// An object up to this size, in bytes, is read by one request.
const SMALL_BYTES: u64 = 4 << 20;
/// What may be held of a row group as it is stored, in bytes, over all columns.
const WINDOW_BYTES: u64 = 32 << 20;
/// What is read of a column at a time, at least, in bytes.
const MIN_WINDOW_BYTES: u64 = 64 << 10;
/// Columns with no more than this between them, in bytes, are read together.
const MAX_GAP_BYTES: u64 = 256 << 10;

/// Reads a small object whole.
pub(crate) fn held(file: Arc<dyn Ranges>) -> Result<Arc<dyn Ranges>, ParquetFault> {
    if file.size() > SMALL_BYTES {
        return Ok(file);
    }
    Ok(Arc::new(read(&*file, 0, file.size())?))
}

/// A column of a row group, of which a part is held.
pub(crate) struct ChunkBytes {
    file: Arc<dyn Ranges>,
    /// Where the rest of it is.
    rest: Range<u64>,
    /// What is held from the beginning of the rest.
    held: Bytes,
    /// How much is read at a time.
    window: u64,
}

impl ChunkBytes {
    /// Returns the next bytes, `len` or more of them unless the column ends.
    pub(crate) fn peek(&mut self, len: usize) -> Result<&Bytes, ParquetFault> {
        let left = self.rest.end - self.rest.start;
        if (self.held.len() as u64) < left.min(len as u64) {
            let len = left.min(self.window.max(len as u64));
            self.held = read(&*self.file, self.rest.start, len)?;
        }
        Ok(&self.held)
    }

    /// Takes bytes that have to be there.
    pub(crate) fn take(&mut self, len: usize) -> Result<Bytes, ParquetFault> {
        if self.peek(len)?.len() < len {
            return Err(ParquetFault::damaged("a page is longer than its column"));
        }
        let taken = self.held.split_to(len);
        self.rest.start += len as u64;
        Ok(taken)
    }
}

/// Opens columns of a row group at these places.
pub(crate) fn open_chunks(
    file: &Arc<dyn Ranges>,
    chunks: &[Range<u64>],
) -> Result<Vec<ChunkBytes>, ParquetFault> {
    let total: u64 = chunks.iter().map(|chunk| chunk.end - chunk.start).sum();
    let mut order: Vec<usize> = (0..chunks.len()).collect();
    order.sort_by_key(|index| chunks[*index].start);
    let mut held = vec![Bytes::new(); chunks.len()];
    if total <= WINDOW_BYTES {
        let (mut begin, gap) = (0, MAX_GAP_BYTES.min(WINDOW_BYTES / chunks.len().max(1) as u64));
        while begin < order.len() {
            let start = chunks[order[begin]].start;
            let mut stop = chunks[order[begin]].end;
            let mut end = begin + 1;
            while let Some(next) =
                order.get(end).filter(|index| chunks[**index].start <= stop + gap)
            {
                stop = stop.max(chunks[*next].end);
                end += 1;
            }
            let bytes = read(&**file, start, stop - start)?;
            for index in &order[begin..end] {
                let at = |place: u64| usize::try_from(place - start).unwrap_or(usize::MAX);
                held[*index] = bytes.slice(at(chunks[*index].start)..at(chunks[*index].end));
            }
            begin = end;
        }
    }
    let window = (WINDOW_BYTES / chunks.len().max(1) as u64).max(MIN_WINDOW_BYTES);
    let opened = chunks.iter().zip(held).map(|(chunk, held)| ChunkBytes {
        file: Arc::clone(file),
        rest: chunk.clone(),
        held,
        window,
    });
    Ok(opened.collect())
}
