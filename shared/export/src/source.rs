//! Objects of the lake.

use serde::{Deserialize, Serialize};

use crate::BucketName;

/// A source object as it was listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceObject {
    /// Its key.
    pub key: String,
    /// Its bucket; `None` if it is the bucket of the lake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket: Option<BucketName>,
    /// Its `ETag`, with quotes: changes whenever its bytes do.
    pub etag: String,
    /// Its size in bytes, as stored.
    pub size_bytes: u64,
}
