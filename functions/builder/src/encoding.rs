//! How the rows of an export are encoded.

use export::{Export, Files, Format};
use lake::{Encoding, Selection};

use crate::{app::App, parquet, parts};

/// Returns how the rows of an export are encoded that are taken of one of its tables.
pub(crate) fn encoding(
    app: &App,
    export: &Export,
    selection: &Selection,
) -> anyhow::Result<Encoding> {
    Ok(match (export.request.format, export.request.files.clone()) {
        (Format::Parquet, files) => parquet::encoding(selection, &files)?,
        (Format::Jsonl | Format::Csv, Files::Parts(parts)) => parts::encoding(parts),
        (
            Format::Jsonl | Format::Csv,
            Files::Tables | Files::Single(_) | Files::Hourly(_) | Files::Counts,
        ) => Encoding::Deflate(app.compression_level),
    })
}
