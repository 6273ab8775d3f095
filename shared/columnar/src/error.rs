//! Why Parquet is not read.

use std::io;

/// Why an object is not read as Parquet.
#[derive(Debug, thiserror::Error)]
pub enum ParquetFault {
    /// Its bytes are not what they should be.
    #[error("as Parquet, {0}")]
    Damaged(String),
    /// It is stored in a way that is not read, or beyond a bound.
    #[error("as Parquet, {0}")]
    Unsupported(String),
    /// Its bytes could not be read.
    #[error("read bytes of it")]
    Unreadable(#[source] io::Error),
}

impl ParquetFault {
    pub(crate) fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged(what.into())
    }

    pub(crate) fn unsupported(what: impl Into<String>) -> Self {
        Self::Unsupported(what.into())
    }
}

/// Damage is invalid data, what is not read is unsupported, and of what cannot be read the cause stays.
impl From<ParquetFault> for io::Error {
    fn from(fault: ParquetFault) -> Self {
        match fault {
            ParquetFault::Damaged(_) => Self::new(io::ErrorKind::InvalidData, fault),
            ParquetFault::Unsupported(_) => Self::new(io::ErrorKind::Unsupported, fault),
            ParquetFault::Unreadable(source) => source,
        }
    }
}

/// What the decoders of values say. Faults of ours pass through them.
impl From<parquet::errors::ParquetError> for ParquetFault {
    fn from(error: parquet::errors::ParquetError) -> Self {
        match error {
            parquet::errors::ParquetError::External(cause) => match cause.downcast::<Self>() {
                Ok(fault) => *fault,
                Err(other) => Self::damaged(other.to_string()),
            },
            other => Self::damaged(format!("its values cannot be decoded: {other}")),
        }
    }
}

impl From<ParquetFault> for parquet::errors::ParquetError {
    fn from(fault: ParquetFault) -> Self {
        Self::External(Box::new(fault))
    }
}
