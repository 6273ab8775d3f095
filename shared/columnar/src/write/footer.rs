//! One footer over row groups that were written apart.

use parquet::{
    errors::ParquetError,
    file::metadata::{
        FileMetaData, ParquetMetaData, ParquetMetaDataReader, ParquetMetaDataWriter,
        RowGroupMetaData,
    },
    schema::types::SchemaDescriptor,
};
use std::sync::Arc;

use super::Writer;
use crate::{MAX_COLUMN_CHUNKS, MAX_FOOTER_BYTES, ParquetFault, caught::caught, footer::MAGIC};

/// Where the row group of one of several footers stands.
#[derive(Clone, Copy, Debug)]
pub struct FooterOf<'a> {
    /// The footer of the row group alone.
    pub footer: &'a [u8],
    /// How long the row group is, in bytes.
    pub bytes: u64,
}

/// Why a file has no footer.
#[derive(Debug, thiserror::Error)]
pub enum FooterError {
    /// It would have more columns in all of its row groups than a file may.
    #[error("the file would have {0} columns in all of its row groups")]
    TooManyChunks(usize),
    /// Its footer would be longer than one may be.
    #[error("the footer of the file would have {0} bytes")]
    TooLong(usize),
    /// What is told of a row group is no footer of these columns.
    #[error("join the footers of row groups")]
    Fault(#[from] ParquetFault),
}

impl From<ParquetError> for FooterError {
    fn from(error: ParquetError) -> Self {
        Self::Fault(error.into())
    }
}

impl Writer {
    /// What a file begins with.
    pub const HEAD: &'static [u8] = MAGIC;

    /// Returns how many row groups a file may have, at most.
    pub fn max_row_groups(&self) -> usize {
        MAX_COLUMN_CHUNKS / self.kinds.len().max(1)
    }

    /// Returns what stands at the end of a file that has [`Self::HEAD`] and then these row groups, in order.
    pub fn footer<'a>(
        &self,
        groups: impl IntoIterator<Item = FooterOf<'a>>,
    ) -> Result<Vec<u8>, FooterError> {
        let (mut at, mut all) = (0_i64, Vec::new());
        for FooterOf { footer, bytes } in groups {
            let chunks = (all.len() + 1) * self.kinds.len();
            if chunks > MAX_COLUMN_CHUNKS {
                return Err(FooterError::TooManyChunks(chunks));
            }
            let read = caught(|| Ok(ParquetMetaDataReader::decode_metadata(footer)?))?;
            for group in read.row_groups() {
                all.push(self.shifted(group, at, all.len())?);
            }
            let too_long = || ParquetFault::damaged("the file is too long");
            let bytes = i64::try_from(bytes).map_err(|_| too_long())?;
            at = at.checked_add(bytes).ok_or_else(too_long)?;
        }
        let rows = all.iter().map(RowGroupMetaData::num_rows).sum();
        let descriptor = Arc::new(SchemaDescriptor::new(Arc::clone(&self.schema)));
        let created_by = Some(self.properties.created_by().to_owned());
        let version = self.properties.writer_version().as_num();
        let file = FileMetaData::new(version, rows, created_by, None, descriptor, None);
        let whole = ParquetMetaData::new(file, all);
        let mut bytes = Vec::new();
        ParquetMetaDataWriter::new(&mut bytes, &whole).finish()?;
        let len = bytes.len().saturating_sub(4 + MAGIC.len());
        if len > MAX_FOOTER_BYTES {
            return Err(FooterError::TooLong(len));
        }
        Ok(bytes)
    }

    /// Returns a row group as it is so many bytes further on in a file, and the next of so many.
    fn shifted(
        &self,
        group: &RowGroupMetaData,
        by: i64,
        number: usize,
    ) -> Result<RowGroupMetaData, FooterError> {
        if group.num_columns() != self.kinds.len() {
            return Err(ParquetFault::damaged("a row group has other columns").into());
        }
        let columns = group.columns().iter().map(|column| {
            column
                .clone()
                .into_builder()
                .set_data_page_offset(column.data_page_offset() + by)
                .set_dictionary_page_offset(column.dictionary_page_offset().map(|at| at + by))
                .build()
        });
        let columns = columns.collect::<Result<_, _>>()?;
        let mut shifted = group.clone().into_builder().set_column_metadata(columns);
        if let Some(offset) = group.file_offset() {
            shifted = shifted.set_file_offset(offset + by);
        }
        Ok(shifted.set_ordinal(i32::try_from(number).unwrap_or(i32::MAX)).build()?)
    }
}
