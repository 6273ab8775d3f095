//! Where a panic of the library becomes a fault of the file.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::ParquetFault;

/// Calls `decode`. The library checks most of what it reads, but not all: where it indexes beyond what a file has, that
/// is a damaged file, and no fault of Decant. Nothing is done with what a panic leaves behind.
pub(crate) fn caught<T>(
    decode: impl FnOnce() -> Result<T, ParquetFault>,
) -> Result<T, ParquetFault> {
    catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(|_| {
        Err(ParquetFault::damaged("its values cannot be decoded: they contradict each other"))
    })
}
