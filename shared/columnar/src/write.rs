//! Rows become row groups, each apart from all others.
//!
//! No page knows where in a file it stands, since neither page indexes nor bloom filters are written: only the footer
//! does. So row groups may be written by anybody, in any order, and [`Writer::footer`] joins them. The same rows give
//! the same bytes.

mod footer;
mod values;

use std::sync::Arc;

use bytes::Bytes;
use parquet::{
    basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel},
    column::writer::ColumnWriter,
    data_type::ByteArray,
    file::{
        properties::{EnabledStatistics, WriterProperties},
        writer::SerializedFileWriter,
    },
    schema::types::Type,
};

pub use footer::{FooterError, FooterOf};
use values::Values;
pub use values::{ColumnValues, Value};

use crate::{ParquetFault, caught::caught, footer::MAGIC};

/// The level of Zstandard, which is its own default.
const ZSTD_LEVEL: i32 = 3;
/// The most that a statistic has of a text, in bytes. Footers are made of them.
const MAX_STATISTIC_BYTES: usize = 32;
/// How many values are encoded at a time, at most. Only after each time it is seen whether a page is full.
const BATCH_VALUES: usize = 1024;
/// How many bytes of texts are encoded at a time, but for a single value.
const BATCH_BYTES: usize = 1 << 20;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    /// Text in UTF-8.
    Text,
    /// The text of JSON.
    Json,
    /// Whole numbers of 64 bits.
    Integer,
    /// Floating-point numbers of 64 bits.
    Number,
    /// Truth values.
    Boolean,
    /// Microseconds since 1970, UTC.
    Time,
}

/// Writes rows of the same columns.
#[derive(Debug)]
pub struct Writer {
    schema: Arc<Type>,
    kinds: Vec<ColumnKind>,
    properties: Arc<WriterProperties>,
}

/// A row group, without what stands around it in a file.
#[derive(Debug)]
pub struct RowGroup {
    /// Its pages.
    pub bytes: Vec<u8>,
    /// The footer of a file that had this row group right at its beginning, and nothing else.
    pub footer: Vec<u8>,
}

impl Writer {
    /// Returns what writes rows of these columns. Each may be null.
    pub fn new<'a>(
        columns: impl IntoIterator<Item = (&'a str, ColumnKind)>,
    ) -> Result<Self, ParquetFault> {
        let (mut fields, mut kinds) = (Vec::new(), Vec::new());
        for (name, kind) in columns {
            let (physical, logical) = match kind {
                ColumnKind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
                ColumnKind::Json => (Physical::BYTE_ARRAY, Some(LogicalType::Json)),
                ColumnKind::Integer => (Physical::INT64, None),
                ColumnKind::Number => (Physical::DOUBLE, None),
                ColumnKind::Boolean => (Physical::BOOLEAN, None),
                ColumnKind::Time => {
                    (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MICROS)))
                }
            };
            let field = Type::primitive_type_builder(name, physical)
                .with_repetition(Repetition::OPTIONAL)
                .with_logical_type(logical);
            fields.push(Arc::new(field.build()?));
            kinds.push(kind);
        }
        let schema = Type::group_type_builder("rows").with_fields(fields).build()?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_statistics_truncate_length(Some(MAX_STATISTIC_BYTES))
            .set_offset_index_disabled(true)
            .set_bloom_filter_enabled(false)
            .set_write_batch_size(BATCH_VALUES)
            .build();
        Ok(Self { schema: Arc::new(schema), kinds, properties: Arc::new(properties) })
    }

    /// Returns columns without values, to be filled.
    pub fn columns(&self) -> Vec<ColumnValues> {
        self.kinds.iter().map(|kind| ColumnValues::new(*kind)).collect()
    }

    /// Writes the rows that these columns have.
    pub fn row_group(&self, columns: Vec<ColumnValues>) -> Result<RowGroup, ParquetFault> {
        let rows = columns.first().map_or(0, ColumnValues::len);
        if columns.len() != self.kinds.len() || columns.iter().any(|column| column.len() != rows) {
            return Err(ParquetFault::damaged("the columns of a row group differ in length"));
        }
        caught(|| self.encode(columns))
    }

    fn encode(&self, columns: Vec<ColumnValues>) -> Result<RowGroup, ParquetFault> {
        let (schema, properties) = (Arc::clone(&self.schema), Arc::clone(&self.properties));
        let mut file = SerializedFileWriter::new(Vec::new(), schema, properties)?;
        let mut group = file.next_row_group()?;
        for values in columns {
            let Some(mut column) = group.next_column()? else { break };
            write_column(column.untyped(), values)?;
            column.close()?;
        }
        group.close()?;
        file.flush().map_err(ParquetFault::Unreadable)?;
        let mut bytes = std::mem::take(file.inner_mut());
        file.finish()?;
        let mut footer = std::mem::take(file.inner_mut());
        bytes.drain(..MAGIC.len().min(bytes.len()));
        // Its length and the mark stand behind it.
        footer.truncate(footer.len().saturating_sub(4 + MAGIC.len()));
        Ok(RowGroup { bytes, footer })
    }
}

fn write_column(column: &mut ColumnWriter<'_>, values: ColumnValues) -> Result<(), ParquetFault> {
    let ColumnValues { levels, values } = values;
    match (column, values) {
        (ColumnWriter::ByteArrayColumnWriter(column), Values::Texts { bytes, ends }) => {
            let bytes = Bytes::from(bytes);
            let text = |index: usize| {
                let begin = index.checked_sub(1).map_or(0, |before| ends[before]);
                ByteArray::from(bytes.slice(begin..ends[index]))
            };
            let size = |index: usize| text(index).len();
            for (levels, here) in batches(&levels, size) {
                let texts: Vec<ByteArray> = here.map(text).collect();
                column.write_batch(&texts, Some(levels), None)?;
            }
        }
        (ColumnWriter::Int64ColumnWriter(column), Values::Integers(values)) => {
            for (levels, here) in batches(&levels, |_| 0) {
                column.write_batch(&values[here], Some(levels), None)?;
            }
        }
        (ColumnWriter::DoubleColumnWriter(column), Values::Numbers(values)) => {
            for (levels, here) in batches(&levels, |_| 0) {
                column.write_batch(&values[here], Some(levels), None)?;
            }
        }
        (ColumnWriter::BoolColumnWriter(column), Values::Booleans(values)) => {
            for (levels, here) in batches(&levels, |_| 0) {
                column.write_batch(&values[here], Some(levels), None)?;
            }
        }
        _ => return Err(ParquetFault::damaged("a column has values of another type")),
    }
    Ok(())
}

/// Cuts a column into what is encoded at a time: the levels, and the range of the values that are not null.
fn batches(
    levels: &[i16],
    size: impl Fn(usize) -> usize,
) -> impl Iterator<Item = (&[i16], std::ops::Range<usize>)> {
    let (mut at, mut value) = (0, 0);
    std::iter::from_fn(move || {
        let (begin, first, mut bytes) = (at, value, 0);
        while at < levels.len() && at - begin < BATCH_VALUES && bytes < BATCH_BYTES {
            if levels[at] > 0 {
                bytes += size(value);
                value += 1;
            }
            at += 1;
        }
        (at > begin).then(|| (&levels[begin..at], first..value))
    })
}
