//! A column that is read a few rows at a time.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use parquet::{
    column::reader::ColumnReader,
    data_type::{ByteArray, FixedLenByteArray, Int96},
};

use crate::{ParquetFault, style::Style};

/// A column of a row group.
pub(crate) struct Leaf {
    pub(crate) style: Style,
    reader: ColumnReader,
    max_def: i16,
    max_rep: i16,
    defs: Vec<i16>,
    reps: Vec<i16>,
    values: Values,
    /// How many levels are at hand.
    levels: usize,
    /// The level that comes next, and the value.
    at: usize,
    value_at: usize,
    /// How many values of lists its pages handed out.
    handed: Arc<AtomicUsize>,
}

/// Values of a column that are not null.
pub(crate) enum Values {
    Bool(Vec<bool>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Int96(Vec<Int96>),
    Float(Vec<f32>),
    Double(Vec<f64>),
    Bytes(Vec<ByteArray>),
    Fixed(Vec<FixedLenByteArray>),
}

/// How many values a column has room for where few were needed.
const KEPT_VALUES: usize = 16 << 10;

/// Forgets all values. What long lists took is given back, since other columns may need it next.
fn clear<T>(values: &mut Vec<T>) {
    if values.capacity() > KEPT_VALUES { *values = Vec::new() } else { values.clear() }
}

fn contradiction() -> ParquetFault {
    ParquetFault::damaged("its columns have different rows")
}

impl Leaf {
    pub(crate) fn new(
        reader: ColumnReader,
        style: Style,
        (max_def, max_rep): (i16, i16),
        handed: Arc<AtomicUsize>,
    ) -> Self {
        let values = match &reader {
            ColumnReader::BoolColumnReader(_) => Values::Bool(Vec::new()),
            ColumnReader::Int32ColumnReader(_) => Values::Int32(Vec::new()),
            ColumnReader::Int64ColumnReader(_) => Values::Int64(Vec::new()),
            ColumnReader::Int96ColumnReader(_) => Values::Int96(Vec::new()),
            ColumnReader::FloatColumnReader(_) => Values::Float(Vec::new()),
            ColumnReader::DoubleColumnReader(_) => Values::Double(Vec::new()),
            ColumnReader::ByteArrayColumnReader(_) => Values::Bytes(Vec::new()),
            ColumnReader::FixedLenByteArrayColumnReader(_) => Values::Fixed(Vec::new()),
        };
        Self {
            style,
            reader,
            max_def,
            max_rep,
            defs: Vec::new(),
            reps: Vec::new(),
            values,
            levels: 0,
            at: 0,
            value_at: 0,
            handed,
        }
    }

    /// Reads the next `rows` rows, which have to be there. Returns how many values they have, counting nulls.
    pub(crate) fn fill(&mut self, rows: usize) -> Result<usize, ParquetFault> {
        if self.at != self.levels {
            return Err(contradiction());
        }
        self.handed.store(0, Ordering::Relaxed);
        clear(&mut self.defs);
        clear(&mut self.reps);
        (self.at, self.value_at) = (0, 0);
        let (defs, reps) = (Some(&mut self.defs), Some(&mut self.reps));
        macro_rules! read {
            ($($kind:ident $reader:ident),*) => {
                match (&mut self.reader, &mut self.values) {
                    $((ColumnReader::$reader(reader), Values::$kind(values)) => {
                        clear(values);
                        reader.read_records(rows, defs, reps, values)?
                    })*
                    _ => return Err(contradiction()),
                }
            };
        }
        let (records, _, levels) = read!(
            Bool BoolColumnReader, Int32 Int32ColumnReader, Int64 Int64ColumnReader,
            Int96 Int96ColumnReader, Float FloatColumnReader, Double DoubleColumnReader,
            Bytes ByteArrayColumnReader, Fixed FixedLenByteArrayColumnReader
        );
        if records != rows {
            return Err(ParquetFault::damaged("a column has fewer rows than its row group"));
        }
        self.levels = levels;
        Ok(levels)
    }

    /// Returns the definition level of what comes next.
    pub(crate) fn def(&self) -> Result<i16, ParquetFault> {
        if self.at >= self.levels {
            return Err(contradiction());
        }
        if self.max_def == 0 {
            return Ok(0);
        }
        self.defs.get(self.at).copied().ok_or_else(contradiction)
    }

    /// Returns the repetition level of what comes next, 0 where a row begins or none is left.
    pub(crate) fn rep(&self) -> i16 {
        if self.max_rep == 0 { 0 } else { self.reps.get(self.at).copied().unwrap_or_default() }
    }

    /// Passes over what comes next. Returns the place of its value, if it is not null.
    pub(crate) fn advance(&mut self) -> Result<Option<usize>, ParquetFault> {
        let is_there = self.def()? == self.max_def;
        self.at += 1;
        if !is_there {
            return Ok(None);
        }
        self.value_at += 1;
        Ok(Some(self.value_at - 1))
    }

    pub(crate) fn values(&self) -> &Values {
        &self.values
    }
}
