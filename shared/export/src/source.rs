//! What a lake holds.

use serde::{Deserialize, Serialize};

/// One source object as it was when it was listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceObject {
    /// Its key.
    pub key: String,
    /// Its `ETag`, with quotes: changes whenever its bytes do.
    pub etag: String,
    /// Its size in bytes, as stored.
    pub size_bytes: u64,
}
