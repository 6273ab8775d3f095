//! The rows of a file as lines of JSON.

use std::{
    collections::BTreeSet,
    io::{self, Read},
    ops::Range,
    sync::Arc,
};

use parquet::{
    basic::{LogicalType, TimeUnit},
    column::reader::get_column_reader,
    file::{metadata::ParquetMetaData, statistics::Statistics},
};

use crate::{
    ParquetFault, Ranges,
    caught::caught,
    footer::read_footer,
    leaf::Leaf,
    pages::{ColumnShape, Held, Pages},
    ranges::{held, open_chunks},
    schema::{Columns, Node, Shape},
    style::Style,
};

/// The most rows of an object.
pub const MAX_ROWS: u64 = 1 << 32;
/// The most columns that are read of an object.
pub const MAX_READ_COLUMNS: usize = 2000;

/// The most values that all columns of a few rows have, with lists.
pub const MAX_BATCH_VALUES: usize = 4 << 20;

/// About how many values of all columns are read at a time.
const BATCH_VALUES: usize = 64 << 10;
/// The most rows that are read at a time: of those with lists, only few, since a list may have any length.
const BATCH_ROWS: usize = 1024;
const BATCH_ROWS_OF_LISTS: usize = 32;
/// How much text is held before it is handed on, in bytes.
const TEXT_BYTES: usize = 256 << 10;
/// What is written of a row at most, in bytes. It is more than a row may have, so the reader of rows says that.
pub(crate) const MAX_ROW_BYTES: usize = (16 << 20) + 1;

/// What is read of a file.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The fields of rows; none means all.
    pub fields: Option<BTreeSet<String>>,
    /// Which row groups need not be read.
    pub times: Option<WantedTimes>,
}

/// A row group is passed over if the statistics say that each of its rows has a time, and that all times are among
/// those that are expected but not wanted. In its place there are empty lines.
#[derive(Clone, Debug)]
pub struct WantedTimes {
    /// The names that lead to the time of a row.
    pub path: Vec<String>,
    /// How many nanoseconds since 1970 an integer stands for that is no timestamp.
    pub unit: Option<i128>,
    /// The times that are wanted, in nanoseconds since 1970.
    pub wanted: Range<i128>,
    /// The times that rows of the object should have, likewise. What has others is read, so that it can be told.
    pub expected: Range<i128>,
}

/// The rows of a file as lines of JSON, an object each, in their order.
pub struct Rows {
    file: Arc<dyn Ranges>,
    metadata: ParquetMetaData,
    columns: Columns,
    wanted: Wanted,
    /// The row group that comes next.
    next_group: usize,
    /// The columns of the one at hand, how many of its rows are still to be read, and how many were read but not written.
    leaves: Vec<Leaf>,
    left: u64,
    read: usize,
    held: Held,
    /// Lines, up to `at` of which were handed on.
    text: Vec<u8>,
    at: usize,
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows").field("next_group", &self.next_group).finish_non_exhaustive()
    }
}

impl Rows {
    /// Reads the footer of a file, and prepares to read its rows.
    pub fn open(file: Arc<dyn Ranges>, wanted: Wanted) -> Result<Self, ParquetFault> {
        let file = held(file)?;
        let metadata = read_footer(&*file)?;
        let columns = Columns::of(metadata.file_metadata().schema(), wanted.fields.as_ref());
        let count = columns.numbers.len();
        if count > MAX_READ_COLUMNS {
            let why = format!("{count} of its columns are read, more than {MAX_READ_COLUMNS}");
            return Err(ParquetFault::unsupported(why));
        }
        let mut rows = 0_u64;
        for group in metadata.row_groups() {
            let here = u64::try_from(group.num_rows()).unwrap_or(u64::MAX);
            rows = rows.saturating_add(here);
        }
        if rows > MAX_ROWS {
            let why = format!("it says that it has {rows} rows, more than {MAX_ROWS}");
            return Err(ParquetFault::unsupported(why));
        }
        Ok(Self {
            file,
            metadata,
            columns,
            wanted,
            next_group: 0,
            leaves: Vec::new(),
            left: 0,
            read: 0,
            held: Held::default(),
            text: Vec::new(),
            at: 0,
        })
    }

    /// Appends lines. Returns false at the end.
    fn write_more(&mut self) -> Result<bool, ParquetFault> {
        self.text.clear();
        self.at = 0;
        while self.text.is_empty() {
            if self.read > 0 {
                self.write_rows()?;
                continue;
            }
            if self.left == 0 && !self.open_group()? {
                return Ok(false);
            }
            if self.leaves.is_empty() {
                // Of rows that have none of the fields, or that are passed over, only the lines are left.
                let rows = self.left.min(BATCH_ROWS as u64);
                let line: &[u8] = if self.columns.numbers.is_empty() { b"{}\n" } else { b"\n" };
                (0..rows).for_each(|_| self.text.extend(line));
                self.left -= rows;
                continue;
            }
            self.read_batch()?;
        }
        Ok(true)
    }

    /// Begins the next row group that has rows. Returns false if there is none.
    fn open_group(&mut self) -> Result<bool, ParquetFault> {
        self.leaves.clear();
        let groups = self.metadata.row_groups();
        while let Some(group) = groups.get(self.next_group) {
            self.next_group += 1;
            self.left = u64::try_from(group.num_rows()).unwrap_or_default();
            if self.left == 0 {
                continue;
            }
            if !self.is_skipped(self.next_group - 1) {
                self.leaves = self.open_columns(self.next_group - 1)?;
            }
            return Ok(true);
        }
        Ok(false)
    }

    fn open_columns(&self, group: usize) -> Result<Vec<Leaf>, ParquetFault> {
        let group = self.metadata.row_group(group);
        let missing = || ParquetFault::damaged("a row group lacks a column");
        let mut columns = Vec::new();
        let mut places = Vec::new();
        for number in &self.columns.numbers {
            let column = group.columns().get(*number).ok_or_else(missing)?;
            if column.file_path().is_some() {
                return Err(ParquetFault::unsupported("its columns are in other files"));
            }
            let begin = column.dictionary_page_offset().filter(|at| *at > 0);
            let begin =
                begin.map_or(column.data_page_offset(), |at| at.min(column.data_page_offset()));
            let begin = u64::try_from(begin).ok();
            let len = u64::try_from(column.compressed_size()).ok();
            let place =
                begin.zip(len).and_then(|(begin, len)| Some(begin..begin.checked_add(len)?));
            let place = place.filter(|place| place.end <= self.file.size());
            let outside = || ParquetFault::damaged("a column lies outside of the file");
            places.push(place.ok_or_else(outside)?);
            columns.push(column);
        }
        let chunks = open_chunks(&self.file, &places)?;
        let opened = columns.into_iter().zip(chunks).map(|(column, bytes)| {
            let descriptor = column.column_descr_ptr();
            let shape = ColumnShape {
                codec: column.compression(),
                kind: column.column_type(),
                max_def: descriptor.max_def_level(),
                max_rep: descriptor.max_rep_level(),
                values: u64::try_from(column.num_values()).unwrap_or_default(),
            };
            let style = Style::of(&descriptor)?;
            let pages = Pages::new(bytes, shape, self.held.clone());
            let handed = pages.handed();
            let reader = get_column_reader(descriptor, Box::new(pages));
            Ok(Leaf::new(reader, style, (shape.max_def, shape.max_rep), handed))
        });
        opened.collect()
    }

    /// Whether no row of a group is wanted, as far as its statistics tell, and none is where it should not be.
    fn is_skipped(&self, group: usize) -> bool {
        let skipped = || {
            let times = self.wanted.times.as_ref()?;
            let group = self.metadata.row_group(group);
            let is_time = |column: &&parquet::file::metadata::ColumnChunkMetaData| {
                column.column_path().parts() == &times.path[..]
            };
            let column = group.columns().iter().find(is_time)?;
            let descriptor = column.column_descr();
            let unit = match descriptor.logical_type_ref() {
                Some(LogicalType::Timestamp(time)) => match time.unit {
                    TimeUnit::MILLIS => 1_000_000,
                    TimeUnit::MICROS => 1000,
                    TimeUnit::NANOS => 1,
                },
                None | Some(LogicalType::Integer(_)) => times.unit?,
                Some(_) => return None,
            };
            let Statistics::Int64(statistics) = column.statistics()? else { return None };
            if descriptor.max_rep_level() > 0 || statistics.null_count_opt() != Some(0) {
                return None;
            }
            let first = i128::from(*statistics.min_opt()?) * unit;
            let last = i128::from(*statistics.max_opt()?) * unit;
            let expected = times.expected.contains(&first) && times.expected.contains(&last);
            Some(expected && (last < times.wanted.start || times.wanted.end <= first))
        };
        skipped().unwrap_or(false)
    }

    /// Reads a few rows of each column.
    fn read_batch(&mut self) -> Result<(), ParquetFault> {
        let has_lists = self.columns.fields.iter().any(Node::has_lists);
        let most = if has_lists { BATCH_ROWS_OF_LISTS } else { BATCH_ROWS };
        let most = most.min(BATCH_VALUES / self.leaves.len()).max(1);
        let rows = usize::try_from(self.left).unwrap_or(usize::MAX).min(most);
        let mut levels = 0;
        for leaf in &mut self.leaves {
            levels += leaf.fill(rows)?;
            if levels > MAX_BATCH_VALUES {
                let why =
                    format!("the lists of {rows} rows have more than {MAX_BATCH_VALUES} elements");
                return Err(ParquetFault::unsupported(why));
            }
        }
        self.left -= rows as u64;
        self.read = rows;
        Ok(())
    }

    /// Writes rows that were read, until there is enough text.
    fn write_rows(&mut self) -> Result<(), ParquetFault> {
        while self.read > 0 && self.text.len() < TEXT_BYTES {
            let begin = self.text.len();
            let mut row = RowWriter { leaves: &mut self.leaves, begin, out: &mut self.text };
            row.fields(&self.columns.fields)?;
            self.text.push(b'\n');
            self.read -= 1;
            // What a list of another column has too much would be read as the next row.
            if self.leaves.iter().any(|leaf| leaf.rep() != 0) {
                return Err(ParquetFault::damaged("lists of a row contradict each other"));
            }
        }
        Ok(())
    }
}

impl Read for Rows {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.at == self.text.len() && !caught(|| self.write_more())? {
            return Ok(0);
        }
        let len = buf.len().min(self.text.len() - self.at);
        buf[..len].copy_from_slice(&self.text[self.at..self.at + len]);
        self.at += len;
        if self.at == self.text.len() && self.text.capacity() > 2 * TEXT_BYTES {
            (self.text, self.at) = (Vec::new(), 0);
        }
        Ok(len)
    }
}

/// Writes a row.
struct RowWriter<'a> {
    leaves: &'a mut [Leaf],
    /// Where the row begins.
    begin: usize,
    out: &'a mut Vec<u8>,
}

impl RowWriter<'_> {
    fn fields(&mut self, fields: &[Node]) -> Result<(), ParquetFault> {
        self.out.push(b'{');
        for (index, field) in fields.iter().enumerate() {
            if !self.is_too_long() {
                self.out.extend(if index > 0 { &b","[..] } else { b"" });
                self.out.extend(field.key.as_bytes());
            }
            self.node(field)?;
        }
        self.out.push(b'}');
        Ok(())
    }

    /// Whether so much was written that the row is bad, and no more of it is needed.
    fn is_too_long(&self) -> bool {
        self.out.len() - self.begin > MAX_ROW_BYTES
    }

    /// Passes over a node that has nothing, and writes what that means.
    fn nothing(&mut self, node: &Node, text: &[u8]) -> Result<(), ParquetFault> {
        for leaf in &mut self.leaves[node.leaves.clone()] {
            leaf.advance()?;
        }
        if !self.is_too_long() {
            self.out.extend(text);
        }
        Ok(())
    }

    fn first(&self, node: &Node) -> Option<&Leaf> {
        self.leaves.get(node.leaves.clone())?.first()
    }

    fn node(&mut self, node: &Node) -> Result<(), ParquetFault> {
        let Some(first) = self.first(node) else {
            self.out.extend(b"{}");
            return Ok(());
        };
        let found = first.def()?;
        if found < node.def {
            return self.nothing(node, b"null");
        }
        match &node.shape {
            Shape::Leaf => self.value(node.leaves.start, false),
            Shape::Group(fields) => self.fields(fields),
            Shape::List { def, .. } if found < *def => self.nothing(node, b"[]"),
            Shape::List { element, rep, .. } => {
                self.repeated(node, *rep, *b"[]", |row| row.node(element))
            }
            Shape::Map { def, .. } if found < *def => self.nothing(node, b"{}"),
            Shape::Map { entry, rep, .. } => self.repeated(node, *rep, *b"{}", |row| {
                let (key, value) = &**entry;
                row.value(key.leaves.start, true)?;
                row.out.push(b':');
                row.node(value)
            }),
        }
    }

    /// Writes what repeats, within brackets.
    fn repeated(
        &mut self,
        node: &Node,
        rep: i16,
        brackets: [u8; 2],
        mut each: impl FnMut(&mut Self) -> Result<(), ParquetFault>,
    ) -> Result<(), ParquetFault> {
        self.out.push(brackets[0]);
        loop {
            each(self)?;
            let next = self.first(node).map_or(0, Leaf::rep);
            if next != rep {
                break;
            }
            if !self.is_too_long() {
                self.out.push(b',');
            }
        }
        self.out.push(brackets[1]);
        Ok(())
    }

    /// Writes a value, as a text if it is a key.
    fn value(&mut self, leaf: usize, is_key: bool) -> Result<(), ParquetFault> {
        let too_long = self.is_too_long();
        let contradiction = || ParquetFault::damaged("a column has fewer values than it says");
        let leaf = self.leaves.get_mut(leaf).ok_or_else(contradiction)?;
        let place = leaf.advance()?;
        if too_long {
            return Ok(());
        }
        let begin = self.out.len();
        match place {
            Some(index) => {
                leaf.style.push(leaf.values(), index, self.out).ok_or_else(contradiction)?;
            }
            None => self.out.extend(b"null"),
        }
        if is_key && self.out.get(begin) != Some(&b'"') {
            self.out.insert(begin, b'"');
            self.out.push(b'"');
        }
        Ok(())
    }
}
