//! Rows become row groups of Parquet, and row groups of any number of builders one file.

use std::{io, sync::Arc};

use anyhow::Context as _;
use archive::{Extent, Segment};
use cloud::Stored;
use columnar::{ColumnKind, FooterError, FooterOf, ParquetFault, Value, Writer};
use export::{ColumnType, Files};
use lake::{Cell, EncodedGroup, Encoding, GroupEncoder, Rows, Selection};

use crate::extents::push_extent;

/// The most bytes of cells in a row group, but for the record that fills it. A builder holds a row group several
/// times over for each of its processors.
const MAX_GROUP_BYTES: usize = 16 << 20;
/// The most rows of a row group, but for those of the record that fills it.
const MAX_GROUP_ROWS: u64 = 1 << 20;
/// A plain file has room for so many row groups, as none of them is split between files.
const GROUPS_A_FILE: u64 = 4;

/// A file would have more row groups than one may, or than can be told of.
#[derive(Debug, thiserror::Error)]
#[error("the file has too many row groups")]
pub(crate) struct TooManyRowGroups;

/// Writes row groups of the rows of one table.
#[derive(Debug)]
struct Groups(Writer);

/// Returns how the rows of a table are encoded.
pub(crate) fn encoding(selection: &Selection, files: &Files) -> anyhow::Result<Encoding> {
    let (bytes, rows) = match files {
        Files::Parts(parts) => (parts.max_bytes / GROUPS_A_FILE, parts.max_rows),
        Files::Tables | Files::Single(_) | Files::Hourly(_) | Files::Counts => (u64::MAX, None),
    };
    let rows = rows.map_or(u64::MAX, |rows| (rows / GROUPS_A_FILE).max(1));
    let encoder = Arc::new(Groups(writer(selection)?));
    let bytes = usize::try_from(bytes.max(1)).unwrap_or(usize::MAX).min(MAX_GROUP_BYTES);
    Ok(Encoding::Groups { bytes, rows: rows.min(MAX_GROUP_ROWS), encoder })
}

/// Returns what writes the rows of a table.
pub(crate) fn writer(selection: &Selection) -> anyhow::Result<Writer> {
    let kind = |kind| match kind {
        ColumnType::String => ColumnKind::Text,
        ColumnType::Integer => ColumnKind::Integer,
        ColumnType::Number => ColumnKind::Number,
        ColumnType::Boolean => ColumnKind::Boolean,
        ColumnType::Time => ColumnKind::Time,
        ColumnType::Json => ColumnKind::Json,
    };
    let columns = selection.typed_columns().map(|(name, typed)| (name, kind(typed)));
    Writer::new(columns).context("describe the columns of a file")
}

impl GroupEncoder for Groups {
    fn encode(&self, rows: Rows) -> io::Result<EncodedGroup> {
        let mut columns = self.0.columns();
        let mut next = 0;
        for cell in rows.cells() {
            let value = match cell {
                Cell::Null => Value::Null,
                Cell::Text(text) => Value::Text(text),
                Cell::Integer(value) => Value::Integer(value),
                Cell::Number(value) => Value::Number(value),
                Cell::Boolean(value) => Value::Boolean(value),
            };
            let missing = || io::Error::other("rows have cells, and their table no columns");
            columns.get_mut(next).ok_or_else(missing)?.push(value)?;
            next = (next + 1) % columns.len();
        }
        // They are in the columns now, and would be held twice.
        drop(rows);
        let group = self.0.row_group(columns)?;
        Ok(EncodedGroup { bytes: group.bytes, footer: group.footer })
    }
}

/// A file that is being put together of row groups.
#[derive(Debug)]
pub(crate) struct Joined<'a> {
    writer: &'a Writer,
    groups: Vec<(&'a [u8], u64)>,
    segment: Segment,
    extents: Vec<Extent<Stored>>,
    /// How long the footer is, at most.
    footer_bytes: u64,
}

impl<'a> Joined<'a> {
    /// Returns a file without rows.
    pub(crate) fn new(writer: &'a Writer) -> Self {
        let head = Writer::HEAD.to_vec();
        let segment = Segment::plain(&head, 0);
        let extents = vec![Extent::Bytes(head)];
        // What stands in the footer of any file: the schema, and who wrote it.
        let footer_bytes = writer.footer([]).map_or(0, |footer| footer.len() as u64);
        Self { writer, groups: Vec::new(), segment, extents, footer_bytes }
    }

    /// Returns how many rows it has.
    pub(crate) fn rows(&self) -> u64 {
        self.segment.rows
    }

    /// Returns how many bytes it would have with one more row group, at most.
    pub(crate) fn bytes_with(&self, group: Segment, footer: &[u8]) -> u64 {
        self.segment.stored_bytes + group.stored_bytes + self.footer_bytes + footer.len() as u64
    }

    /// Tells whether it may have one more row group.
    pub(crate) fn has_room(&self) -> bool {
        self.groups.len() < self.writer.max_row_groups()
    }

    /// Adds a row group that lies in these extents.
    pub(crate) fn push(&mut self, group: Segment, footer: &'a [u8], extents: Vec<Extent<Stored>>) {
        self.segment = self.segment.join(group);
        self.groups.push((footer, group.stored_bytes));
        self.footer_bytes += footer.len() as u64;
        for extent in extents {
            push_extent(&mut self.extents, extent);
        }
    }

    /// Returns the whole file: what is known of it, and where it lies.
    pub(crate) fn finish(self) -> anyhow::Result<(Segment, Vec<Extent<Stored>>)> {
        let groups = self.groups.iter().map(|(footer, bytes)| FooterOf { footer, bytes: *bytes });
        let footer = self.writer.footer(groups).map_err(|error| match error {
            FooterError::TooManyChunks(_) | FooterError::TooLong(_) => TooManyRowGroups.into(),
            FooterError::Fault(fault) => fault_of(fault),
        })?;
        let segment = self.segment.join(Segment::plain(&footer, 0));
        let mut extents = self.extents;
        extents.push(Extent::Bytes(footer));
        Ok((segment, extents))
    }
}

fn fault_of(fault: ParquetFault) -> anyhow::Error {
    anyhow::Error::from(fault).context("write the footer of a file")
}

#[cfg(test)]
mod tests;
