//! The pages of a column, each checked before the library decodes it.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use parquet::{
    basic::{Compression, Encoding, Type},
    column::page::{Page, PageMetadata, PageReader},
    errors::Result as LibraryResult,
};

use crate::{
    ParquetFault, codec,
    delta::Plain,
    ranges::ChunkBytes,
    thrift::{Flaw, Thrift, kind},
};

/// The largest page in bytes, decompressed.
pub const MAX_PAGE_BYTES: usize = 64 << 20;
/// The most bytes of decompressed pages that the columns of an object hold at the same time.
pub const MAX_HELD_BYTES: usize = 256 << 20;
/// The most values of a dictionary, or of a page of lists.
pub const MAX_PAGE_VALUES: usize = 2 << 20;

/// The longest head of a page in bytes.
const MAX_HEAD_BYTES: usize = 1 << 20;
/// How much is looked at first to find it.
const LIKELY_HEAD_BYTES: usize = 512;

/// What the columns of an object hold, in bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Held(Arc<AtomicUsize>);

impl Held {
    fn add(&self, bytes: usize) -> Result<(), ParquetFault> {
        if self.0.fetch_add(bytes, Ordering::Relaxed) + bytes <= MAX_HELD_BYTES {
            return Ok(());
        }
        let why = format!(
            "its pages are so large that more than {MAX_HELD_BYTES} bytes would be held at a time"
        );
        Err(ParquetFault::unsupported(why))
    }

    fn remove(&self, bytes: usize) {
        self.0.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// What is known of a column.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ColumnShape {
    pub(crate) codec: Compression,
    pub(crate) kind: Type,
    pub(crate) max_def: i16,
    pub(crate) max_rep: i16,
    /// How many values it has in the row group, counting nulls.
    pub(crate) values: u64,
}

/// Reads the pages of a column in a row group.
pub(crate) struct Pages {
    bytes: ChunkBytes,
    shape: ColumnShape,
    /// How many values are still to come.
    left: u64,
    /// The head of the next page, if it was looked at.
    next: Option<Head>,
    held: Held,
    /// What is counted there for the dictionary and for the page at hand.
    counted: [usize; 2],
    /// How many values of lists were handed out since it was last set to zero.
    handed: Arc<AtomicUsize>,
}

/// What stands before a page.
#[derive(Clone, Debug, Default)]
struct Head {
    kind: i64,
    raw_bytes: usize,
    stored_bytes: usize,
    values: usize,
    encoding: i64,
    def_encoding: i64,
    rep_encoding: i64,
    nulls: usize,
    rows: Option<usize>,
    def_bytes: usize,
    rep_bytes: usize,
    is_compressed: bool,
}

const DATA: i64 = 0;
const DICTIONARY: i64 = 2;
const DATA_V2: i64 = 3;

impl Pages {
    pub(crate) fn new(bytes: ChunkBytes, shape: ColumnShape, held: Held) -> Self {
        let (left, handed) = (shape.values, Arc::default());
        Self { bytes, shape, left, next: None, held, counted: [0; 2], handed }
    }

    /// Returns what counts the values of lists that are handed out. Whoever asks for few rows sets it to zero before.
    pub(crate) fn handed(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.handed)
    }

    /// Reads the head of the next page that has values.
    fn head(&mut self) -> Result<Option<&Head>, ParquetFault> {
        while self.next.is_none() && self.left > 0 {
            let mut look = LIKELY_HEAD_BYTES;
            let (head, len) = loop {
                let bytes = self.bytes.peek(look)?;
                match Head::read(bytes) {
                    Ok(read) => break read,
                    Err(Flaw::Short) if bytes.len() >= look && look < MAX_HEAD_BYTES => look *= 8,
                    Err(_) => {
                        return Err(ParquetFault::damaged("the head of a page cannot be read"));
                    }
                }
            };
            self.bytes.take(len)?;
            if [DATA, DICTIONARY, DATA_V2].contains(&head.kind) {
                self.next = Some(head);
            } else {
                // Indices, and what is not known yet, are to be passed over.
                self.bytes.take(head.stored_bytes)?;
            }
        }
        Ok(self.next.as_ref())
    }

    fn page(&mut self) -> Result<Option<Page>, ParquetFault> {
        if self.head()?.is_none() {
            return Ok(None);
        }
        let Some(head) = self.next.take() else { return Ok(None) };
        let is_dictionary = head.kind == DICTIONARY;
        self.check(&head, is_dictionary)?;
        self.held.remove(std::mem::take(&mut self.counted[usize::from(!is_dictionary)]));
        self.count(is_dictionary, head.raw_bytes)?;
        let stored = self.bytes.take(head.stored_bytes)?;
        if head.kind == DATA_V2 {
            return self.second(&head, &stored).map(Some);
        }
        let buf = codec::decompress(self.shape.codec, stored, head.raw_bytes)?;
        let encoding = encoding(head.encoding)?;
        let num_values = u32::try_from(head.values).unwrap_or(u32::MAX);
        if is_dictionary {
            if head.values > buf.len() {
                return Err(ParquetFault::damaged("a dictionary has fewer values than it says"));
            }
            return Ok(Some(Page::DictionaryPage { buf, num_values, encoding, is_sorted: false }));
        }
        let (mut buf, mut encoding) = (buf, encoding);
        let levels = self.level_bytes(&head, &buf)?;
        if let Some(values) = self.written_out(encoding, head.values, &buf[levels..]) {
            buf = [&buf[..levels], &values?].concat().into();
            encoding = Encoding::PLAIN;
            self.count(false, buf.len())?;
        }
        Ok(Some(Page::DataPage {
            buf,
            num_values,
            encoding,
            def_level_encoding: level_encoding(self.shape.max_def, head.def_encoding)?,
            rep_level_encoding: level_encoding(self.shape.max_rep, head.rep_encoding)?,
            statistics: None,
        }))
    }

    /// Reads a page whose levels are not compressed.
    fn second(&mut self, head: &Head, stored: &Bytes) -> Result<Page, ParquetFault> {
        let damaged = || ParquetFault::damaged("a page has fewer levels than it says");
        let levels = head.def_bytes.checked_add(head.rep_bytes).ok_or_else(damaged)?;
        let raw_bytes = head.raw_bytes.checked_sub(levels).ok_or_else(damaged)?;
        if levels > stored.len() {
            return Err(damaged());
        }
        let codec = if head.is_compressed { self.shape.codec } else { Compression::UNCOMPRESSED };
        let mut values = codec::decompress(codec, stored.slice(levels..), raw_bytes)?;
        let mut encoding = encoding(head.encoding)?;
        if let Some(written) = self.written_out(encoding, head.values, &values) {
            values = written?;
            encoding = Encoding::PLAIN;
            self.count(false, values.len())?;
        }
        let small = |size: usize| u32::try_from(size).unwrap_or(u32::MAX);
        Ok(Page::DataPageV2 {
            buf: [&stored[..levels], &values].concat().into(),
            num_values: small(head.values),
            encoding,
            num_nulls: small(head.nulls),
            num_rows: small(head.rows.unwrap_or_default()),
            def_levels_byte_len: small(head.def_bytes),
            rep_levels_byte_len: small(head.rep_bytes),
            is_compressed: false,
            statistics: None,
        })
    }

    /// Refuses a page of which more would be made than memory is set aside for.
    fn check(&mut self, head: &Head, is_dictionary: bool) -> Result<(), ParquetFault> {
        if head.raw_bytes.max(head.stored_bytes) > MAX_PAGE_BYTES {
            let bytes = head.raw_bytes.max(head.stored_bytes);
            let why = format!("a page has {bytes} bytes, more than {MAX_PAGE_BYTES}");
            return Err(ParquetFault::unsupported(why));
        }
        if (is_dictionary || self.shape.max_rep > 0) && head.values > MAX_PAGE_VALUES {
            let why = format!("a page has {} values, more than {MAX_PAGE_VALUES}", head.values);
            return Err(ParquetFault::unsupported(why));
        }
        if is_dictionary {
            return Ok(());
        }
        self.left = self
            .left
            .checked_sub(head.values as u64)
            .ok_or_else(|| ParquetFault::damaged("a column has more values than it says"))?;
        if self.shape.max_rep > 0 {
            let handed = self.handed.fetch_add(head.values, Ordering::Relaxed);
            // The first page is that of rows before.
            if handed > MAX_PAGE_VALUES {
                let why = format!("a few rows have more than {MAX_PAGE_VALUES} elements of lists");
                return Err(ParquetFault::unsupported(why));
            }
        }
        Ok(())
    }

    fn count(&mut self, is_dictionary: bool, bytes: usize) -> Result<(), ParquetFault> {
        self.counted[usize::from(!is_dictionary)] += bytes;
        self.held.add(bytes)
    }

    /// Writes out texts that are stored as differences; none if they are not.
    fn written_out(
        &self,
        encoding: Encoding,
        values: usize,
        bytes: &[u8],
    ) -> Option<Result<Bytes, ParquetFault>> {
        let is_fixed = self.shape.kind == Type::FIXED_LEN_BYTE_ARRAY;
        let plain = Plain { values, most: MAX_PAGE_BYTES, is_fixed };
        match encoding {
            Encoding::DELTA_LENGTH_BYTE_ARRAY => Some(plain.of_lengths(bytes)),
            Encoding::DELTA_BYTE_ARRAY => Some(plain.of_prefixes(bytes)),
            _ => None,
        }
    }

    /// Returns how many bytes of a page of the first version are levels.
    fn level_bytes(&self, head: &Head, page: &[u8]) -> Result<usize, ParquetFault> {
        let mut at = 0_usize;
        for (max, encoding) in
            [(self.shape.max_rep, head.rep_encoding), (self.shape.max_def, head.def_encoding)]
        {
            if max == 0 {
                continue;
            }
            let end = if level_encoding(max, encoding)? == Encoding::RLE {
                let len = page.get(at..).and_then(<[u8]>::first_chunk::<4>);
                let len = len.map(|len| u32::from_le_bytes(*len) as usize);
                len.and_then(|len| at.checked_add(4)?.checked_add(len))
            } else {
                let width = (i16::BITS - max.leading_zeros()) as usize;
                at.checked_add((head.values * width).div_ceil(8))
            };
            at = end
                .filter(|at| *at <= page.len())
                .ok_or_else(|| ParquetFault::damaged("a page has fewer levels than it says"))?;
        }
        Ok(at)
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        self.held.remove(self.counted.iter().sum());
    }
}

impl Head {
    /// Reads a head. Returns its length, too.
    fn read(bytes: &[u8]) -> Result<(Self, usize), Flaw> {
        let mut thrift = Thrift::new(bytes);
        let mut head = Self { kind: -1, is_compressed: true, ..Self::default() };
        thrift.fields(|thrift, number, kind| {
            match (number, kind) {
                (1, _) => head.kind = thrift.integer()?,
                (2, _) => head.raw_bytes = thrift.size()?,
                (3, _) => head.stored_bytes = thrift.size()?,
                (5 | 7 | 8, kind::STRUCT) => head.read_more(thrift, number == 8)?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok((head, thrift.position()))
    }

    fn read_more(&mut self, thrift: &mut Thrift<'_>, is_second: bool) -> Result<(), Flaw> {
        thrift.fields(|thrift, number, kind| {
            match (number, is_second) {
                (1, _) => self.values = thrift.size()?,
                (2, false) | (4, true) => self.encoding = thrift.integer()?,
                // Of a dictionary that is whether it is sorted.
                (3, false) if kind < kind::I8 => return Ok(false),
                (3, false) => self.def_encoding = thrift.integer()?,
                (4, false) => self.rep_encoding = thrift.integer()?,
                (2, true) => self.nulls = thrift.size()?,
                (3, true) => self.rows = Some(thrift.size()?),
                (5, true) => self.def_bytes = thrift.size()?,
                (6, true) => self.rep_bytes = thrift.size()?,
                (7, true) => {
                    self.is_compressed = kind == kind::TRUE;
                    return Ok(false);
                }
                _ => return Ok(false),
            }
            Ok(true)
        })
    }
}

fn encoding(number: i64) -> Result<Encoding, ParquetFault> {
    Ok(match number {
        0 => Encoding::PLAIN,
        2 => Encoding::PLAIN_DICTIONARY,
        3 => Encoding::RLE,
        5 => Encoding::DELTA_BINARY_PACKED,
        6 => Encoding::DELTA_LENGTH_BYTE_ARRAY,
        7 => Encoding::DELTA_BYTE_ARRAY,
        8 => Encoding::RLE_DICTIONARY,
        9 => Encoding::BYTE_STREAM_SPLIT,
        other => {
            let why = format!("its values are in encoding {other}, which is not read");
            return Err(ParquetFault::unsupported(why));
        }
    })
}

#[expect(deprecated, reason = "old writers use it for levels")]
fn level_encoding(max: i16, number: i64) -> Result<Encoding, ParquetFault> {
    match number {
        // There are none.
        _ if max == 0 => Ok(Encoding::RLE),
        3 => Ok(Encoding::RLE),
        4 => Ok(Encoding::BIT_PACKED),
        _ => Err(ParquetFault::damaged("the levels of a page are in no encoding of levels")),
    }
}

impl Iterator for Pages {
    type Item = LibraryResult<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for Pages {
    fn get_next_page(&mut self) -> LibraryResult<Option<Page>> {
        Ok(self.page()?)
    }

    fn peek_next_page(&mut self) -> LibraryResult<Option<PageMetadata>> {
        let metadata = |head: &Head| PageMetadata {
            num_rows: head.rows,
            num_levels: (head.kind != DICTIONARY).then_some(head.values),
            is_dict: head.kind == DICTIONARY,
        };
        Ok(self.head()?.map(metadata))
    }

    fn skip_next_page(&mut self) -> LibraryResult<()> {
        self.page()?;
        Ok(())
    }
}
