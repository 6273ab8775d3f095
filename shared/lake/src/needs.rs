//! What is needed of the objects of a dataset: for formats of which parts can be read.

use std::ops::Range;

use export::{Dataset, FieldStep, RecordFormat, TimeFormat, Window};
use jiff::Timestamp;

use crate::{framing::Framing, names::Names, row_time::RowTime};

/// What is needed of objects.
#[derive(Clone, Debug)]
pub struct Needs {
    /// Which of them are Parquet.
    pub parquet: ParquetUse,
    /// The fields at the top of a record; `None` means all.
    pub fields: Option<Vec<String>>,
    /// The names that lead to the time of a record; `None` if it is in a list.
    pub time: Option<Vec<String>>,
    /// How that time is written where it is a number.
    pub time_format: TimeFormat,
    /// Records of other times are not needed.
    pub window: Window,
    filing: export::Filing,
}

/// Which objects of a dataset are Parquet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParquetUse {
    /// All, as the catalog says.
    Always,
    /// Those that begin as Parquet does.
    IfMarked,
    /// None: they are lines of fields.
    Never,
}

impl ParquetUse {
    /// Returns what the catalog says of a dataset.
    pub fn of(dataset: &Dataset) -> Self {
        match dataset.format {
            RecordFormat::Parquet => Self::Always,
            RecordFormat::Json(_) => Self::IfMarked,
            RecordFormat::Delimited(_) => Self::Never,
        }
    }
}

impl Needs {
    pub(crate) fn new(
        parquet: ParquetUse,
        framing: &Framing,
        names: Option<&Names>,
        time: &RowTime,
        window: Window,
    ) -> Self {
        // Where records are inside of values, the names are those of records.
        let is_plain = matches!(framing, Framing::Plain);
        let names = names.map(Names::all).filter(|_| is_plain);
        // A path without a name is that of the record itself.
        let names = names.filter(|names| names.iter().all(|name| !name.is_empty()));
        let name = |step: &FieldStep| match step {
            FieldStep::Name(name) => Some(name.clone()),
            FieldStep::Index(_) => None,
        };
        let path = time.path().0.iter().map(name).collect::<Option<Vec<_>>>();
        Self {
            parquet,
            fields: names.map(<[String]>::to_vec),
            time: path.filter(|_| is_plain),
            time_format: time.format(),
            window,
            filing: time.filing.clone(),
        }
    }

    /// Returns the times that records of the partition have that begins at `partition`. A record with another time is
    /// misfiled, and is told.
    pub fn expected(&self, partition: Timestamp) -> Range<Timestamp> {
        self.filing.times(partition)
    }
}
