//! How the rows of an export are encoded.

use export::{Export, Files};
use lake::Encoding;

use crate::{app::App, parts};

/// Returns how the rows of an export are encoded.
pub(crate) fn encoding(app: &App, export: &Export) -> Encoding {
    match export.request.files {
        Files::Parts(parts) => parts::encoding(parts),
        Files::Tables | Files::Single(_) | Files::Hourly(_) | Files::Counts => {
            Encoding::Deflate(app.compression_level)
        }
    }
}
