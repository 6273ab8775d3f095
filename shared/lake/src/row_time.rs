//! The time of a record.

use export::{Catalog, FieldPath, Filing, Grain, Table, TimeFormat, parse_time};
use jiff::Timestamp;

use crate::{
    field_ref::{FieldRef, field_ref},
    text::text_of,
};

/// How the time of a record is read, and in which partitions it may be filed.
#[derive(Debug)]
pub(crate) struct RowTime {
    field: FieldRef,
    path: FieldPath,
    format: TimeFormat,
    pub(crate) filing: Filing,
}

impl RowTime {
    /// Binds the time of a table's records.
    pub(crate) fn of(catalog: &Catalog, table: &Table, names: &mut Vec<String>) -> RowTime {
        let dataset = catalog.dataset_of(table);
        let (path, format) = (dataset.time.clone(), dataset.time_format);
        RowTime { field: field_ref(names, &path), path, format, filing: dataset.filing() }
    }

    /// Returns why a record of this time is in the wrong partition, if it is: no export of its time reads that
    /// partition.
    pub(crate) fn misfiled(&self, time: Timestamp, partition: Option<Timestamp>) -> Option<String> {
        let partition = partition?;
        if self.filing.times(partition).contains(&time) {
            return None;
        }
        let calendar = &self.filing.calendar;
        let format = match calendar.grain() {
            Grain::Hour => "%Y-%m-%dT%H",
            Grain::Day => "%Y-%m-%d",
            Grain::Month => "%Y-%m",
        };
        let folder = partition.to_zoned(calendar.zone().clone()).strftime(format);
        Some(format!("it is misfiled: its time is {time}, and its folder is that of {folder}"))
    }

    /// Returns where the time of a record is.
    pub(crate) fn path(&self) -> &FieldPath {
        &self.path
    }

    /// Returns how it is written.
    pub(crate) fn format(&self) -> TimeFormat {
        self.format
    }

    /// Reads the time of a record. Returns as an error why it cannot be read.
    pub(crate) fn read(&self, found: &[Option<&str>]) -> Result<Timestamp, String> {
        let Some(value) = self.field.find(found) else {
            return Err(format!("it has no time: {} is missing", self.path));
        };
        parse_time(&text_of(value).text, self.format)
            .ok_or_else(|| format!("its time, {}, cannot be read", self.path))
    }
}
