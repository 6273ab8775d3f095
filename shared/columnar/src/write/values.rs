//! The values of one column, as they are gathered row by row.

use super::ColumnKind;
use crate::ParquetFault;

/// A value of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// There is none.
    Null,
    /// A text, or JSON.
    Text(&'a str),
    /// A whole number, or an instant.
    Integer(i64),
    /// A floating-point number.
    Number(f64),
    /// A truth value.
    Boolean(bool),
}

/// The values of one column.
#[derive(Debug)]
pub struct ColumnValues {
    /// For each row 1, or 0 if it has none.
    pub(super) levels: Vec<i16>,
    pub(super) values: Values,
}

/// Values that are not null.
#[derive(Debug)]
pub(super) enum Values {
    /// Texts, one after the other, and where each ends.
    Texts {
        bytes: Vec<u8>,
        ends: Vec<usize>,
    },
    Integers(Vec<i64>),
    Numbers(Vec<f64>),
    Booleans(Vec<bool>),
}

impl ColumnValues {
    pub(super) fn new(kind: ColumnKind) -> Self {
        let values = match kind {
            ColumnKind::Text | ColumnKind::Json => {
                Values::Texts { bytes: Vec::new(), ends: Vec::new() }
            }
            ColumnKind::Integer | ColumnKind::Time => Values::Integers(Vec::new()),
            ColumnKind::Number => Values::Numbers(Vec::new()),
            ColumnKind::Boolean => Values::Booleans(Vec::new()),
        };
        Self { levels: Vec::new(), values }
    }

    pub(super) fn len(&self) -> usize {
        self.levels.len()
    }

    /// Adds the value of the next row. One of another type than the column's is refused.
    pub fn push(&mut self, value: Value<'_>) -> Result<(), ParquetFault> {
        match (&mut self.values, value) {
            (_, Value::Null) => {
                self.levels.push(0);
                return Ok(());
            }
            (Values::Texts { bytes, ends }, Value::Text(text)) => {
                bytes.extend(text.as_bytes());
                ends.push(bytes.len());
            }
            (Values::Integers(all), Value::Integer(value)) => all.push(value),
            (Values::Numbers(all), Value::Number(value)) => all.push(value),
            (Values::Booleans(all), Value::Boolean(value)) => all.push(value),
            _ => return Err(ParquetFault::damaged("a column has values of another type")),
        }
        self.levels.push(1);
        Ok(())
    }
}
