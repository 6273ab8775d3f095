//! Objects of the lake.

use serde::{Deserialize, Serialize};

/// A source object as it was listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceObject {
    /// Its key.
    pub key: String,
    /// Its `ETag`, with quotes: changes whenever its bytes do.
    pub etag: String,
    /// Its size in bytes, as stored.
    pub size_bytes: u64,
}
